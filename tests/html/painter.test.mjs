// painter.js: each frame is painted or skipped, once, so that each is acknowledged; one decode at a time, of the newest.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page, settled } from './page.mjs';

new Page();
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
