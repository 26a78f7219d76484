// painter.js: each frame is painted or skipped, once, so that each is acknowledged; one decode at a time, of the newest.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page, settled } from './page.mjs';

const page = new Page();
const { Painter } = await import('../../html/painter.js');

describe('Painter', () => {
  let decodes; // what was given to decode and has no answer: {jpeg, done, fail}
  let drawn;
  let said;
  let painter;
  const frame = (sequence) => ({ sequence, jpeg: new Uint8Array([sequence]) });
  beforeEach(async () => {
    decodes = [];
    drawn = [];
    said = [];
    globalThis.createImageBitmap = async (blob) => {
      const [sequence] = new Uint8Array(await blob.arrayBuffer());
      return new Promise((resolve, reject) => {
        decodes.push({ sequence, done: () => resolve({ width: 4, height: 2 + sequence, sequence, close: () => drawn.push(`closed ${sequence}`) }), fail: reject });
      });
    };
    const canvas = { width: 0, height: 0 };
    const context = { canvas, drawImage: (bitmap) => drawn.push(`${bitmap.sequence} at ${canvas.width}x${canvas.height}`) };
    canvas.getContext = () => context;
    painter = new Painter(canvas, { onPainted: ({ sequence }) => said.push(`painted ${sequence}`), onSkipped: ({ sequence }) => said.push(`skipped ${sequence}`) });
    await settled();
  });
  async function decoded(outcome = 'done') {
    decodes.shift()[outcome](new Error('no picture'));
    await settled();
  }

  test('a frame is drawn at its size, and its bitmap given back', async () => {
    painter.show(frame(1));
    await settled();
    assert.deepEqual(said, []);
    await decoded();
    assert.deepEqual(drawn, ['1 at 4x3', 'closed 1']);
    assert.deepEqual(said, ['painted 1']);
  });

  test('one decode at a time; a frame that is overtaken is never decoded', async () => {
    for (const sequence of [1, 2, 3, 4]) painter.show(frame(sequence));
    await settled();
    assert.deepEqual(decodes.map(({ sequence }) => sequence), [1]);
    assert.deepEqual(said, ['skipped 2', 'skipped 3']);
    await decoded();
    assert.deepEqual(decodes.map(({ sequence }) => sequence), [4]);
    await decoded();
    assert.deepEqual(said, ['skipped 2', 'skipped 3', 'painted 1', 'painted 4']);
  });

  test('one that cannot be decoded is skipped, and the next is painted', async () => {
    painter.show(frame(1));
    painter.show(frame(2));
    await settled();
    await decoded('fail');
    await decoded();
    painter.show(frame(3));
    await settled();
    await decoded();
    assert.deepEqual(said, ['skipped 1', 'painted 2', 'painted 3']);
  });
});

describe('Painter of H.264', () => {
  let decoders;
  let said;
  let painter;
  let refresh; // what waits for the display
  const kSps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c];
  const frame = (sequence, key = false) => ({ sequence, key, video: new Uint8Array(key ? kSps : [0, 0, 0, 1, 0x61, sequence]) });
  class FakeDecoder {
    static isConfigSupported = async () => ({ supported: true });
    state = 'unconfigured';
    chunks = [];
    constructor(handlers) {
      Object.assign(this, handlers);
      decoders.push(this);
    }

    configure(config) {
      this.config = config;
      this.state = 'configured';
    }

    decode(chunk) { this.chunks.push(chunk); }
    close() { this.state = 'closed'; }
    gives() { this.output({ timestamp: this.chunks.shift().timestamp, displayWidth: 8, displayHeight: 6, close() {} }); }
  }
  beforeEach(async () => {
    page.open();
    decoders = [];
    said = [];
    refresh = [];
    globalThis.VideoDecoder = FakeDecoder;
    globalThis.EncodedVideoChunk = class { constructor(init) { Object.assign(this, init); } };
    globalThis.self = { requestAnimationFrame: (call) => refresh.push(call) };
    const canvas = { width: 0, height: 0 };
    const context = { canvas, drawImage() {} };
    canvas.getContext = () => context;
    const say = (what) => ({ sequence }) => said.push(`${what} ${sequence}`);
    painter = new Painter(canvas, { onDecoded: say('decoded'), onPainted: say('painted'), onSkipped: say('skipped'), onVideoFailed: () => said.push('failed') });
    await settled();
  });
  const show = async (...frames) => {
    frames.forEach((one) => painter.show(one));
    await settled();
  };

  test('every frame is decoded, the newest painted with the display', async () => {
    assert.equal(await painter.h264, true);
    await show(frame(1, true), frame(2), frame(3));
    assert.equal(decoders.length, 1);
    assert.deepEqual(decoders[0].config, { codec: 'avc1.42c01f', optimizeForLatency: true });
    assert.deepEqual(decoders[0].chunks.map(({ type }) => type), ['key', 'delta', 'delta']);
    decoders[0].gives();
    decoders[0].gives();
    assert.deepEqual(said, ['decoded 1', 'decoded 2', 'skipped 1']);
    assert.equal(refresh.length, 1);
    refresh.shift()();
    assert.deepEqual(said.slice(3), ['painted 2']);
    await show(frame(4, true));
    assert.equal(decoders.length, 1, 'the same stream goes on in the same decoder');
  });

  test('a decoder that fails gives back what it had, and the next key frame begins anew', async () => {
    await show(frame(1, true), frame(2));
    decoders[0].error(new Error('broken'));
    await settled();
    assert.deepEqual(said, ['skipped 1', 'skipped 2', 'failed']);
    await show(frame(3));
    assert.deepEqual(said.slice(3), ['skipped 3']);
    await show(frame(4, true));
    assert.equal(decoders.length, 2);
  });

  test('one that is dead is noticed within two seconds, but not while the page is hidden', async () => {
    await show(frame(1, true));
    page.document.hidden = true;
    await page.pass(2000);
    assert.deepEqual(said, []);
    page.document.hidden = false;
    await page.pass(2000);
    assert.deepEqual(said, ['skipped 1', 'failed']);
    assert.equal(decoders[0].state, 'closed');
  });

  test('also when it dies while one is looked at', async () => {
    await show(frame(1, true));
    await page.pass(1000);
    decoders[0].gives();
    refresh.shift()();
    await show(frame(2));
    await page.pass(1600);
    assert.deepEqual(said, ['decoded 1', 'painted 1', 'skipped 2', 'failed']);
  });

  test('a page that stood still blames it only when it has had its time once more', async () => {
    await show(frame(1, true));
    page.stand(5000);
    await page.pass(1000);
    assert.deepEqual(said, []);
    decoders[0].gives();
    refresh.shift()();
    await page.pass(5000);
    assert.deepEqual(said, ['decoded 1', 'painted 1']);
    await show(frame(2));
    for (const dead of [[], ['skipped 2', 'failed']]) {
      page.stand(5000);
      await page.pass(0);
      assert.deepEqual(said.slice(2), dead);
    }
  });

  test('a frame that the display does not show yet is no sign of it', async () => {
    await show(frame(1, true));
    decoders[0].gives();
    await page.pass(5000);
    assert.deepEqual(said, ['decoded 1']);
  });
});
