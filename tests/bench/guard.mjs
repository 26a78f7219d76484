// What TLS and the password cost a refreshing page, and a guess the guesser and the streams. The limits are lifted here:
// they are what keeps a guesser from any of this.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { end, view } from '../integration/guarded-viewer.mjs';
import { Site, waitFor } from '../integration/harness.mjs';
import { median, row, rounds } from './bench.mjs';

const kSeconds = 4;

// Requests a second over one kept connection, all of which are answered with `status`.
function ask(url, { auth, status = 200 } = {}) {
  const header = auth ? ['-H', `Authorization: Basic ${Buffer.from(auth).toString('base64')}`] : [];
  const text = execFileSync('wrk', ['-t1', '-c1', `-d${kSeconds}s`, ...header, url], { encoding: 'utf8' });
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const all = Number(/(\d+) requests in/.exec(text)[1]);
  if (refused !== (status === 200 ? 0 : all)) throw new Error(`${url}:\n${text}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]);
}

export async function guard() {
  const site = await Site.start(['--stream.size', '640x480', '--snapshot.size', '640x480'], { secure: true });
  try {
    for (const name of ['guard', 'limits']) {
      const file = path.join(site.folder, `picam/${name}.conf`);
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/^ *limit_(req|conn) zone=.*\n|^ *limit_conn picam.*\n/gm, ''));
    }
    writeFileSync(path.join(site.folder, 'html/static.jpg'), (await site.ask('/pi.jpg')).body);
    const locations = path.join(site.folder, 'picam/locations.conf');
    writeFileSync(locations, `location = /static.jpg { auth_request off; }\nlocation = /static-guarded.jpg { alias ${site.folder}/html/static.jpg; }\n${
      readFileSync(locations, 'utf8')}`);
    site.nginx.process.kill('SIGHUP');
    await waitFor('the static file', async () => (await site.ask('/static.jpg', { auth: null })).status === 200);
    const auth = `picam:${site.password}`;
    const viewer = await view(site, { auth });
    await waitFor('frames', () => viewer.frames.length > 3);
    const asked = await rounds({
      file: () => ask(`${site.url}/static.jpg`),
      known: () => ask(`${site.url}/static-guarded.jpg`, { auth }),
      still: () => ask(`${site.url}/pi.jpg`, { auth }),
      guess: () => {
        return { rate: ask(`${site.url}/static-guarded.jpg`, { auth: 'picam:wrong', status: 401 }) };
      },
    });
    const ms = (rates) => 1000 / median(rates);
    row('a known password behind TLS, for each request', `${(ms(asked.known) - ms(asked.file)).toFixed(2)} ms (a static file: ${ms(asked.file).toFixed(2)} ms)`, '');
    row('a still behind TLS and password, of a static file behind both', `${median(asked.still.map((r, i) => r / asked.known[i])).toFixed(2)} ×`, 'at least 0.33 ×');
    row('a password\'s hash, of an unknown one', `${(ms(asked.guess.map((g) => g.rate)) - ms(asked.known)).toFixed(1)} ms`, 'less than a frame');
    await end(viewer);
  } finally {
    await site.stop();
  }
}
