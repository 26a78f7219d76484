// panel.js, but for what it builds of a page: a slider's scale, what a control shows, where somebody points.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Page } from './page.mjs';

new Page();
const { liveLine, pointedCentre, scaleOf, shownValue } = await import('../../html/panel.js');
const close = (one, other) => assert.ok(Math.abs(one - other) < 1e-6, `${one}, not ${other}`);

describe('a slider\'s scale', () => {
  test('straight, in the control\'s steps', () => {
    const scale = scaleOf('Brightness', { type: 'number', min: -1, max: 1, step: 0.01, default: 0 });
    assert.deepEqual([scale.min, scale.max, scale.step], [-1, 1, 0.01]);
    assert.equal(scale.toValue(0.1 + 0.2), 0.3);
    assert.equal(scale.toValue(7), 1);
    assert.equal(scaleOf('AfWhatever', { type: 'integer', min: 0, max: 10 }).step, 1);
    assert.equal(scaleOf('Gamma', { type: 'number', min: 0, max: 4 }).step, 0.02);
  });

  test('of exposure times and gains each step is as much more than the one before', () => {
    for (const [name, info] of [['ExposureTime', { type: 'integer', min: 100, max: 1e6, step: 100 }], ['AnalogueGain', { type: 'number', min: 1, max: 16 }]]) {
      const scale = scaleOf(name, info);
      assert.equal(scale.toValue(scale.min), info.min);
      assert.equal(scale.toValue(scale.max), info.max);
      close(scale.toPosition(Math.sqrt(info.min * info.max)), scale.max / 2);
    }
    assert.equal(scaleOf('Zoom', { type: 'number', min: 1, max: 8 }).max, 8);
  });

  test('0 to 32 where 1 is usual: 1 is in the middle', () => {
    const info = { type: 'number', min: 0, max: 32, step: 0.01, default: 1 };
    const scale = scaleOf('Contrast', info);
    close(scale.toPosition(1), scale.max / 2);
    assert.deepEqual([0, scale.max / 2, scale.max].map(scale.toValue), [0, 1, 32]);
    const gains = scaleOf('ColourGains', { ...info, type: 'numbers', default: undefined });
    assert.equal(gains.toValue(gains.max / 2), 2);
  });

  test('a value is where it is, there and back', () => {
    const scale = scaleOf('ExposureTime', { type: 'integer', min: 100, max: 200000, step: 100 });
    for (const value of [100, 500, 33300, 200000]) assert.equal(scale.round(scale.toValue(scale.toPosition(value))), value);
  });
});

test('what is shown: what is wanted; while that has no effect, what the camera makes of it; else something', () => {
  assert.equal(shownValue({ wanted: 1, actual: 2 }), 1);
  assert.equal(shownValue({ wanted: 1, actual: 2, locked: 'X is Y' }), 2);
  assert.equal(shownValue({ wanted: 1, locked: 'X is Y' }), 1);
  assert.equal(shownValue({ actual: 2 }), 2);
  assert.equal(shownValue({ type: 'number', min: 100 }), 100);
  assert.equal(shownValue({ type: 'bool' }), false);
  assert.deepEqual(shownValue({ type: 'numbers', size: 2, min: 0 }), [1, 1]);
});

test('pointing at the zoomed view moves its middle by as much less', () => {
  assert.deepEqual(pointedCentre({ x: 0.25, y: 0.75 }, 1, [0.2, 0.9]), [0.25, 0.75]); // all is seen, wherever the middle is
  assert.deepEqual(pointedCentre({ x: 0.5, y: 0.5 }, 2, [0.4, 0.6]), [0.4, 0.6]);
  assert.deepEqual(pointedCentre({ x: 1, y: 0 }, 4, [0.5, 0.5]), [0.625, 0.375]);
  assert.deepEqual(pointedCentre({ x: 0.5, y: 0.5 }, 2, [0, 1]), [0.25, 0.75]); // the view ends at the edge
});

test('what the camera does by itself, as far as it says', () => {
  const controls = { ExposureTime: { actual: 33333 }, AnalogueGain: { actual: 2 }, LensPosition: {} };
  assert.equal(liveLine('Exposure', { controls, state: { exposure: 'searching' } }), 'adjusting … · 1/30 s · × 2');
  assert.equal(liveLine('Exposure', { controls, state: { exposure: 'converged' } }), '1/30 s · × 2');
  assert.equal(liveLine('Colour', { controls, state: {} }), '');
  assert.equal(liveLine('Focus', { controls, state: { focus: 'focused' } }), 'sharp');
  assert.equal(liveLine('Zoom', { controls }), '');
});
