// figures.js, but for what it builds of a page: scales, paths, what is said of a chart, and what operators read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Page } from './page.mjs';

new Page();
const { barPath, duration, linePaths, number, operatorRows, smoothed, spoken, topOf, viewersByCodec } = await import('../../html/figures.js');
const { tables } = await import('../../html/figures-text.js');

describe('the top of a scale', () => {
  test('is a nice number, and not below its least', () => {
    const tops = [[[], 100, 100], [[12, 90], 100, 100], [[130], 100, 150], [[356], 100, 400], [[1700], 100, 2000], [[60, 61], 5, 60], [[3], 5, 5],
      [[0.31], 0.5, 0.5], [[0.71], 0.5, 0.8], [[48.3], 0.5, 50], [[9.9], 5, 10]];
    for (const [values, least, top] of tops) assert.equal(topOf(values, least), top, String(values));
  });

  test('stands while the rate wavers by one, and gaps are nothing to it', () => {
    for (const values of [[29, 30, 31], [30, undefined], [undefined, 28.4, 31]]) assert.equal(topOf(values, 5), 30);
  });

  test('shrinks when the greatest value is gone, and not before', () => {
    const values = [900, ...Array(119).fill(40)];
    assert.equal(topOf(values, 100), 1000);
    assert.equal(topOf([...values.slice(1), 40], 100), 100);
  });
});

test('half a picture a second is a line, not a saw', () => {
  const values = [undefined, ...Array.from({ length: 40 }, (_, i) => i % 2)];
  const line = smoothed(values);
  assert.deepEqual([line[0], line[1]], [undefined, 0]);
  assert.ok(line.slice(11, 41).every((value) => value === 0.5));
  assert.deepEqual(smoothed([undefined, 40, undefined, 50, ...Array(10)], true), [undefined, 40, 40, ...Array(10).fill(50), undefined]);
});

describe('the paths', () => {
  test('a line, with the area below it', () => {
    assert.deepEqual(linePaths([0, 50, 100], 100), { line: 'M0 100L1 50L2 0', area: 'M0 100L0 100L1 50L2 0V100Z' });
  });

  test('with gaps, and what stands alone is a dot', () => {
    const { line, area } = linePaths([undefined, 25, undefined, 50, 75, undefined], 100);
    assert.equal(line, 'M1 75h.01M3 50L4 25');
    assert.equal(area, 'M1 100L1 75V100ZM3 100L3 50L4 25V100Z');
    assert.deepEqual(linePaths([undefined, undefined], 100), { line: '', area: '' });
  });

  test('never above the top', () => assert.equal(linePaths([31, 30], 30).line, 'M0 0L1 0'));
  test('bars, of what is there', () => assert.equal(barPath([0, 5, undefined, 1], 10), 'M1 100V50M3 100V90'));
});

describe('in words', () => {
  test('the same numbers as the chart: now, least, most', () => {
    assert.equal(spoken('delay', [undefined, 38.4, 120, 42], 42.3), 'Delay: now 42 ms, least 38 ms, most 120 ms over two minutes');
    assert.equal(spoken('fps', [29, 30, 31], 29.84, tables.de, 'de'), 'Bildrate: jetzt 29,8 Bilder/s, mindestens 29,0 Bilder/s, höchstens 31,0 Bilder/s in zwei Minuten');
    assert.equal(spoken('bitrate', [1.25, 3], undefined), 'Bitrate: now – Mbit/s, least 1.3 Mbit/s, most 3.0 Mbit/s over two minutes');
    assert.equal(spoken('skipped', [0, 2, 1], 3), 'Skipped: 3 in two minutes, at most 2 in one second');
    assert.equal(spoken('delay', [undefined], undefined), 'Delay: no values yet');
  });

  test('numbers, and times', () => {
    assert.deepEqual([number(undefined), number(0), number(3.25, 1, 'de'), number(41.6, 0)], ['–', '0.0', '3,3', '42']);
    assert.deepEqual([59.7, 60, 3599, 3600, 172799, 172800].map((seconds) => duration(seconds)), ['59 s', '1 min', '59 min', '1 h 0 min', '47 h 59 min', '2 days']);
  });

  test('every language says the same things', () => {
    const shape = (table) => JSON.stringify(table, (key, value) => (typeof value === 'function' ? value.length : value && typeof value === 'object' ? value : 'said'));
    assert.equal(shape(tables.de), shape(tables.en));
    assert.equal(tables.en.stills(10, '3.2 s'), 'A still every 10 s · taken 3.2 s ago');
    assert.equal(tables.de.stills(undefined, '3,2 s'), 'vor 3,2 s aufgenommen');
  });
});

describe('for operators', () => {
  const rung = (viewers) => ({ viewers, encoder: 'openh264', encode_mean_ms: 1.26 });
  const status = (changes = {}) => ({
    camera: { state: 'streaming', state_seconds: 754, reason: '', source: 'imx708', size: { width: 1280, height: 720 }, fps: 30, starts: 3, failures: 1 },
    viewers: { base64: 1, 'picam.v2': 3, total: 4, paused: 1, refused: 2 },
    h264: { rungs: [rung(2), rung(0)] },
    ...changes,
  });
  const rows = (changes, table) => Object.fromEntries(operatorRows(status(changes), table));

  test('viewers by codec: those of the rungs see H.264, the others JPEGs', () => {
    assert.deepEqual(viewersByCodec(status()), { 'H.264': 2, JPEG: 2, paused: 1, refused: 2 });
    assert.equal(viewersByCodec(status({ h264: { rungs: [rung(3), rung(2)] } })).JPEG, 0); // counted at another moment
  });

  test('the camera, encoders that are used, faults, newest first', () => {
    const faults = [{ at: '2026-01-02T03:04:05Z', what: 'no frame for 3 s' }, { at: '2026-01-01T03:04:05Z', what: 'unplugged' }];
    const said = rows({ faults });
    assert.deepEqual(said.viewers, [['H.264', '2'], ['JPEG', '2'], ['Paused', '1'], ['Turned away', '2']]);
    assert.deepEqual(said.camera, [['State', 'Live for 12 min'], ['Source', 'imx708'], ['Picture', '1280 × 720, 30 fps'], ['Starts', '3'], ['Failures', '1']]);
    assert.deepEqual(said.encoders, [['openh264', '1.3 ms a frame · 2 viewers']]);
    assert.deepEqual(said.faults.map(([, what]) => what), ['no frame for 3 s', 'unplugged']);
    assert.match(said.faults[0][0], /\d/);
    assert.equal(rows({}, tables.de).viewers[3][0], 'Abgewiesen');
  });

  test('a server that keeps no faults says why there is no camera; nothing is shown of what is not', () => {
    const size = { width: 0, height: 0 };
    const camera = { state: 'unavailable', state_seconds: 3, reason: 'no camera is connected', source: '', size, fps: 0, starts: 0, failures: 4 };
    const said = rows({ camera, h264: { rungs: [rung(0)] } });
    assert.deepEqual(said.faults, [['', 'no camera is connected']]);
    assert.deepEqual(said.camera.map(([name]) => name), ['State', 'Reason', 'Starts', 'Failures']);
    assert.equal(said.camera[0][1], 'Not available for 3 s');
    assert.equal(said.encoders, undefined);
    assert.deepEqual(rows({ faults: [] }).faults, [['', 'None']]);
  });
});
