// What the tests of the live page on plain HTTP share, where H.264 is played by Media Source Extensions.
import { slowness, waitFor } from '../integration/harness.mjs';
import { launch } from './browser.mjs';
import { kMoreAgainMs, waitWithVideo } from './live-page.mjs';

export const kHost = 'picam.lan'; // a name that a site answers to, and no secure context

// A browser that finds this machine by that name.
export const launchInsecure = (name) => launch(name, { args: [`--host-resolver-rules=MAP ${kHost} 127.0.0.1`], prefs: { 'network.dns.localDomains': kHost } });

// Whether this browser plays H.264, as a page of the site finds it.
export async function playsVideo(program, site) {
  const page = await program.open(`http://${kHost}:${site.port}/`);
  const [secure, plays] = await page.evaluate(() => [window.isSecureContext, MediaSource.isTypeSupported('video/mp4; codecs="avc1.42E01F"')]);
  await page.close();
  if (secure) throw new Error(`${kHost} is a secure context`);
  return plays;
}

// The element that is seen; null: none is.
export const shownVideo = (page) => page.evaluate(() => {
  const video = [...document.querySelectorAll('#stage video')].find((one) => !one.hidden && one.videoWidth > 0);
  return video ? { at: video.currentTime, size: `${video.videoWidth}x${video.videoHeight}`, begins: video.buffered.length ? video.buffered.start(0) : 0 } : null;
});
// The canvas has the JPEGs.
export const canvasShown = (page) => page.$eval('#picture', (e) => !e.hidden);
export const waitNoCanvas = (page) => waitWithVideo('no canvas', async () => !await canvasShown(page));

export async function waitPlays(page, seconds = 1) {
  const { at } = await waitWithVideo('a video', () => shownVideo(page));
  await waitWithVideo('the video to go on', async () => {
    const now = await shownVideo(page);
    return now && (now.at >= at + seconds || now.at < at); // or another one began
  });
}

// Each picture that is painted, as `window.pictures`: {video (its size) or null: a JPEG, capturedMs, paintedMs}, times in
// ms since the epoch; and in how many of the display's refreshes after the first there was none, as `window.blank`.
// REQUIRES: picam.v2, whose header is still before its bytes when the page hands them on.
export const watchPictures = (fresh) => fresh.evaluateOnNewDocument(() => {
  window.pictures = [];
  window.blank = 0;
  const now = () => performance.timeOrigin + performance.now();
  const capturedMs = (payload) => Number(new DataView(payload.buffer).getBigUint64(16)) / 1000;
  const sources = new WeakMap(); // of buffers
  const runs = new WeakMap(); // of sources: their frames that are not painted, {moment, capturedMs}
  const played = new Map(); // sources by their URLs
  const painted = (picture) => window.pictures.push({ ...picture, paintedMs: now() });

  const { createObjectURL } = URL;
  URL.createObjectURL = (source) => {
    const url = createObjectURL.call(URL, source);
    played.set(url, source);
    return url;
  };
  const { addSourceBuffer } = MediaSource.prototype;
  MediaSource.prototype.addSourceBuffer = function (type) {
    const buffer = addSourceBuffer.call(this, type);
    sources.set(buffer, this);
    runs.set(this, []);
    return buffer;
  };
  const { appendBuffer } = SourceBuffer.prototype;
  SourceBuffer.prototype.appendBuffer = function (data) {
    const at = new TextDecoder('latin1').decode(data.subarray(0, 2000)).indexOf('tfdt') + 8;
    const moment = Number(new DataView(data.buffer, data.byteOffset).getBigUint64(at)) / 1e6;
    runs.get(sources.get(this)).push({ moment, capturedMs: capturedMs(data) });
    return appendBuffer.call(this, data);
  };
  const { requestVideoFrameCallback } = HTMLVideoElement.prototype;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (call) {
    return requestVideoFrameCallback.call(this, (at, data) => {
      const run = runs.get(played.get(this.src)) ?? [];
      const [last] = run.splice(0, run.filter(({ moment }) => moment < data.mediaTime + 0.0005).length).slice(-1);
      call(at, data);
      if (last && !this.hidden) painted({ video: `${this.videoWidth}x${this.videoHeight}`, capturedMs: last.capturedMs });
    });
  };
  const { postMessage } = Worker.prototype;
  let jpeg = null;
  Worker.prototype.postMessage = function (data, transfer) {
    if (data.canvas) this.addEventListener('message', (event) => { if (event.data.painted) painted({ video: null, capturedMs: jpeg }); });
    if (data.jpeg) jpeg = capturedMs(data.jpeg);
    return postMessage.call(this, data, transfer);
  };

  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [1, 1];
  const context = copy.getContext('2d', { willReadFrequently: true });
  const shows = (element) => {
    if (element.hidden || !element.videoWidth) return !element.hidden && element.id === 'picture';
    context.clearRect(0, 0, 1, 1);
    context.drawImage(element, 0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[3] > 0;
  };
  const look = () => {
    if (window.pictures.length > 0 && ![...document.querySelectorAll('#stage video, #picture')].some(shows)) window.blank += 1;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
export const picturesOf = (page, newest = Infinity) => page.evaluate((count) => window.pictures.slice(-count), Math.min(newest, 1e6));

// Of pictures that were painted one after the other: how old they were then, in the median and at most, and how old each was
// when the next one took its place, the oldest last; ms.
export function agesOf(pictures) {
  const ages = pictures.map((one) => one.paintedMs - one.capturedMs).sort((one, other) => one - other);
  const left = pictures.slice(1).map((one, i) => one.paintedMs - pictures[i].capturedMs).sort((one, other) => one - other);
  return { p50: ages[ages.length >> 1], most: ages.at(-1), left };
}

// Until pictures that were painted since `begun` (Date.now()) are no older than so many ms on a quiet machine; their ages.
export function waitFresh(page, begun, ms, count = 15) {
  return waitFor(`pictures that are ${ms} ms old at most`, async () => {
    const newest = await picturesOf(page, count);
    const ages = agesOf(newest);
    return newest.length === count && newest[0].paintedMs >= begun && ages.most < ms * slowness(begun) && ages;
  }, kMoreAgainMs);
}
