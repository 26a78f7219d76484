// mse-player.js: what it appends, how fast it plays after a pause, and when it fails, with a MediaSource that the test moves.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Page } from './page.mjs';

const kInterval = 1 / 30;

const page = new Page();
const sources = [];
class FakeBuffer {
  updating = false;
  appended = [];
  appendBuffer(data) {
    if (this.updating) throw new DOMException('updating', 'InvalidStateError');
    this.updating = true;
    this.appended.push(data);
  }
  // An append's end: `updating` ends at once, and the event is a task of its own.
  end() {
    this.updating = false;
    return () => this.onupdateend();
  }
  get buffered() { return { length: this.appended.length && 1, end: () => this.ends }; }
}
window.MediaSource = class {
  constructor() { sources.push(this); }
  addSourceBuffer() { return this.buffer = new FakeBuffer(); }
};
URL.createObjectURL = () => 'blob:one';
const { MsePlayer } = await import('../../html/mse-player.js');

// The fragment's number is its only byte that counts.
function fragment(number) {
  const text = `ftyp....avcC.${String.fromCharCode(0x42, 0xc0, 0x1f)}moof....tfdt....`;
  const bytes = new Uint8Array(text.length + 9);
  bytes.set([...text].map((c) => c.charCodeAt(0)));
  new DataView(bytes.buffer).setBigUint64(text.length, BigInt(Math.round(number * kInterval * 1e6)));
  bytes[bytes.length - 1] = number;
  return bytes;
}
const element = () => ({
  src: '', hidden: true, paused: false, currentTime: 0, readyState: 4, playbackRate: 1, requestVideoFrameCallback(call) { this.present = call; }, removeAttribute() {}, load() {},
});

let said;
let video;
let player;
let buffer;
beforeEach(() => {
  page.open();
  said = [];
  const [first, second] = [element(), element()];
  const handler = (what) => (frame) => said.push(`${what} ${frame?.number}`);
  player = new MsePlayer([second, first], { onDecoded: handler('decoded'), onPainted: handler('painted'), onSkipped: handler('skipped'), onVideoFailed: (hopeless) => said.push(hopeless ? 'hopeless' : 'failed'), onVideoLate: handler('late') });
  video = first;
});
const show = (number) => player.show({ number, begins: number === 0, key: number === 0, receivedMs: performance.now(), video: fragment(number) });
function open() {
  const source = sources.at(-1);
  source.onsourceopen();
  buffer = source.buffer;
}
const appended = () => buffer.appended.map((data) => data.at(-1));

test('a frame that comes between an append\'s end and its event is appended after it, and each once', () => {
  show(0);
  open();
  const event = buffer.end();
  show(1);
  event();
  show(2);
  for (let i = 0; i < 2; ++i) buffer.end()();
  assert.deepEqual(appended(), [0, 1, 2]);
  assert.deepEqual(said, ['decoded 0', 'decoded 1', 'decoded 2']);
});

// So many frames, each an interval after the one before, with so much left to play when it comes.
async function come(first, count, left) {
  for (let number = first; number < first + count; ++number) {
    buffer.ends = number * kInterval;
    video.currentTime = Math.max(0, buffer.ends - left);
    video.readyState = left > 0 ? 4 : 2;
    show(number);
    buffer.ends = (number + 1) * kInterval;
    buffer.end()();
    video.present(performance.now(), { mediaTime: number * kInterval, presentedFrames: number });
    await page.pass(1000 * kInterval);
  }
}

test('after a pause it hurries as soon as it plays again, whatever was left before', async () => {
  show(0);
  open();
  buffer.ends = kInterval;
  buffer.end()();
  await page.pass(1000 * kInterval);
  await come(1, 29, 0.02);
  assert.equal(video.playbackRate, 1);
  await come(30, 5, 0.2);
  assert.equal(video.playbackRate, 1, 'the least of the last frames counts');
  await page.pass(400);
  await come(35, 1, 0); // it stands at the end
  assert.equal(video.playbackRate, 1);
  await come(36, 3, 0.2);
  assert.equal(video.playbackRate, 2);
});

// More frames than may wait for another one, none of them shown.
function comeUnseen(count = 5) {
  show(0);
  open();
  for (let number = 1; number < count; ++number) show(number);
  for (let i = 0; i < count; ++i) buffer.end()();
}
const failed = () => said.filter((what) => /failed|hopeless|late/.test(what));

test('a player that shows nothing fails, and may begin once more, also when it never has shown anything', async () => {
  comeUnseen();
  await page.pass(1400);
  assert.deepEqual(failed(), []);
  await page.pass(200);
  assert.deepEqual(failed(), ['failed']);
  comeUnseen();
  await page.pass(1600);
  assert.deepEqual(failed(), ['failed', 'failed']);
});

test('where the display gives no refresh, frames that nobody sees do not pile up', async () => {
  comeUnseen(1);
  for (let number = 1; number < 1000; ++number) {
    video.currentTime = number * kInterval;
    show(number);
    buffer.end()();
  }
  assert.equal(said.filter((what) => what.startsWith('skipped')).length, 700);
  assert.ok(said.includes('skipped 0'));
});

test('one that may not play is hopeless', async () => {
  video.paused = true;
  video.play = async () => { throw new DOMException('a gesture, please', 'NotAllowedError'); };
  comeUnseen(1);
  await page.pass(0);
  assert.deepEqual(failed(), ['hopeless']);
});

test('a page that stood still gives it its time once more', async () => {
  comeUnseen();
  page.stand(5000);
  await page.pass(1000);
  assert.deepEqual(failed(), []);
  video.present(performance.now(), { mediaTime: 5 * kInterval, presentedFrames: 5 });
  await page.pass(5000);
  assert.deepEqual(failed(), []);
  comeUnseen();
  for (const dead of [[], ['failed']]) {
    page.stand(5000);
    await page.pass(0);
    assert.deepEqual(failed(), dead);
  }
});

test('and so does a display that stood still', async () => {
  const refresh = [];
  globalThis.requestAnimationFrame = (call) => refresh.push(call);
  const refreshes = () => refresh.splice(0).forEach((call) => call());
  comeUnseen();
  await page.pass(5000);
  refreshes();
  await page.pass(1400);
  refreshes();
  assert.deepEqual(failed(), []);
  await page.pass(200);
  refreshes();
  assert.deepEqual(failed(), ['failed']);
});
