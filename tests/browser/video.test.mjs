// The live page with H.264 in Debian's browsers: what is shown and how it looks, through pauses and other choices; what
// becomes of it where the decoder fails, or where there is none.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, shots, showFigures, waitChanges, waitNoMessage } from './browser.mjs';
import { decodesVideo, kMoreAgainMs, openLive, seenBy, sizeOf, waitFigures, waitGivenUp, waitVideo, waitViewers, waitWithVideo, watchWorker } from './live-page.mjs';
import { keepReference, psnr, stillClip, stillScene } from './still-scene.mjs';

const kTries = 3;
const kSilentMs = 2000; // a decoder that fails, or says nothing: a picture again by then
const kPsnr = { chrome: 35, firefox: 35 }; // dB, of H.264 beside JPEG
const kBeforeFailure = 15; // frames that a broken decoder decodes
const kJpegsRate = '240'; // the select's value
const kLongMs = 12000; // longer than a server sends JPEGs, as a rule, before it tries H.264 again

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let folder;
    let site;
    let program;
    let decodes;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-video.');
      site = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '300ms', '--snapshot.size', '1280x720']);
      program = await launch(name);
      decodes = await decodesVideo(program, site);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
      rmSync(folder, { recursive: true });
    });

    const video = (what, work) => test(what, async (t) => {
      if (decodes) await work(t);
      else t.skip(`this ${name} cannot decode H.264`);
    });

    const open = (url = site.url, options = {}) => openLive(program, url, options);
    async function done(page, codec = /H\.264/) {
      await waitNoMessage(page);
      await waitVideo(page, codec);
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    }
    async function withSite(flags, work, options) {
      const own = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '300ms', ...flags], options);
      try {
        await work(own);
      } finally {
        await own.stop();
      }
    }
    const replay = (file) => ['--camera.source', 'replay', '--camera.file', file, '--stream.size', '640x480'];

    video('H.264 is shown by itself, and the figures say so', async () => {
      const page = await open();
      await waitVideo(page, /H\.264 (640x480|320x240)/);
      await waitChanges(page, 10);
      await waitViewers(site, 1);
      const { h264 } = await site.status();
      assert.ok(h264.rungs.some((rung) => rung.frames > 0), JSON.stringify(h264));
      await done(page);
    });

    for (const [what, range, flags] of [['full range', 'full', []], ['limited range, turned', 'limited', ['--camera.rotation', '90', '--stream.size', '480x640']]]) {
      video(`the colours are those of the JPEGs: ${what}`, async (t) => {
        const clip = stillClip(stillScene(folder), range);
        await withSite([...replay(clip), '--stream.max_bitrate', '4000', '--stream.quality', '95', ...flags], async (own) => {
          const page = await open(own.url, { query: '?rate=240' });
          await waitFigures(page, /JPEG/);
          await waitFor('a reference', () => keepReference(page));
          assert.equal(await sizeOf(page), flags.length > 0 ? '480x640' : '640x480');
          await page.select('#rate', '0');
          await waitVideo(page);
          let best = 0;
          await waitWithVideo(`${kPsnr[name]} dB`, async () => {
            best = Math.max(best, await psnr(page));
            return best >= kPsnr[name];
          }).finally(() => t.diagnostic(`${best.toFixed(1)} dB`));
          await done(page);
        });
      });
    }

    video('who comes late, and a camera that is closed and opened', async () => {
      const other = await launch(name); // a tab behind another one closes its stream
      const second = await (async () => {
        try {
          await waitChanges(await openLive(other, site.url), 5);
          const late = await open();
          await waitVideo(late);
          await waitChanges(late, 5);
          await waitViewers(site, 2, 2 * kMoreAgainMs);
          return late;
        } finally {
          await other.close();
        }
      })();
      await second.keyboard.press(' ');
      await waitFor('the camera to close', () => lockIsFree(site));
      await second.keyboard.press(' ');
      await waitChanges(second, 5);
      await waitVideo(second);
      await done(second);
    });

    video('the select: JPEGs, fewer of them, and H.264 again; it is remembered', async () => {
      const page = await open();
      await waitVideo(page);
      await page.select('#rate', '240');
      await waitFigures(page, /JPEG/);
      await waitChanges(page, 5);
      await page.select('#rate', '5');
      await waitFigures(page, /^1?\d\.\d fps .*JPEG/);
      await page.reload();
      await waitChanges(page, 2);
      await showFigures(page);
      await waitFigures(page, /JPEG/);
      assert.equal(await page.$eval('#rate', (e) => e.value), '5');
      await page.select('#rate', '0');
      await waitVideo(page);
      await waitChanges(page, 5);
      await done(page);
    });

    video('what is saved is a still', async () => {
      const page = await open(site.url, { prepare: (fresh) => fresh.evaluateOnNewDocument(() => {
        const { createObjectURL } = URL;
        let blob = null;
        URL.createObjectURL = (what) => createObjectURL.call(URL, blob = what);
        HTMLAnchorElement.prototype.click = function () {
          window.saved = createImageBitmap(blob).then(({ width, height }) => ({ name: this.download, type: blob.type, size: `${width}x${height}` }));
        };
      }) });
      // Of a JPEG that a busy machine has meanwhile it is that one.
      const saved = await waitWithVideo('a still that is saved', async () => {
        await waitVideo(page);
        await page.evaluate(() => { window.saved = null; });
        await page.keyboard.press('s');
        const now = await waitFor('what is saved', () => page.evaluate(() => window.saved), kMoreAgainMs);
        return now.size === '1280x720' && now;
      });
      assert.match(saved.name, /^picam-.*\.jpg$/);
      assert.equal(saved.type, 'image/jpeg');
      await waitChanges(page, 5);
      await done(page);
    });

    // What a decoder does after some frames, each that is opened.
    const faults = {
      throws: 'throw new Error("broken")',
      'says that it failed': 'return decode.call(this, new EncodedVideoChunk({ type: "key", timestamp: chunk.timestamp, data: new Uint8Array([0, 0, 0, 1, 0x65, 1, 2, 3]) }))',
      'falls silent': 'return undefined',
    };
    const edited = async (edit, work) => withSite([], async (own) => {
      const file = path.join(own.folder, 'html/draw-video.js');
      writeFileSync(file, edit(readFileSync(file, 'utf8')));
      await work(own);
    });
    const broken = (fault) => (script) => `${script}
      if (self.VideoDecoder) {
        const { decode } = VideoDecoder.prototype;
        VideoDecoder.prototype.decode = function (chunk) {
          this.chunks = (this.chunks ?? 0) + 1;
          if (this.chunks <= ${kBeforeFailure}) return decode.call(this, chunk);
          ${fault};
        };
      }`;
    for (const [what, fault] of Object.entries(faults)) {
      video(`a decoder that ${what}: H.264 once more, and then JPEGs`, async (t) => {
        await edited(broken(fault), async (own) => {
          const begun = Date.now();
          let gaps;
          // A busy machine is in time at one of them, after both failures.
          for (let tries = 0; tries < kTries && !(gaps && Math.max(...gaps) <= kSilentMs * slowness(begun)); ++tries) {
            const page = await open(own.url, { prepare: watchWorker });
            await waitGivenUp(page);
            gaps = await waitWithVideo('a picture after each failure', async () => {
              const [frames, jpegs, failures] = await page.evaluate(() => [window.seen, window.jpegs, window.failures]);
              const painted = [...frames.map((frame) => frame.painted).filter(Boolean), ...jpegs];
              const each = failures.map(({ at }) => Math.min(...painted.filter((time) => time > at)) - Math.max(...painted.filter((time) => time <= at)));
              return each.every(Number.isFinite) && each;
            });
            t.diagnostic(`a picture again after ${gaps.map((gap) => gap.toFixed(0)).join(', ')} ms`);
            const frames = await seenBy(page);
            const again = frames.slice(await page.evaluate(() => window.failures[0].frames));
            assert.ok(gaps.length >= 2, `${gaps.length} failures`);
            assert.ok(again.some((frame) => frame.key), 'no key frame after the first failure');
            assert.ok(again.some((frame) => frame.painted), 'no frame painted after the first failure');
            await waitFigures(page, /JPEG/);
            await waitChanges(page, 5);
            assert.deepEqual(page.errors, []);
            await page.close();
          }
          assert.ok(Math.max(...gaps) <= kSilentMs * slowness(begun), `${gaps} ms`);
        });
      });
    }

    video('a decoder that fails again, and JPEGs for long in between: no third time', async () => {
      await edited(broken(faults.throws), async (own) => {
        const page = await open(own.url, { prepare: (fresh) => fresh.evaluateOnNewDocument((frames) => {
          window.failures = 0;
          const { postMessage } = Worker.prototype;
          Worker.prototype.postMessage = function (data, transfer) {
            if (data.canvas) {
              this.addEventListener('message', (event) => {
                if (!event.data.failed || ++window.failures > 1) return;
                const rate = document.getElementById('rate');
                rate.value = frames;
                rate.dispatchEvent(new Event('change', { bubbles: true }));
              });
            }
            return postMessage.call(this, data, transfer);
          };
        }, kJpegsRate) });
        await waitWithVideo('the first failure', () => page.evaluate(() => window.failures === 1));
        await waitFigures(page, /JPEG/);
        const begun = Date.now();
        await waitFor('a long while', () => Date.now() - begun > kLongMs);
        assert.equal(await page.evaluate(() => window.failures), 1);
        await page.select('#rate', '0');
        await waitGivenUp(page);
        assert.ok(await page.evaluate(() => window.failures) >= 2);
        await waitChanges(page, 5);
        assert.deepEqual(page.errors, []);
        await page.close();
      });
    });

    test('without WebCodecs and Media Source Extensions: picam.v1', async () => {
      await edited((script) => `delete self.VideoDecoder; delete self.MediaSource; delete self.ManagedMediaSource;\n${script}`, async (own) => {
        const page = await open(own.url);
        await waitFigures(page, /JPEG/);
        await waitChanges(page, 5);
        await waitFor('the only viewer', async () => {
          const { viewers } = await own.status();
          return viewers['picam.v1'] === 1 && viewers.total === 1;
        }, 60000);
        await done(page, /JPEG/);
      });
    });

    test('where the server has no H.264: JPEGs', async () => {
      await withSite(['--stream.video', 'off'], async (own) => {
        const page = await open(own.url);
        await waitFigures(page, /JPEG/);
        await waitChanges(page, 5);
        assert.equal((await own.status()).h264.rungs[0].frames, 0);
        await done(page, /JPEG/);
      });
    });

    video('screenshots with figures: nothing is cut off', async () => {
      for (const [device, viewport] of Object.entries({ phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } })) {
        const page = await open(site.url, { viewport });
        await waitVideo(page, /H\.264 640x480/);
        await page.screenshot({ path: path.join(shots, `video-${device}-${name}.png`) });
        assert.ok(await page.$eval('#summary', (e) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= innerWidth));
        await page.keyboard.press('i');
        // The select's choice, beside its arrow.
        assert.ok(await page.$eval('#rate', (e) => {
          const context = document.createElement('canvas').getContext('2d');
          context.font = getComputedStyle(e).font;
          return e.clientWidth >= context.measureText(e.selectedOptions[0].text).width + 40;
        }), `${device}: the select is cut off`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight));
        assert.ok(await page.$eval('#caption', (e) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= innerWidth));
        await done(page);
      }
    });
  });
}
