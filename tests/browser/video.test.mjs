// The live page with H.264 in Debian's browsers: what is shown and how it looks, through pauses and other choices; what
// becomes of it where the decoder fails, or where there is none.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lockIsFree, Site, slowness, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, message, shots, waitChanges } from './browser.mjs';
import { decodesVideo, openLive, seenBy, sizeOf, takesVideo, waitFigures, watchWorker } from './live-page.mjs';

const kSilentMs = 2000; // a decoder that fails, or says nothing: a picture again by then
const kPsnr = { chrome: 35, firefox: 35 }; // dB, of H.264 beside JPEG
const kBeforeFailure = 15; // frames that a broken decoder decodes

// A scene that stands, of saturated colours; its edges are soft, since JPEGs and H.264 have colours at half the size and
// are enlarged differently.
function stillScene(folder) {
  const picture = path.join(folder, 'still.png');
  const bars = ['red', 'lime', 'blue', 'yellow', 'magenta', 'cyan', 'white', 'black'].map((colour) => `xc:${colour}`);
  execFileSync('convert', ['(', '-size', '80x160', ...bars, '+append', ')', '-size', '640x160', 'gradient:red-blue', 'gradient:yellow-cyan',
    '-append', '-blur', '0x6', picture]);
  return picture;
}

function stillClip(picture, range) {
  const clip = picture.replace('.png', `-${range}.y4m`);
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-loop', '1', '-framerate', '30', '-i', picture, '-frames:v', '2',
    '-vf', `scale=out_range=${range}:out_color_matrix=bt601,format=${range === 'full' ? 'yuvj420p' : 'yuv420p'}`, '-strict', '-1', clip]);
  return clip;
}

// Keeps what the canvas shows as the page's reference; false: nothing was to be had.
const keepReference = (page) => page.evaluate(() => {
  const canvas = document.getElementById('picture');
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  if (data[3] === 0) return false;
  window.reference = { data, width: copy.width, height: copy.height };
  return true;
});

