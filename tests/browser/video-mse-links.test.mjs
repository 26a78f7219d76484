// The live page on plain HTTP behind a link that becomes thin and wide again: the rungs of H.264, and JPEGs below them. The
// picture stays fresh, and there always is one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { SlowLink } from '../faults/slow-link.mjs';
import { makeClip } from '../integration/clips.mjs';
import { Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, showFigures, waitNoMessage } from './browser.mjs';
import { figures, kMoreAgainMs, waitFigures, waitVideo } from './live-page.mjs';
import { agesOf, canvasShown, kHost, launchInsecure, picturesOf, playsVideo, shownVideo, waitFresh, waitNoCanvas, watchPictures } from './mse-page.mjs';

const kFps = 15; // a busy machine keeps up with it, and only the link is too thin
const kWide = { bitsPerSecond: 10e6, roundTripMs: 20 };
const kFreshMs = 400; // of a wide link
const kOldestMs = 2500; // of the pictures that are shown, while the link changes, too
const kFallMs = kMoreAgainMs;
const kClimbMs = 100000; // some seconds of room, and twice as many where a busy machine had it fall once more

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let program;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-mse.');
      program = await launchInsecure(name);
    });
    after(async () => {
      await program?.close();
      rmSync(folder, { recursive: true });
    });

    const behindLink = (what, size, flags, work) => test(what, async (t) => {
      const clip = makeClip(folder, 'pan', { seconds: 2, size });
      const site = await Site.start(['--camera.source', 'replay', '--camera.file', clip, '--stream.size', size,
        '--stream.fps', String(kFps), '--stream.linger', '300ms', '--stream.ack_timeout', '60s', ...flags]);
      const link = await SlowLink.to(site.port, kWide);
      try {
        if (!await playsVideo(program, site)) return t.skip(`this ${name} cannot play H.264`);
        const begun = Date.now();
        const page = await program.open(`http://${kHost}:${link.port}/stream`, { prepare: watchPictures });
        await showFigures(page);
        await waitVideo(page);
        await waitFresh(page, begun, kFreshMs);
        await work(page, (bitsPerSecond) => link.set({ ...kWide, bitsPerSecond }));
        const pictures = await picturesOf(page);
        const { p50, left } = agesOf(pictures);
        // But for one: a machine that stands still leaves one picture there; each change of the link would leave another.
        const [second, oldest] = left.slice(-2);
        t.diagnostic(`${pictures.length} pictures, p50 ${p50.toFixed(0)} ms, the oldest ${second.toFixed(0)} and ${oldest.toFixed(0)} ms; ${await figures(page)}`);
        assert.ok(second < kOldestMs * slowness(begun), `${second} and ${oldest} ms`);
        assert.equal(await page.evaluate(() => window.blank), 0);
        await waitNoMessage(page);
        await waitVideo(page);
        assert.deepEqual(page.errors, []);
        await page.close();
      } finally {
        await link.close();
        await site.stop();
      }
    });
    const waitSize = (page, size, ms) => waitFor(`a video of ${size}`, async () => (await shownVideo(page))?.size === size, ms);

    behindLink('full size, half and full size again', '640x480', [], async (page, set) => {
      set(250e3);
      await waitSize(page, '320x240', kFallMs);
      await waitFresh(page, Date.now(), kOldestMs);
      await waitNoCanvas(page);
      set(kWide.bitsPerSecond);
      await waitFresh(page, Date.now(), kFreshMs);
      await waitSize(page, '640x480', kClimbMs);
      await waitFresh(page, Date.now(), kFreshMs);
      await waitVideo(page);
    });

    // Half of this size is none.
    behindLink('H.264, JPEGs and H.264 again', '240x180', ['--stream.quality', '50', '--stream.min_bitrate', '150'], async (page, set) => {
      set(100e3);
      await waitFor('JPEGs', async () => await canvasShown(page) && await shownVideo(page) === null, kFallMs);
      await waitFigures(page, /JPEG/, kMoreAgainMs);
      await waitFresh(page, Date.now(), kOldestMs, 3);
      set(kWide.bitsPerSecond);
      await waitFresh(page, Date.now(), kFreshMs);
      await waitSize(page, '240x180', kClimbMs);
      await waitFresh(page, Date.now(), kFreshMs);
      await waitNoCanvas(page);
      await waitVideo(page, /H\.264 240x180/);
    });
  });
}
