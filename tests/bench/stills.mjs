// How fast /pi.jpg is, against the same file served statically by the same nginx from memory: wrk asks both in turn,
// three rounds, medians. The stream runs meanwhile and keeps the frame in the store fresh.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Site, Viewer, waitFor } from '../integration/harness.mjs';
import { jpegOf, median, row, rounds } from './bench.mjs';

const kSeconds = 5;
const kConnections = 10;

// Requests a second and the 99th percentile of the answers' times in ms.
function wrk(url) {
  const text = execFileSync('wrk', ['-t1', `-c${kConnections}`, `-d${kSeconds}s`, '--latency', url], { encoding: 'utf8' });
  const failures = /Non-2xx|Socket errors/.exec(text);
  if (failures) throw new Error(`${url}:\n${text}`);
  const [, number, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]),
    p99: Number(number) * { us: 0.001, ms: 1, s: 1000 }[unit],
  };
}

export async function stills(folder) {
  const pictures = path.join(folder, 'pictures');
  mkdirSync(pictures);
  jpegOf(path.join(pictures, 'a.jpg'), '640x480', 60_000);
  const size = statSync(path.join(pictures, 'a.jpg')).size;
  const site = await Site.start(['--camera.source', 'replay', '--camera.file', pictures, '--stream.size', '640x480',
    '--snapshot.size', '640x480', '--stream.fps', '30']);
  try {
    // Beside the pages, which are in memory as the sockets are.
    writeFileSync(path.join(site.folder, 'html/static-still.jpg'), readFileSync(path.join(pictures, 'a.jpg')));
    writeFileSync(path.join(site.folder, 'picam/locations.conf'),
      `location = /static-still.jpg { }\n${readFileSync(path.join(site.folder, 'picam/locations.conf'), 'utf8')}`);
    site.nginx.process.kill('SIGHUP');
    await waitFor('the static file', async () => (await fetch(`${site.url}/static-still.jpg`)).status === 200);
    const viewer = new Viewer(site, { target: '/stream?format=jpeg' });
    await viewer.waitFrames(3);
    const asked = await rounds({
      file: () => wrk(`${site.url}/static-still.jpg`),
      still: () => wrk(`${site.url}/pi.jpg`),
    });
    await viewer.close();
    const rate = median(asked.still.map((s, i) => s.rate / asked.file[i].rate));
    const p99 = median(asked.still.map((s, i) => s.p99 / asked.file[i].p99));
    row(`/pi.jpg through nginx, ${Math.round(size / 1000)} KB, requests/s of a static file's`,
      `${rate.toFixed(2)} × (${Math.round(median(asked.still.map((s) => s.rate)))}/s of ${
        Math.round(median(asked.file.map((s) => s.rate)))}/s)`, 'at least 0.33 ×');
    row('… its p99 against the file\'s', `${p99.toFixed(2)} × (${median(asked.still.map((s) => s.p99)).toFixed(2)} ms of ${
      median(asked.file.map((s) => s.p99)).toFixed(2)} ms)`, 'at most 4 ×');
  } finally {
    await site.stop();
  }
}