// The canvas beside that, dB in RGB; 0: none to be had.
const psnr = (page) => page.evaluate(() => {
  const canvas = document.getElementById('picture');
  const { data, width, height } = window.reference;
  if (canvas.width !== width || canvas.height !== height) return 0;
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [width, height];
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const now = context.getImageData(0, 0, width, height).data;
  if (now[3] === 0) return 0;
  let sum = 0;
  for (let i = 0; i < data.length; ++i) sum += (data[i] - now[i]) ** 2; // alpha is the same
  return 10 * Math.log10(255 ** 2 / (sum / (width * height * 3) || 1e-9));
});

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
    async function done(page) {
      assert.equal(await message(page), '');
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
      await waitFigures(page, /H\.264 640x480/);
      await waitChanges(page, 10);
      const { viewers, h264 } = await site.status();
      assert.deepEqual([viewers['picam.v2'], viewers.total, await takesVideo(site)], [1, 1, 1]);
      assert.ok(h264.rungs[0].frames > 0);
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
          await waitFigures(page, /H\.264/);
          let best = 0;
          await waitFor(`${kPsnr[name]} dB`, async () => {
            best = Math.max(best, await psnr(page));
            return best >= kPsnr[name];
          }, 8000).finally(() => t.diagnostic(`${best.toFixed(1)} dB`));
          await done(page);
        });
      });
    }

    video('who comes late, and a camera that is closed and opened', async () => {
      const first = await open();
      await waitChanges(first, 5);
      const second = await open();
      await waitFigures(second, /H\.264/);
      await waitChanges(second, 5);
      assert.equal((await site.status()).viewers['picam.v2'], 2);
      await first.close();
      await second.keyboard.press(' ');
      await waitFor('the camera to close', () => lockIsFree(site));
      await second.keyboard.press(' ');
      await waitChanges(second, 5);
      await waitFigures(second, /H\.264/);
      await done(second);
    });

    video('the select: JPEGs, fewer of them, and H.264 again; it is remembered', async () => {
      const page = await open();
      await waitFigures(page, /H\.264/);
      await page.select('#rate', '240');
      await waitFigures(page, /JPEG/);
      await waitChanges(page, 5);
      await page.select('#rate', '5');
      await waitFigures(page, /^1?\d\.\d fps .*JPEG/);
      await page.reload();
      await waitChanges(page, 2);
      await page.keyboard.press('i');
      await waitFigures(page, /JPEG/);
      assert.equal(await page.$eval('#rate', (e) => e.value), '5');
      await page.select('#rate', '0');
      await waitFigures(page, /H\.264/);
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
      await waitFigures(page, /H\.264/);
      await page.keyboard.press('s');
      const saved = await waitFor('what is saved', () => page.evaluate(() => window.saved));
      assert.match(saved.name, /^picam-.*\.jpg$/);
      assert.deepEqual([saved.type, saved.size], ['image/jpeg', '1280x720']);
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
    for (const [what, fault] of Object.entries(faults)) {
      video(`a decoder that ${what}: H.264 once more, and then JPEGs`, async (t) => {
        await edited((script) => `${script}
          if (self.VideoDecoder) {
            const { decode } = VideoDecoder.prototype;
            VideoDecoder.prototype.decode = function (chunk) {
              this.chunks = (this.chunks ?? 0) + 1;
              if (this.chunks <= ${kBeforeFailure}) return decode.call(this, chunk);
              ${fault};
            };
          }`, async (own) => {
          const begun = Date.now();
          const page = await open(own.url, { prepare: watchWorker });
          await waitFor('the sentence', async () => /showing JPEGs/.test(await message(page)), 40000);
          const frames = await seenBy(page);
          const painted = frames.filter((frame) => frame.painted);
          const gap = Math.max(...painted.slice(1).map((frame, i) => frame.painted - painted[i].painted));
          t.diagnostic(`a picture again after ${gap.toFixed(0)} ms`);
          assert.ok(painted.length > kBeforeFailure, `${painted.length} frames painted: none after the first failure`);
          assert.ok(frames.filter((frame) => frame.key).length >= 2);
          assert.ok(gap <= kSilentMs * slowness(begun), `${gap} ms`);
          await waitFigures(page, /JPEG/);
          await waitChanges(page, 5);
          assert.deepEqual(page.errors, []);
          await page.close();
        });
      });
    }

    test('without WebCodecs and Media Source Extensions: picam.v1', async () => {
      await edited((script) => `delete self.VideoDecoder; delete self.MediaSource; delete self.ManagedMediaSource;\n${script}`, async (own) => {
        const page = await open(own.url);
        await waitFigures(page, /JPEG/);
        await waitChanges(page, 5);
        const { viewers } = await own.status();
        assert.deepEqual([viewers['picam.v1'], viewers.total], [1, 1]);
        await done(page);
      });
    });

    test('where the server has no H.264: JPEGs', async () => {
      await withSite(['--stream.video', 'off'], async (own) => {
        const page = await open(own.url);
        await waitFigures(page, /JPEG/);
        await waitChanges(page, 5);
        assert.equal((await own.status()).h264.rungs[0].frames, 0);
        await done(page);
      });
    });

    video('screenshots with figures: nothing is cut off', async () => {
      for (const [device, viewport] of Object.entries({ phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } })) {
        const page = await open(site.url, { viewport });
        await waitFigures(page, /H\.264 640x480/);
        // The select's choice, beside its arrow.
        assert.ok(await page.$eval('#rate', (e) => {
          const context = document.createElement('canvas').getContext('2d');
          context.font = getComputedStyle(e).font;
          return e.clientWidth >= context.measureText(e.selectedOptions[0].text).width + 40;
        }), `${device}: the select is cut off`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight));
        assert.ok(await page.$eval('#caption', (e) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= innerWidth));
        await page.screenshot({ path: path.join(shots, `video-${device}-${name}.png`) });
        await done(page);
      }
    });
  });
}
