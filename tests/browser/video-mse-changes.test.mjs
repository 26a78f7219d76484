// The live page on plain HTTP through what happens to a page and to its camera: another tab in front, a camera that is lost
// and comes back; and its colours.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, message, showFigures, waitNoMessage } from './browser.mjs';
import { waitFigures, waitVideo, waitWithVideo } from './live-page.mjs';
import { kHost, launchInsecure, picturesOf, playsVideo, waitFresh, waitNoCanvas, watchPictures } from './mse-page.mjs';
import { keepReference, psnr, stillClip, stillScene } from './still-scene.mjs';

const kFps = 15; // a busy machine keeps up with it
const kFreshMs = 400;
const kBackMs = 3000; // until the picture is fresh again
const kReturns = 3; // of which one is as it should be: a busy machine may have JPEGs at the others, or be late
const kGlanceMs = 1500; // less than what ends the stream
const kPsnr = 35; // dB, of H.264 beside JPEG
// Where a browser takes full range for limited range, as Firefox's <video> does (153 at least), on the display, too: contrast
// is a little too high, and what is darker than 16 or lighter than 235 is black or white.
const kStretchedPsnr = 28;

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let clip;
    let camera;
    let site;
    let program;
    let plays;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-mse.');
      clip = makeClip(folder, 'pan', { seconds: 2 });
      camera = path.join(folder, 'camera.y4m');
      renameSync(clip, camera);
      site = await Site.start(['--camera.source', 'replay', '--camera.file', camera, '--stream.size', '640x480', '--stream.linger', '300ms',
        '--snapshot.linger', '300ms', '--stream.fps', String(kFps)]);
      program = await launchInsecure(name);
      plays = await playsVideo(program, site);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
      rmSync(folder, { recursive: true });
    });

    const video = (what, work) => test(what, async (t) => {
      if (plays) await work(t);
      else t.skip(`this ${name} cannot play H.264`);
    });
    async function open(at = site, query = '') {
      const begun = Date.now();
      const page = await program.open(`http://${kHost}:${at.port}/stream${query}`, { prepare: watchPictures });
      await showFigures(page);
      await waitFresh(page, begun, kFreshMs);
      return page;
    }
    async function done(page) {
      await waitNoMessage(page);
      await waitVideo(page);
      await waitNoCanvas(page);
      assert.equal(await page.evaluate(() => window.blank), 0);
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    }
    // Fresh in time, and H.264 all the while. `away` goes and comes back, and says since when (Date.now()).
    async function comesBack(t, page, away) {
      for (let i = 0; i < kReturns; ++i) {
        const left = Date.now();
        const begun = await away();
        const { most } = await waitFresh(page, begun, kFreshMs);
        const took = Date.now() - begun;
        const jpegs = (await picturesOf(page)).filter((picture) => picture.paintedMs >= left && !picture.video).length;
        t.diagnostic(`${most.toFixed(0)} ms old at most after ${took} ms; ${jpegs} JPEGs`);
        if (jpegs === 0 && took <= kBackMs * slowness(begun)) return;
        await waitVideo(page);
        await waitNoCanvas(page);
      }
      assert.fail('each time there were JPEGs, or it took too long');
    }

    video('another tab in front closes the camera, a glance at one does not; what comes back is fresh', async (t) => {
      const page = await open();
      const others = [];
      for (const [what, isOver] of [['the camera to close', () => lockIsFree(site)], ['the glance', (left) => Date.now() - left >= kGlanceMs]]) {
        await comesBack(t, page, async () => {
          const left = Date.now();
          others.push(await program.open('about:blank'));
          await waitFor('a page that is hidden', () => page.evaluate(() => document.hidden));
          await waitFor(what, () => isOver(left));
          const begun = Date.now();
          await page.bringToFront();
          return begun;
        });
      }
      for (const other of others) await other.close();
      await done(page);
    });

    video('a camera that is lost and comes back, twice', async (t) => {
      const page = await open();
      for (let times = 0; times < 2; ++times) {
        await comesBack(t, page, async () => {
          renameSync(camera, clip);
          await waitFor('a word about it', async () => (await message(page)) !== '');
          renameSync(clip, camera);
          await waitFor('the camera', async () => (await site.status()).camera.state === 'streaming', 60000);
          return Date.now();
        });
        await waitNoMessage(page);
      }
      await done(page);
    });

    video('the colours are those of the JPEGs, but for the range in Firefox', async (t) => {
      const own = await Site.start(['--camera.source', 'replay', '--camera.file', stillClip(stillScene(folder), 'full'), '--stream.size', '640x480',
        '--stream.max_bitrate', '4000', '--stream.quality', '95', '--stream.linger', '300ms',
        '--stream.fps', String(kFps), '--stream.min_bitrate', '100']);
      try {
        const page = await open(own, '?rate=240');
        await waitFigures(page, /JPEG/);
        await waitFor('a reference', () => keepReference(page));
        await page.select('#rate', '0');
        await waitVideo(page);
        const best = { plain: 0, stretched: 0 };
        await waitWithVideo(`${kPsnr} dB`, async () => {
          best.plain = Math.max(best.plain, await psnr(page));
          best.stretched = Math.max(best.stretched, await psnr(page, { stretched: true }));
          return best.plain >= kPsnr || (name === 'firefox' && best.plain >= kStretchedPsnr && best.stretched >= kPsnr);
        }).finally(() => t.diagnostic(`${best.plain.toFixed(1)} dB; ${best.stretched.toFixed(1)} dB beside JPEGs of too much contrast`));
        await done(page);
      } finally {
        await own.stop();
      }
    });
  });
}
