// What the tests of the live page with H.264 share.
import { waitFor } from '../integration/harness.mjs';
import { showFigures, waitHeard } from './browser.mjs';

// The sentence of the figures' panel; '' while it is not there.
export const figures = (page) => page.evaluate(() => document.getElementById('summary')?.textContent ?? '');
export const waitFigures = (page, pattern, ms) => waitFor(`${pattern} in the figures`, async () => pattern.test(await figures(page)), ms);
// A page that was moved to the half, or to JPEGs, on a busy machine tries more after five seconds, where it falls again after twice as many.
export const kMoreAgainMs = 60000;
export const sizeOf = (page) => page.$eval('#picture', (e) => `${e.width}x${e.height}`);

// H.264 is shown, in words of the figures; on a busy machine JPEGs for a while before it, or the half.
export const waitVideo = (page, pattern = /H\.264/) => waitFigures(page, pattern, kMoreAgainMs);
// What comes with H.264, and may come as late.
export const waitWithVideo = (what, condition) => waitFor(what, condition, kMoreAgainMs);
// The page has given H.264 up, and says so: it has failed twice, and before each time there may be JPEGs for a while.
export const waitGivenUp = (page) => waitHeard(page, /showing JPEGs/, 2 * kMoreAgainMs);
// So many are sent H.264, of either size, and are all who look.
export const waitViewers = (site, count, ms = kMoreAgainMs) => waitFor(`${count} who are sent H.264`, async () => {
  const { viewers, h264 } = await site.status();
  return [viewers['picam.v2'], viewers.total, h264.rungs.reduce((sum, rung) => sum + rung.viewers, 0)].every((number) => number === count);
}, ms);

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
  await showFigures(page);
  await waitFor('the picture', () => page.$eval('#picture', (e) => !e.hidden));
  return page;
}

// What goes to the worker and what it says, as `window.seen`: {key, capturedMs, decoded, painted}, times in ms since
// the epoch. The header of a frame is still before its bytes when the page hands them on. When JPEGs were painted: `window.jpegs`;
// when a decoder was given up, and how many frames it and those before had seen: `window.failures`, {at, frames}.
export const watchWorker = (fresh) => fresh.evaluateOnNewDocument(() => {
  window.seen = [];
  window.jpegs = [];
  window.failures = [];
  const known = new Map();
  const now = () => performance.timeOrigin + performance.now();
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (data, transfer) {
    if (data.canvas) {
      this.addEventListener('message', (event) => {
        if (event.data.painted) window.jpegs.push(now());
        const frame = known.get(event.data.id);
        if (frame) frame[event.data.what] = now();
        if (event.data.what !== 'decoded') known.delete(event.data.id);
      });
    }
    if (data.reset) window.failures.push({ at: now(), frames: window.seen.length });
    if (data.video) {
      const frame = { key: data.key, capturedMs: Number(new DataView(data.video.buffer).getBigUint64(16)) / 1000 };
      window.seen.push(frame);
      known.set(data.id, frame);
    }
    return postMessage.call(this, data, transfer);
  };
});
export const seenBy = (page) => page.evaluate(() => window.seen);
