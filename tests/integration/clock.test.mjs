// The wall clock is set while viewers watch, as it is on a Pi without a battery when the network comes: nothing stops,
// nothing runs backwards, and stills say the new time.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fakedClock } from './faked-clock.mjs';
import { assertWithin, jpegSize, Site, slowness, Viewer, waitFor } from './harness.mjs';

const kDayMs = 86_400_000;
const kNearMs = 60_000;

describe('the wall clock is set', () => {
  const folder = mkdtempSync('/dev/shm/picam-clock.');
  const clock = fakedClock(folder);
  let site;
  let viewer;

  before(async () => {
    site = await Site.start(['--stream.linger', '0s', '--snapshot.size', '320x240', '--camera.stall', '30s'], { env: clock.env });
    viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(3);
  });
  after(async () => {
    await viewer?.close();
    await site?.stop();
    rmSync(folder, { recursive: true });
  });

  for (const days of [400, -400, 0]) {
    test(`by ${days} days from the true time`, async () => {
      clock.set(`${days >= 0 ? '+' : ''}${days}d`);
      const due = Date.now() + days * kDayMs;
      const near = (ms) => Math.abs(ms - due) < kNearMs;
      await waitFor('a frame of the new time', () => near(viewer.frames.at(-1).capturedMs));
      const first = viewer.frames.length;
      const begun = Date.now();
      await viewer.waitFrames(first + 30);
      assertWithin(begun, 3000, '30 frames');
      for (let i = 1; i < viewer.frames.length; ++i) {
        assert.ok(viewer.frames[i].sequence > viewer.frames[i - 1].sequence);
      }
      const asked = Date.now();
      const response = await fetch(`${site.url}/pi.jpg`);
      const bytes = await response.arrayBuffer();
      assert.equal(response.status, 200);
      assert.equal(jpegSize(bytes), '320x240');
      assert.ok(near(Date.parse(response.headers.get('x-picam-captured'))), response.headers.get('x-picam-captured'));
      const age = Number(response.headers.get('x-picam-age-ms'));
      assert.ok(age >= 0 && age < 2000 * slowness(asked), `${age} ms old`);
      assert.equal((await site.status()).camera.starts, 1, 'the camera was not opened again');
    });
  }
});
