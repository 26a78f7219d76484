// Both programs killed at random moments under load, 200 times each, and started again at once as a service manager
// would: every picture that is served is whole, and the next one is never more than two seconds away.
// KILLS and SEED choose how often and which moments.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertWithin, Child, Site, Viewer, waitFor } from '../integration/harness.mjs';

const kKills = Number(process.env.KILLS ?? 200);
const kSeed = Number(process.env.SEED ?? Date.now() % 1e6);
const kLoops = 4;
const kAgainWithinMs = 2000;

// mulberry32: the same moments for the same seed.
let state = kSeed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

// Every picture once, through libjpeg, which warns of whatever is missing or too much; beside the test, whose clock must
// not stand still meanwhile: four hundred pictures decoded in one go, on a busy machine, were taken for a still that came
// after many seconds.
class Pictures {
  constructor() {
    this.folder = mkdtempSync('/dev/shm/picam-kills.');
    this.seen = new Map(); // digests, by entity tag
    this.waiting = [];
    this.whole = 0;
  }

  add(tag, bytes) {
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (this.seen.has(tag)) return assert.equal(digest, this.seen.get(tag), `two pictures called ${tag}`);
    this.seen.set(tag, digest);
    const file = path.join(this.folder, `${this.seen.size}.jpg`);
    writeFileSync(file, bytes);
    this.waiting.push(file);
    this.decoding ??= this.#decode().finally(() => { this.decoding = undefined; });
    return undefined;
  }

  async #decode() {
    for (let file = this.waiting.shift(); file; file = this.waiting.shift()) {
      const djpeg = new Child('djpeg', ['-fast', '-outfile', '/dev/null', file]);
      const { code } = await djpeg.ended;
      if (djpeg.log !== '' || code !== 0) this.failure ??= new Error(`${file}: djpeg ended with ${code}: ${djpeg.log}`);
      else ++this.whole;
      rmSync(file);
    }
  }

  // When all are decoded; throws when one of them was not whole.
  async decoded() {
    while (this.decoding) await this.decoding;
    if (this.failure) throw this.failure;
  }
}

describe(`killed ${kKills} times under load (SEED=${kSeed})`, () => {
  let site;
  const pictures = new Pictures();
  before(async () => {
    site = await Site.start(['--snapshot.size', '320x240', '--stream.size', '160x120', '--snapshot.settle', '0s',
      '--snapshot.linger', '200ms', '--stream.linger', '100ms', '--snapshot.deadline', '5s']);
  });
  after(async () => {
    await site?.stop();
    rmSync(pictures.folder, { recursive: true, force: true });
  });

  // One request; true when it brought a picture.
  async function ask() {
    const response = await fetch(`${site.url}/pi.jpg`);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200) {
      assert.ok([502, 503, 504].includes(response.status), `status ${response.status}`);
      assert.match(bytes.toString(), /^[A-Z].*\.\n$/);
      return false;
    }
    assert.equal(bytes.length, Number(response.headers.get('content-length')));
    pictures.add(response.headers.get('etag'), bytes);
    return true;
  }

  for (const name of ['snapshot', 'streamd']) {
    test(name, async (t) => {
      let ends = false;
      let failure;
      let cut = 0;
      const loops = Array.from({ length: kLoops }, async () => {
        while (!ends && !failure) {
          try {
            await ask();
          } catch (error) {
            // nginx passes on as much as it has of an answer whose worker dies: the client sees that it is cut short.
            if (error instanceof TypeError) ++cut;
            else failure = error;
          }
        }
      });
      let viewer;
      let slowest = 0;
      for (let kill = 0; kill < kKills && !failure; ++kill) {
        // The stream runs half of the time.
        if (random() < 0.1) {
          if (viewer) await viewer.close().catch(() => {});
          viewer = viewer ? undefined : new Viewer(site, { protocols: ['picam.v1'] });
        }
        await new Promise((resolve) => { setTimeout(resolve, random() * 120); }); // the fault's moment
        await site[name].end('SIGKILL');
        await (name === 'snapshot' ? site.startSnapshot() : site.startStreamd());
        const begun = Date.now();
        await waitFor('a picture', () => ask().catch((error) => {
          if (error instanceof TypeError) return false;
          throw error;
        }), kAgainWithinMs + 18000);
        slowest = Math.max(slowest, Date.now() - begun);
        assertWithin(begun, kAgainWithinMs, 'a still after a start');
        if (viewer && viewer.socket.readyState > 1) viewer = new Viewer(site, { protocols: ['picam.v1'] });
      }
      ends = true;
      await Promise.all(loops);
      if (viewer) await viewer.close();
      if (failure) throw failure;
      await pictures.decoded();
      t.diagnostic(`${pictures.whole} pictures whole, ${cut} answers cut short, a still at most ${slowest} ms after a start`);
      assert.ok(pictures.whole > kKills, `${pictures.whole} pictures`);
    });
  }
});
