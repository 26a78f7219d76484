// What the stream costs and how old its frames are: streamd's loop against a bare loop of send() calls in the same run,
// nginx in front of it, slow links, and the plain way to do the job beside it. All on this machine: the viewers take a core too.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, children, freePort, procFile, residentMegabytes, Site, threads, waitFor } from '../integration/harness.mjs';
import { RawViewer } from '../faults/raw-viewer.mjs';
import { seenOver, SlowLink } from '../faults/slow-link.mjs';
import { jpegOf, median, row, rounds } from './bench.mjs';

const kBench = path.join(build, 'tests/bench/fanout_bench');
const kPlainServer = path.join(path.dirname(fileURLToPath(import.meta.url)), 'plain-server.mjs');
const kSeconds = Number(process.env.ROUND_SECONDS ?? 5);
const kFps = 30;

// Seconds on a processor: of one thread, or of a process with all its threads that live.
export const threadSeconds = (pid, tid) => Number((procFile(pid, `task/${tid}/schedstat`) ?? '0').split(' ')[0]) / 1e9;
export const processSeconds = (pid) => threads(pid).reduce((sum, tid) => sum + threadSeconds(pid, tid), 0);

async function lines(args, onLine) {
  const child = spawn(kBench, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let last;
  child.stdout.on('data', (data) => {
    text += data;
    const whole = text.split('\n');
    text = whole.pop();
    for (const line of whole) onLine(last = JSON.parse(line));
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`fanout_bench ${args.join(' ')} ended with ${code}`);
  return last;
}

// Watches; and what `seconds()` rose by meanwhile, for each GB that the viewers got.
export async function watch(where, target, form, viewers, seconds) {
  let before;
  let spent;
  const seen = await lines(['watch', where, target, form, viewers, kSeconds], (line) => {
    if (line.ready) before = seconds();
    else spent = seconds() - before;
  });
  return { ...seen, seconds: spent, perGB: spent / (seen.bytes / 1e9), cpu: spent / kSeconds };
}

async function bare(bytes, viewers) {
  const seen = await lines(['bare', bytes, kFps, viewers, kSeconds], () => {});
  return { perGB: seen.cpu_seconds / (seen.bytes / 1e9) };
}

const ms = (seconds) => `${(1000 * seconds).toFixed(0)} ms`;

async function fanOut(folder) {
  const pictures = path.join(folder, 'stream');
  mkdirSync(pictures);
  const file = path.join(pictures, 'a.jpg');
  jpegOf(file, '640x480', 60_000);
  const { size } = statSync(file);
  const flags = ['--camera.source', 'replay', '--camera.file', file, '--stream.size', '640x480', '--stream.fps', kFps,
    '--stream.max_viewers', '500', '--stream.ack_timeout', '60s'];
  const site = await Site.start(flags.map(String));
  try {
    const { pid } = site.streamd.process;
    const loop = () => threadSeconds(pid, pid);
    const socket = `unix:${site.socket('stream')}`;
    // Memory first: what the first crowd needs, compared with one viewer's.
    const seen_memory = [];
    for (const viewers of [1, 200]) {
      let most = 0;
      await watch(socket, '/stream', 'v1', viewers, () => { most = Math.max(most, residentMegabytes(pid)); return 0; });
      seen_memory.push(most);
    }
    row('memory of streamd for each of 200 viewers',
      `${((seen_memory[1] - seen_memory[0]) * 1024 / 199).toFixed(0)} KiB`, 'at most 64 KiB');
    for (const viewers of [1, 50, 200]) {
      const seen = await rounds({
        bare: () => bare(size, viewers),
        plain: () => watch(socket, '/stream?format=jpeg', 'plain', viewers, loop),
        v1: () => watch(socket, '/stream', 'v1', viewers, loop),
        batch: () => watch(socket, '/stream', 'v1-batch', viewers, loop),
      });
      const ratio = (form) => median(seen[form].map((s, i) => s.perGB / seen.bare[i].perGB)).toFixed(2);
      const fps = (form) => median(seen[form].map((s) => s.fps)).toFixed(1);
      row(`streamd's loop, processor time per GB to ${viewers} of a bare send() loop's: JPEG / picam.v1 as the page acknowledges / each frame`,
        `${ratio('plain')} × / ${ratio('batch')} × / ${ratio('v1')} × (${ms(median(seen.bare.map((s) => s.perGB)))} bare; ${
          fps('batch')} and ${fps('v1')} fps)`, 'at most 1.3 × / 1.5 ×');
    }
    const below = await freePort();
    await site.otherSite(`server { listen 127.0.0.1:${below}; ${site.locations('/webcam/', 'pi')} }`);
    const nginx = () => children(site.nginx.process.pid).reduce((sum, worker) => sum + processSeconds(worker), 0);
    const seen = await rounds({
      bare: () => bare(size, 50),
      plain: () => watch(`tcp:${site.port}`, '/stream?format=jpeg', 'plain', 50, nginx),
      v1: () => watch(`tcp:${site.port}`, '/stream', 'v1', 50, nginx),
      batch: () => watch(`tcp:${site.port}`, '/stream', 'v1-batch', 50, nginx),
      below: () => watch(`tcp:${below}`, '/webcam/stream?format=jpeg', 'plain', 50, nginx),
    });
    const share = (form) => median(seen[form].map((s, i) => s.perGB / seen.bare[i].perGB)).toFixed(2);
    row('nginx before 50 viewers, of the bare loop: JPEG / picam.v1 as the page acknowledges / each frame',
      `${share('plain')} × / ${share('batch')} × / ${share('v1')} ×`,
      'at most 3 ×');
    row('… below a path, of that at the root (JPEG)', `${median(seen.below.map((s, i) => s.perGB / seen.plain[i].perGB)).toFixed(2)} ×`, 'at most 1.2 ×');
  } finally {
    await site.stop();
  }
}

async function age() {
  for (const size of ['640x480', '1920x1080']) {
    const site = await Site.start(['--stream.size', size, '--snapshot.size', size, '--stream.max_viewers', '500']);
    try {
      const seen = await rounds({ fifty: () => watch(`unix:${site.socket('stream')}`, '/stream', 'v1', size === '640x480' ? 50 : 1, () => 0) });
      const { encode } = await site.status();
      row(`age of a frame when ${size === '640x480' ? 'the last of 50 viewers' : 'a viewer'} has it whole, ${size}: p50 / p99`,
        `${median(seen.fifty.map((s) => s.age_p50_ms)).toFixed(1)} / ${median(seen.fifty.map((s) => s.age_p99_ms)).toFixed(1)} ms; ${
          median(seen.fifty.map((s) => s.fps)).toFixed(1)} fps, encode ${encode.mean_ms.toFixed(1)} ms`,
        'p99 at most the encode time + 5 ms');
    } finally {
      await site.stop();
    }
  }
}

// The same JPEGs, in base64, to ten viewers.
async function plainWay(folder) {
  const file = path.join(folder, 'plain.jpg');
  jpegOf(file, '640x480', 60_000);
  const viewers = 10;
  const site = await Site.start(['--camera.source', 'replay', '--camera.file', file, '--stream.size', '640x480'], { nginx: false });
  const plain = spawn('node', [kPlainServer, file, String(kFps)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(plain.stdout, 'data');
    const { pid } = site.streamd.process;
    const both = () => [plain.pid, ...children(plain.pid)].reduce((sum, one) => sum + processSeconds(one), 0);
    const seen = await rounds({
      picam: () => watch(`unix:${site.socket('stream')}`, '/stream', 'plain', viewers, () => processSeconds(pid)),
      plain: () => watch(`tcp:${Number(port)}`, '/', 'plain', viewers, both),
    });
    const show = (name) => `${(100 * median(seen[name].map((s) => s.cpu))).toFixed(1)} % of a core, ${
      median(seen[name].map((s) => s.fps)).toFixed(1)} fps`;
    row('base64 to 10 viewers: picam-streamd', `${show('picam')}, ${residentMegabytes(pid).toFixed(0)} MB`, '');
    row('… Node with ws, and ffmpeg', `${show('plain')}, ${residentMegabytes(plain.pid).toFixed(0)} MB + ffmpeg`, '');
  } finally {
    plain.kill();
    await once(plain, 'close');
    await site.stop();
  }
}

// Behind nginx and a link in user space.
async function links(folder) {
  const file = path.join(folder, 'link.jpg');
  jpegOf(file, '640x480', 60_000);
  const { size } = statSync(file);
  const site = await Site.start(['--camera.source', 'replay', '--camera.file', file, '--stream.size', '640x480',
    '--stream.fps', String(kFps), '--stream.ack_timeout', '60s']);
  try {
    for (const [bitsPerSecond, roundTripMs, seconds, bar] of [[1e6, 20, 30, 'p99 at most 1.5 × (transfer + round trip)'],
      [10e6, 50, 10, ''], [100e6, 100, 10, '30 fps']]) {
      const link = await SlowLink.to(site.port, { bitsPerSecond, roundTripMs });
      const viewer = new RawViewer({ port: link.port, host: '127.0.0.1' });
      await waitFor('frames', () => viewer.frames > 1);
      const seen = await seenOver(viewer, seconds, 10);
      viewer.socket.destroy();
      await link.close();
      const least = (size * 8000) / bitsPerSecond + roundTripMs;
      row(`over ${bitsPerSecond / 1e6} Mbit/s with a round trip of ${roundTripMs} ms`, `${seen.fps.toFixed(1)} fps, age p50 / p99 ${
        seen.p50.toFixed(0)} / ${seen.p99.toFixed(0)} ms: ${(seen.p99 / least).toFixed(2)} × (transfer + round trip)`, bar);
    }
  } finally {
    await site.stop();
  }
}

export async function stream(folder) {
  await fanOut(folder);
  await age();
  await links(folder);
  await plainWay(folder);
}
