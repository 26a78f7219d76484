// The live page on plain HTTP, where browsers have no WebCodecs: H.264 by Media Source Extensions, in Debian's browsers.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, message, shots } from './browser.mjs';
import { caption, takesVideo, waitFigures } from './live-page.mjs';

const kHost = 'picam.lan'; // a name that the site answers to, and no secure context
const kFallBackMs = 2000;

// The element that is seen; null: none is.
const shownVideo = (page) => page.evaluate(() => {
  const video = [...document.querySelectorAll('#stage video')].find((one) => !one.hidden && one.videoWidth > 0);
  return video ? { at: video.currentTime, size: `${video.videoWidth}x${video.videoHeight}`, begins: video.buffered.length ? video.buffered.start(0) : 0 } : null;
});
const canvasShown = (page) => page.$eval('#picture', (e) => !e.hidden);

async function waitPlays(page, seconds = 1) {
  const { at } = await waitFor('a video', () => shownVideo(page));
  await waitFor('the video to go on', async () => {
    const now = await shownVideo(page);
    return now && (now.at >= at + seconds || now.at < at); // or another one began
  });
}

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
      program = await launch(name, { args: [`--host-resolver-rules=MAP ${kHost} 127.0.0.1`], prefs: { 'network.dns.localDomains': kHost } });
      const page = await program.open(`${url}/`);
      assert.equal(await page.evaluate(() => window.isSecureContext), false);
      plays = await page.evaluate(() => MediaSource.isTypeSupported('video/mp4; codecs="avc1.42E01F"'));
      await page.close();
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
    async function open(query = '', prepare = undefined) {
      const page = await program.open(`${url}/stream${query}`, { prepare });
      await page.keyboard.press('i');
      return page;
    }
    async function done(page) {
      assert.equal(await message(page), '');
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    }

    video('H.264 is played, fresh, and the figures say so', async (t) => {
      const begun = Date.now();
      const page = await open();
      assert.equal(await page.evaluate(() => typeof VideoDecoder), 'undefined');
      await waitFigures(page, /H\.264 640x480/);
      await waitPlays(page, 3);
      await waitFor('its full size', async () => (await shownVideo(page))?.size === '640x480');
      assert.equal(await canvasShown(page), false);
      const delay = () => caption(page).then((text) => Number(/(\d+) ms/.exec(text)?.[1] ?? Infinity));
      const most = 400 * slowness(begun);
      await waitFor('fresh frames', async () => await delay() < most);
      t.diagnostic(await caption(page));
      const { viewers } = await site.status();
      assert.deepEqual([viewers['picam.v2'], viewers.total, await takesVideo(site)], [1, 1, 1]);
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
      await waitFigures(page, /H\.264/);
      await done(page);
    });

    video('JPEGs, and H.264 again', async () => {
      const page = await open();
      await waitPlays(page);
      await page.select('#rate', '240');
      await waitFigures(page, /JPEG/);
      assert.equal(await canvasShown(page), true);
      assert.equal(await shownVideo(page), null);
      await page.select('#rate', '0');
      await waitFigures(page, /H\.264/);
      await waitPlays(page);
      assert.equal(await canvasShown(page), false);
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
          const shown = [...document.querySelectorAll('#stage video')].some((one) => !one.hidden && (one.readyState >= 2 || one.getVideoPlaybackQuality().totalVideoFrames > 0));
          if (!shown) window.empty += 1;
          window.looking = requestAnimationFrame(look);
        };
        look();
      });
      const playing = () => page.evaluate(() => [...document.querySelectorAll('#stage video')].findIndex((one) => !one.hidden && one.currentTime > 0.2));
      const first = await playing();
      await page.evaluate(() => window.socket.send(JSON.stringify({ type: 'key' })));
      await waitFor('the other element', async () => { const now = await playing(); return now >= 0 && now !== first; });
      await waitFor('one element', () => page.evaluate(() => [...document.querySelectorAll('#stage video')].filter((one) => one.src).length === 1));
      assert.equal(await page.evaluate(() => window.empty), 0);
      await done(page);
    });

    video('one who comes late, while another looks and leaves', async () => {
      const first = await open();
      await waitPlays(first);
      const second = await open();
      await waitPlays(second);
      assert.equal(await takesVideo(site), 2);
      await first.close();
      await waitPlays(second);
      await done(second);
    });

    video('what lies before a key frame is dropped: an hour is not kept', async () => {
      const page = await open();
      await waitPlays(page);
      const program = new AbortController(); // who takes /stream.mp4 has key frames made for all
      const answer = await fetch(`${site.url}/stream.mp4`, { signal: program.signal });
      const reading = (async () => { for await (const part of answer.body) assert.ok(part.length > 0); })().catch(() => {});
      await waitFor('the buffer to begin later', async () => (await shownVideo(page))?.begins > 0);
      const { begins } = await shownVideo(page);
      await waitFor('the buffer to begin later again', async () => (await shownVideo(page))?.begins > begins);
      program.abort();
      await reading;
      await waitPlays(page);
      await done(page);
    });

    video('a player that never shows anything: JPEGs, and the page says so', async () => {
      const page = await open('', (fresh) => fresh.evaluateOnNewDocument(() => {
        SourceBuffer.prototype.appendBuffer = () => {}; // and says nothing
      }));
      await waitFigures(page, /JPEG/);
      assert.notEqual(await message(page), '');
      assert.equal(await canvasShown(page), true);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    video('a camera of a frame in two seconds', async () => {
      const slow = await Site.start(['--stream.fps', '0.5', '--stream.linger', '300ms', '--snapshot.linger', '300ms']);
      try {
        const page = await program.open(`http://${kHost}:${slow.port}/stream`);
        await page.keyboard.press('i');
        await waitPlays(page, 7);
        await waitFigures(page, /H\.264/);
        assert.equal(await takesVideo(slow), 1);
        await done(page);
      } finally {
        await slow.stop();
      }
    });

    video('a player that fails is begun anew, and JPEGs come when it fails again; the page says so', async () => {
      const page = await open('', (fresh) => fresh.evaluateOnNewDocument(() => {
        const { appendBuffer } = SourceBuffer.prototype;
        window.broken = false;
        SourceBuffer.prototype.appendBuffer = function (data) {
          if (window.broken) throw new DOMException('full', 'QuotaExceededError');
          return appendBuffer.call(this, data);
        };
      }));
      await waitPlays(page);
      const begun = Date.now();
      await page.evaluate(() => { window.broken = true; });
      await waitFigures(page, /JPEG/);
      assert.ok(Date.now() - begun <= kFallBackMs * slowness(begun) + 500, `${Date.now() - begun} ms`);
      assert.notEqual(await message(page), '');
      assert.equal(await canvasShown(page), true);
      assert.deepEqual(page.errors, []);
      await page.close();
    });
  });
}
