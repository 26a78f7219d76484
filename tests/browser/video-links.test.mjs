// The live page with H.264 behind slow links, and what the browser keeps of many frames.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { SlowLink } from '../faults/slow-link.mjs';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { hide, kBrowsers, launch, showFigures, waitChanges, waitNoMessage, watchMemory } from './browser.mjs';
import { decodesVideo, figures, kMoreAgainMs, openLive, seenBy, sizeOf, waitVideo, waitWithVideo, watchWorker } from './live-page.mjs';

const kFastFps = 120;
const kWarmFrames = 300; // by then the decoder has all its buffers
const kFastFrames = 600; // whose memory is watched: each that leaks is half a megabyte
const kFlatMb = 150;     // of all the browser's processes
const kMeasuredFrames = 100;
const kCountMs = 300000; // for a machine that is slow, and JPEGs for a while
const kAgeMs = 1000;

// Of the newest frames, when so many were painted since `begun` (Date.now()); before that, null.
function agesSince(begun, frames) {
  const painted = frames.filter((frame) => frame.painted >= begun).slice(-kMeasuredFrames);
  if (painted.length < kMeasuredFrames) return null;
  const sorted = painted.map((frame) => frame.painted - frame.capturedMs).sort((one, other) => one - other);
  return {
    fps: (painted.length - 1) / (painted.at(-1).painted - painted[0].painted) * 1000,
    p50: sorted[sorted.length >> 1],
    p99: sorted[Math.floor(sorted.length * 0.99)],
    keys: frames.filter((frame) => frame.key).length,
  };
}

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let program;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-video.');
      program = await launch(name);
    });
    after(async () => {
      await program?.close();
      rmSync(folder, { recursive: true });
    });

    const video = (what, flags, work) => test(what, async (t) => {
      const own = await Site.start(['--stream.linger', '300ms', ...flags()]);
      try {
        if (await decodesVideo(program, own)) await work(t, own);
        else t.skip(`this ${name} cannot decode H.264`);
      } finally {
        await own.stop();
      }
    });
    async function done(page) {
      await waitNoMessage(page);
      await waitVideo(page);
      assert.deepEqual(page.errors, []);
      await page.close();
    }

    video('behind 1 Mbit/s, 20 ms; then much less, and more again', () => ['--camera.source', 'replay', '--camera.file', makeClip(folder, 'pan'), '--stream.size', '640x480', '--stream.ack_timeout', '60s'], async (t, own) => {
      const link = await SlowLink.to(own.port, { bitsPerSecond: 1e6, roundTripMs: 20 });
      try {
        const page = await openLive(program, `http://127.0.0.1:${link.port}`, { prepare: watchWorker });
        await waitVideo(page);
        await waitChanges(page, 30);
        const begun = Date.now();
        let measured;
        await waitWithVideo(`${kMeasuredFrames} frames of less than ${kAgeMs} ms`, async () => {
          measured = agesSince(begun, await seenBy(page));
          return measured?.p99 < kAgeMs * slowness(begun);
        }).finally(async () => measured && t.diagnostic(
          `${measured.fps.toFixed(1)} fps, ages ${measured.p50.toFixed(0)} / ${measured.p99.toFixed(0)} ms, ${measured.keys} keys; ${await figures(page)}`));
        link.set({ bitsPerSecond: 10e6, roundTripMs: 20 });
        await page.reload(); // what was learned of the link is forgotten
        await showFigures(page);
        await waitVideo(page, /H\.264 640x480/);
        link.set({ bitsPerSecond: 250e3, roundTripMs: 20 });
        await waitWithVideo('the smaller picture', async () => (await sizeOf(page)) === '320x240');
        await waitVideo(page, /H\.264 320x240/);
        link.set({ bitsPerSecond: 10e6, roundTripMs: 20 });
        await waitChanges(page, 5);
        // In the same session the larger picture comes with more room, after some seconds or, where it fell again, twice as many.
        await page.reload();
        await showFigures(page);
        await waitVideo(page, /H\.264 640x480/);
        await waitChanges(page, 5);
        await done(page);
      } finally {
        await link.close();
      }
    });

    video(`the browser's memory stays flat over ${kFastFrames} frames; hidden and shown again`, () => ['--stream.fps', String(kFastFps)], async (t, own) => {
      const page = await openLive(program, own.url, { prepare: watchWorker });
      const count = () => page.evaluate(() => window.seen.length);
      const waitCount = (wanted) => waitFor(`${wanted} frames`, async () => await count() >= wanted, kCountMs);
      await waitCount(kWarmFrames);
      const memory = watchMemory(program);
      const begun = Date.now();
      await waitCount(kWarmFrames + kFastFrames);
      await waitFor(`less than ${kFlatMb} MB more`, () => memory.grown() < kFlatMb).finally(() => t.diagnostic(
        `${memory.before.toFixed(0)} MB, ${memory.grown().toFixed(0)} more after ${((Date.now() - begun) / 1000).toFixed(0)} s`));
      await hide(page, true);
      await waitFor('the camera to close', () => lockIsFree(own), kMoreAgainMs);
      await hide(page, false);
      await waitChanges(page, 5);
      await waitVideo(page);
      await done(page);
    });
  });
}
