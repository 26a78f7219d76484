// streamd is killed under a live page, and the one that is started again turns its pictures by 90 degrees: the page shows
// them by itself, turned and at their aspect, by WebCodecs and, on plain HTTP, by Media Source Extensions.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, message, showFigures, waitNoMessage } from './browser.mjs';
import { decodesVideo, waitVideo, waitWithVideo } from './live-page.mjs';
import { kHost, launchInsecure, playsVideo } from './mse-page.mjs';
import { stillClip, stillScene } from './still-scene.mjs';

const kAlike = 25; // dB, of two screenshots
const kNoise = 6;
const kFps = 15; // a busy machine keeps up with it
const kAspect = 0.02; // what rounding to pixels makes of it

// The full size or, on a busy machine, the half.
const kUpright = /^(640x480|320x240)$/;
const kTurned = /^(480x640|240x320)$/;

const shownSize = (page) => page.evaluate(() => {
  const shown = [...document.querySelectorAll('#stage video, #picture')].find((one) => !one.hidden);
  return shown ? `${shown.videoWidth || shown.width}x${shown.videoHeight || shown.height}` : '';
});

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let program;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-turned.');
      program = await launchInsecure(name);
    });
    after(async () => {
      await program?.close();
      rmSync(folder, { recursive: true });
    });

    // The picture as the display has it, without what lies around it: its file and its aspect. To be looked at again: Firefox
    // may take an empty one for a canvas that a worker paints.
    async function look(page, what) {
      const file = path.join(folder, `${what}.png`);
      await (await page.$('#stage')).screenshot({ path: file });
      execFileSync('convert', [file, '-alpha', 'off', '-fuzz', '6%', '-trim', '+repage', file]);
      const [width, height] = execFileSync('identify', ['-format', '%w %h', file], { encoding: 'utf8' }).split(' ').map(Number);
      return { file, aspect: width / height };
    }
    // How alike two are, the first turned clockwise; dB.
    function alike(one, turned) {
      const both = [['-rotate', '90', one], ['-rotate', '0', turned]].map(([option, degrees, { file }], i) => {
        const small = path.join(folder, `small-${i}.png`);
        execFileSync('convert', [file, option, degrees, '-resize', '240x320!', small]);
        return small;
      });
      return Number(/^[\d.]+/.exec(spawnSync('compare', ['-metric', 'PSNR', ...both, 'null:'], { encoding: 'utf8' }).stderr)?.[0] ?? 0);
    }

    for (const [how, host, works] of [['WebCodecs', '127.0.0.1', decodesVideo], ['Media Source Extensions', kHost, playsVideo]]) {
      test(`killed and started again, turned: ${how}`, async (t) => {
        const site = await Site.start(['--camera.source', 'replay', '--camera.file', stillClip(stillScene(folder), 'full', { noise: kNoise }),
          '--stream.linger', '300ms', '--stream.fps', String(kFps)]);
        try {
          if (!await works(program, site)) return t.skip(`this ${name} has no H.264`);
          const page = await program.open(`http://${host}:${site.port}/stream`);
          assert.equal(await page.evaluate(() => typeof VideoDecoder !== 'undefined'), host !== kHost);
          await page.evaluate(() => { window.same = true; });
          await showFigures(page);
          const shows = async (size) => {
            await waitWithVideo(`a picture of ${size}`, async () => size.test(await shownSize(page)));
            await waitNoMessage(page);
            await waitVideo(page);
          };
          await shows(kUpright);
          const upright = await waitWithVideo('the upright picture', async () => {
            const seen = await look(page, 'upright');
            return Math.abs(seen.aspect - 4 / 3) < kAspect && seen;
          });
          await site.streamd.end('SIGKILL');
          await waitFor('a word about it', async () => (await message(page)) !== '');
          await site.startStreamd(['--camera.rotation', '90']);
          await shows(kTurned);
          const seen = { aspect: 0, psnr: 0 };
          await waitWithVideo('the turned picture', async () => {
            const turned = await look(page, 'turned');
            [seen.aspect, seen.psnr] = [turned.aspect, alike(upright, turned)];
            return Math.abs(seen.aspect - 3 / 4) < kAspect && seen.psnr >= kAlike;
          }).finally(() => t.diagnostic(`aspect ${seen.aspect.toFixed(3)}, ${seen.psnr.toFixed(1)} dB`));
          assert.equal(await page.evaluate(() => window.same), true);
          await waitWithVideo('H.264 where it belongs', () => page.evaluate((video) => document.querySelector('#picture').hidden === video, host === kHost));
          await page.close();
        } finally {
          await site.stop();
        }
      });
    }
  });
}
