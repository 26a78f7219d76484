// The live page on plain HTTP, where browsers have no WebCodecs: H.264 by Media Source Extensions, in Debian's browsers.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, shots, showFigures, waitNoMessage } from './browser.mjs';
import { figures, kMoreAgainMs, waitFigures, waitGivenUp, waitVideo, waitViewers, waitWithVideo } from './live-page.mjs';
import { canvasShown, kHost, launchInsecure, playsVideo, shownVideo, waitNoCanvas, waitPlays, watchPictures } from './mse-page.mjs';

const kFallBackMs = 2500;
const kFallBacks = 2; // of which one is in time on a busy machine
const kLongMs = 12000; // longer than a server sends JPEGs, as a rule, before it tries H.264 again
const kForgivenFrames = 300; // live.js

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let site;
    let program;
    let plays;
    let url;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-mse.');
      site = await Site.start(['--camera.source', 'replay', '--camera.file', makeClip(folder, 'pan', { seconds: 2 }), '--stream.size', '640x480',
        '--stream.linger', '300ms', '--snapshot.linger', '300ms']);
      url = `http://${kHost}:${site.port}`;
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
    async function open(query = '', prepare = undefined, browser = program) {
      const page = await browser.open(`${url}/stream${query}`, { prepare });
      await showFigures(page);
      return page;
    }
    async function done(page) {
      await waitNoMessage(page);
      await waitVideo(page);
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    }

    video('H.264 is played, fresh, and the figures say so', async (t) => {
      const begun = Date.now();
      const page = await open();
      assert.equal(await page.evaluate(() => typeof VideoDecoder), 'undefined');
      await waitVideo(page, /H\.264 640x480/);
      await waitPlays(page, 3);
      await waitWithVideo('its full size', async () => (await shownVideo(page))?.size === '640x480');
      await waitNoCanvas(page);
      const delay = () => figures(page).then((text) => Number(/(\d+) ms/.exec(text)?.[1] ?? Infinity));
      await waitWithVideo('fresh frames', async () => await delay() < 400 * slowness(begun));
      t.diagnostic(await figures(page));
      await waitViewers(site, 1);
      await page.screenshot({ path: path.join(shots, `mse-${name}.png`) });
      await done(page);
    });

    video('a pause closes the camera, and it goes on after it', async () => {
      const page = await open();
      await waitPlays(page);
      await page.keyboard.press(' ');
      await waitFor('the camera to close', () => lockIsFree(site));
      await page.keyboard.press(' ');
      await waitPlays(page);
      await waitVideo(page);
      await done(page);
    });

    video('JPEGs, and H.264 again', async () => {
      const page = await open();
      await waitPlays(page);
      await page.select('#rate', '240');
      await waitFigures(page, /JPEG/);
      await waitFor('the canvas alone', async () => await canvasShown(page) && await shownVideo(page) === null);
      await page.select('#rate', '0');
      await waitVideo(page);
      await waitPlays(page);
      await waitNoCanvas(page);
      await done(page);
    });

    video('a stream that begins anew takes the other element, and the old picture stays meanwhile', async () => {
      const page = await open('', (fresh) => fresh.evaluateOnNewDocument(() => {
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (data) {
          window.socket = this;
          return send.call(this, data);
        };
      }));
      await waitPlays(page);
      await page.evaluate(() => {
        window.empty = 0;
        const look = () => {
          const shown = [...document.querySelectorAll('#stage video, #picture')].some((one) => !one.hidden
            && (one.id === 'picture' || one.readyState >= 2 || one.getVideoPlaybackQuality().totalVideoFrames > 0));
          if (!shown) window.empty += 1;
          window.looking = requestAnimationFrame(look);
        };
        look();
      });
      const playing = () => page.evaluate(() => [...document.querySelectorAll('#stage video')].findIndex((one) => !one.hidden && one.currentTime > 0.2));
      let first = -1;
      await waitWithVideo('an element', async () => { first = await playing(); return first >= 0; });
      await page.evaluate(() => window.socket.send(JSON.stringify({ type: 'key' })));
      await waitWithVideo('the other element', async () => { const now = await playing(); return now >= 0 && now !== first; });
      await waitWithVideo('one element', () => page.evaluate(() => [...document.querySelectorAll('#stage video')].filter((one) => one.src).length === 1));
      assert.equal(await page.evaluate(() => window.empty), 0);
      await done(page);
    });

    video('one who comes late, while another looks and leaves', async () => {
      const other = await launchInsecure(name); // a tab behind another one closes its stream
      const second = await (async () => {
        try {
          await waitPlays(await open('', undefined, other));
          const late = await open();
          await waitPlays(late);
          await waitViewers(site, 2, 2 * kMoreAgainMs);
          return late;
        } finally {
          await other.close();
        }
      })();
      await waitPlays(second);
      await done(second);
    });

    video('what lies before a key frame is dropped: an hour is not kept', async () => {
      const page = await open();
      await waitPlays(page);
      const program = new AbortController(); // who takes /stream.mp4 has key frames made for all
      const answer = await fetch(`${site.url}/stream.mp4`, { signal: program.signal });
      const reading = (async () => { for await (const part of answer.body) assert.ok(part.length > 0); })().catch(() => {});
      const begins = await waitWithVideo('the buffer to begin later', async () => (await shownVideo(page))?.begins);
      await waitWithVideo('the buffer to begin later again', async () => (await shownVideo(page))?.begins > begins);
      program.abort();
      await reading;
      await waitPlays(page);
      await done(page);
    });

    video('a player that never shows anything: H.264 once more, and then JPEGs; the page says so', async () => {
      const page = await open('', (fresh) => fresh.evaluateOnNewDocument(() => {
        window.sent = [];
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (data) {
          if (typeof data === 'string') window.sent.push(JSON.parse(data));
          return send.call(this, data);
        };
        SourceBuffer.prototype.appendBuffer = () => {}; // and says nothing
      }));
      await waitGivenUp(page);
      const sent = await page.evaluate(() => window.sent.map(({ type, codecs }) => codecs?.join() ?? type));
      assert.ok(sent.includes('key') && sent.indexOf('key') < sent.indexOf('jpeg'), `${sent}`);
      await waitFigures(page, /JPEG/);
      await waitFor('the canvas', () => canvasShown(page));
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    video('a camera of a frame in two seconds', async () => {
      const slow = await Site.start(['--stream.fps', '0.5', '--stream.linger', '300ms', '--snapshot.linger', '300ms']);
      try {
        const page = await program.open(`http://${kHost}:${slow.port}/stream`);
        await showFigures(page);
        await waitPlays(page, 7);
        await waitVideo(page);
        await waitViewers(slow, 1);
        await done(page);
      } finally {
        await slow.stop();
      }
    });

    video('a player that fails is begun anew, and JPEGs come when it fails again; the page says so', async (t) => {
      const begun = Date.now();
      let least = Infinity;
      for (let i = 0; i < kFallBacks && least > kFallBackMs * slowness(begun); ++i) {
        const page = await open('', async (fresh) => {
          await watchPictures(fresh);
          await fresh.evaluateOnNewDocument(() => {
            const { appendBuffer } = SourceBuffer.prototype;
            window.broken = false;
            window.brokeMs = 0;
            SourceBuffer.prototype.appendBuffer = function (data) {
              if (!window.broken) return appendBuffer.call(this, data);
              window.brokeMs ||= performance.timeOrigin + performance.now();
              throw new DOMException('full', 'QuotaExceededError');
            };
          });
        });
        await waitPlays(page);
        await page.evaluate(() => { window.broken = true; });
        await waitGivenUp(page);
        await waitFigures(page, /JPEG/);
        await waitFor('the canvas', () => canvasShown(page));
        const took = await waitFor('a JPEG', () => page.evaluate(() => {
          const jpeg = window.pictures.find(({ video, paintedMs }) => !video && window.brokeMs > 0 && paintedMs > window.brokeMs);
          return jpeg && jpeg.paintedMs - window.brokeMs;
        }));
        t.diagnostic(`JPEGs after ${took.toFixed(0)} ms`);
        least = Math.min(least, took);
        assert.deepEqual(page.errors, []);
        await page.close();
      }
      assert.ok(least <= kFallBackMs * slowness(begun), `${least} ms`);
    });

    // The player fails at the next frame; the first time the page takes `rate` at once, before more frames are painted than are
    // forgiven. When it was begun anew the last time, whatever had failed: `window.begunMs`.
    const failing = (fresh, rate) => fresh.evaluateOnNewDocument((value) => {
      const { appendBuffer } = SourceBuffer.prototype;
      const { send } = WebSocket.prototype;
      window.failures = 0;
      window.begunMs = 0;
      window.broken = false;
      SourceBuffer.prototype.appendBuffer = function (data) {
        if (!window.broken) return appendBuffer.call(this, data);
        window.broken = false;
        window.failures += 1;
        const select = document.getElementById('rate');
        if (value && window.failures === 1) {
          select.value = value;
          select.dispatchEvent(new Event('change', { bubbles: true }));
        }
        throw new DOMException('full', 'QuotaExceededError');
      };
      WebSocket.prototype.send = function (data) {
        if (typeof data === 'string' && JSON.parse(data).type === 'key') window.begunMs = performance.timeOrigin + performance.now();
        return send.call(this, data);
      };
    }, rate);
    const fail = async (page, failures) => {
      await page.evaluate(() => { window.broken = true; });
      await waitWithVideo(`failure ${failures}`, () => page.evaluate((number) => window.failures === number, failures));
    };

    video('a player that fails again, and JPEGs for long in between: no third time', async () => {
      const page = await open('', (fresh) => failing(fresh, '240'));
      await waitPlays(page);
      await fail(page, 1);
      await waitFigures(page, /JPEG/);
      const begun = Date.now();
      await waitFor('a long while', () => Date.now() - begun > kLongMs);
      await page.evaluate(() => { window.broken = true; });
      await page.select('#rate', '0');
      await waitWithVideo('failure 2', () => page.evaluate(() => window.failures === 2));
      await waitGivenUp(page);
      await waitFigures(page, /JPEG/);
      await waitFor('the canvas', () => canvasShown(page));
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    video('a player that fails once in a while is begun anew each time', async () => {
      const page = await open('', async (fresh) => { await watchPictures(fresh); await failing(fresh); });
      await waitPlays(page);
      await fail(page, 1);
      await waitFor('what is forgiven', () => page.evaluate(
        (count) => window.pictures.filter(({ video, paintedMs }) => video && paintedMs > window.begunMs).length > count, kForgivenFrames), 4 * kMoreAgainMs);
      await fail(page, 2);
      await waitPlays(page);
      await waitVideo(page);
      await done(page);
    });
  });
}
