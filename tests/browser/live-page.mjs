// What the tests of the live page with H.264 share.
import { waitFor } from '../integration/harness.mjs';

export const caption = (page) => page.$eval('#caption', (e) => e.textContent);
export const waitFigures = (page, pattern) => waitFor(`${pattern} in the figures`, async () => pattern.test(await caption(page)));
export const sizeOf = (page) => page.$eval('#picture', (e) => `${e.width}x${e.height}`);

// Who is sent H.264, of either size: on a busy machine a page may be moved to the half.
export const takesVideo = async (site) => (await site.status()).h264.rungs.reduce((sum, rung) => sum + rung.viewers, 0);

// Whether this browser decodes H.264, as a page of the site finds it.
export async function decodesVideo(program, site) {
  const page = await program.open(`${site.url}/`);
  const decodes = await page.evaluate(async () => {
    try {
      return (await VideoDecoder.isConfigSupported({ codec: 'avc1.42E01F' })).supported;
    } catch {
      return false;
    }
  });
  await page.close();
  return decodes;
}

// A live page with its figures on.
export async function openLive(program, url, options = {}) {
  const page = await program.open(`${url}/stream${options.query ?? ''}`, options);
  await page.keyboard.press('i');
  await waitFor('the picture', () => page.$eval('#picture', (e) => !e.hidden));
  return page;
}

// What goes to the worker and what it says, as `window.seen`: {key, capturedMs, decoded, painted}, times in ms since
// the epoch. The header of a frame is still before its bytes when the page hands them on.
export const watchWorker = (fresh) => fresh.evaluateOnNewDocument(() => {
  window.seen = [];
  const known = new Map();
  const now = () => performance.timeOrigin + performance.now();
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (data, transfer) {
    if (data.canvas) {
      this.addEventListener('message', (event) => {
        const frame = known.get(event.data.id);
        if (frame) frame[event.data.what] = now();
        if (event.data.what !== 'decoded') known.delete(event.data.id);
      });
    }
    if (data.video) {
      const frame = { key: data.key, capturedMs: Number(new DataView(data.video.buffer).getBigUint64(16)) / 1000 };
      window.seen.push(frame);
      known.set(data.id, frame);
    }
    return postMessage.call(this, data, transfer);
  };
});
export const seenBy = (page) => page.evaluate(() => window.seen);
