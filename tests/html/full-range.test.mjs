// full-range.js: whether a canvas takes full range for limited is seen from a grey that is known, and then levels are put right.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { frameDrawer, meant } from '../../html/full-range.js';

const shownOf = (level) => Math.max(0, Math.min(255, Math.round((level - 16) * 255 / 219))); // full range taken for limited

describe('the level that was meant', () => {
  test('is found again between the ends, within the rounding', () => {
    for (let level = 27; level <= 224; ++level) assert.ok(Math.abs(meant(shownOf(level)) - level) <= 0.5, `${level}: ${meant(shownOf(level))}`);
  });

  test('black and white stay, and nothing leaps or turns back', () => {
    assert.deepEqual([meant(0), meant(255)], [0, 255]);
    for (let shown = 1; shown < 256; ++shown) {
      const step = meant(shown) - meant(shown - 1);
      assert.ok(step > 0 && step < 3, `${step} at ${shown}`);
    }
  });

  test('no level is farther off than as it was shown', () => {
    for (let level = 0; level < 256; ++level) {
      const [before, after] = [shownOf(level), meant(shownOf(level))].map((found) => Math.abs(found - level));
      assert.ok(after <= before + 0.5, `${level}: ${before}, ${after}`);
    }
  });
});

describe('what draws frames', () => {
  let grey; // what the canvas shows of the picture that is known; null: the decoder fails
  let decoded;
  let decoders;
  let drawn;
  const picture = { width: 3, height: 2 };
  const context = { canvas: picture, drawImage: (frame) => drawn.push(frame), putImageData: ({ data }, x, y) => drawn.push({ data: [...data], x, y }) };
  beforeEach(() => {
    [decoded, decoders, drawn] = [[], 0, []];
    globalThis.EncodedVideoChunk = class { constructor(init) { Object.assign(this, init); } };
    globalThis.VideoDecoder = class {
      constructor(handlers) {
        Object.assign(this, handlers);
        decoders += 1;
      }

      configure() {}
      decode(chunk) {
        decoded.push(chunk);
        if (grey === null) this.error(new Error('not supported'));
        else this.output({ levels: [...grey, 255], close() {} });
      }

      async flush() {}
      close() { decoders -= 1; }
    };
    globalThis.OffscreenCanvas = class {
      constructor(width, height) { Object.assign(this, { width, height }); }
      getContext() {
        let { levels } = {};
        return {
          canvas: this,
          drawImage: (frame) => { ({ levels } = frame); },
          getImageData: (x, y, width, height) => ({ data: Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => levels[i % levels.length]) }),
        };
      }
    };
  });
  const frame = { levels: [0, 65, 255, 255] };

  test('the canvas itself, where it draws the grey as it is', async () => {
    grey = [72, 73, 71];
    (await frameDrawer())(context, frame);
    assert.deepEqual(drawn, [frame]);
  });

  test('pixels put right, of the whole picture, where it is that of limited range; its decoder is closed', async () => {
    grey = [65, 66, 65];
    (await frameDrawer())(context, frame);
    assert.deepEqual(drawn, [{ data: Array(picture.width * picture.height).fill([0, 72, 255, 255]).flat(), x: 0, y: 0 }]);
    assert.equal(decoders, 0);
  });

  test('the canvas itself, where the grey is neither, or there is no decoder or no canvas', async () => {
    for (const spoil of [() => { grey = [255, 255, 255]; }, () => { grey = null; }, () => { delete globalThis.VideoDecoder; }, () => { delete globalThis.OffscreenCanvas; }]) {
      spoil();
      drawn = [];
      (await frameDrawer())(context, frame);
      assert.deepEqual(drawn, [frame]);
    }
  });

  test('the grey is a key frame with its parameter sets', async () => {
    grey = [72, 72, 72];
    await frameDrawer();
    const [{ type, data }] = decoded;
    const starts = [...data.keys()].filter((i) => data[i] === 1 && data[i - 1] === 0 && data[i - 2] === 0);
    assert.deepEqual([type, ...starts.map((i) => data[i + 1] & 31)], ['key', 7, 8, 5]);
  });
});
