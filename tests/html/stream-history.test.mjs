// stream-history.js: what the last two minutes of the live picture were.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kSeconds, StreamHistory } from '../../html/stream-history.js';

const close = (one, other, within = 1e-6) => assert.ok(Math.abs(one - other) <= within, `${one}, not ${other}`);
// Frames from one time on, so many a second; the time of the last.
function paint(history, { from, fps, seconds, bytes = 1000, delay }) {
  let at;
  for (let i = 0; i < fps * seconds; ++i) history.painted({ at: at = from + (i * 1000) / fps, bytes, delay });
  return at;
}

describe('the last two minutes', () => {
  test('before the first frame there is nothing', () => {
    const history = new StreamHistory();
    assert.deepEqual(history.seconds(5000), Array(kSeconds).fill(null));
    assert.deepEqual(history.now(5000), { fps: 0, delay: undefined, bitrate: 0, skipped: 0 });
    history.painted({ at: 5500, bytes: 10 });
    assert.deepEqual(history.seconds(5900), Array(kSeconds).fill(null)); // the second is not over
    const [before, first] = history.seconds(6000).slice(-2);
    assert.deepEqual([before, first], [null, { fps: 1, delay: undefined, bitrate: 80, skipped: 0 }]);
  });

  test('a bucket a second, oldest first', () => {
    const history = new StreamHistory();
    paint(history, { from: 10000, fps: 30, seconds: 1, delay: 40 });
    paint(history, { from: 11000, fps: 10, seconds: 1, bytes: 500, delay: 90 });
    history.skipped(11990);
    const all = history.seconds(12000);
    assert.equal(all.length, 120);
    assert.deepEqual(all.slice(-3), [null, { fps: 30, delay: 40, bitrate: 240000, skipped: 0 }, { fps: 10, delay: 90, bitrate: 40000, skipped: 1 }]);
    assert.deepEqual(history.seconds(13500).at(-1), { fps: 0, delay: undefined, bitrate: 0, skipped: 0 });
  });

  test('the median of a second\'s delays, where they are known, and none is below 0', () => {
    const history = new StreamHistory();
    for (const [i, delay] of [50, undefined, 900, 60].entries()) history.painted({ at: 1000 + i, bytes: 1, delay });
    history.painted({ at: 2000, bytes: 1, delay: -3 });
    history.painted({ at: 3000, bytes: 1 });
    assert.deepEqual(history.seconds(4000).slice(-3).map((second) => second.delay), [60, 0, undefined]);
  });

  test('older seconds are forgotten, also over a long pause', () => {
    const history = new StreamHistory();
    paint(history, { from: 0, fps: 20, seconds: 300 });
    assert.ok(history.seconds(300000).every((second) => second.fps === 20));
    const later = history.seconds(360000);
    assert.deepEqual(later.map((second) => second.fps), [...Array(60).fill(20), ...Array(60).fill(0)]);
    history.painted({ at: 4e6, bytes: 1 });
    assert.deepEqual(history.seconds(4e6 + 1000).map((second) => second.fps), [...Array(119).fill(0), 1]);
  });

  test('a million frames of one second are no more to keep than one', () => {
    const history = new StreamHistory();
    for (let i = 0; i < 1e5; ++i) history.painted({ at: 1000, bytes: 1, delay: 7 });
    assert.deepEqual(history.seconds(2000).at(-1), { fps: 1e5, delay: 7, bitrate: 8e5, skipped: 0 });
  });
});

describe('now', () => {
  test('the rate is right, whatever it is', () => {
    for (const fps of [0.5, 1, 2.5, 14.9, 29.8, 60]) {
      const history = new StreamHistory();
      const last = paint(history, { from: 333, fps, seconds: 100, bytes: 5000, delay: 40 });
      const now = history.now(last + 500 / fps);
      close(now.fps, fps, 0.001);
      close(now.bitrate, fps * 40000, 1);
      assert.equal(now.delay, 40);
    }
  });

  test('follows a change within two seconds, and falls while the picture stands', () => {
    const history = new StreamHistory();
    paint(history, { from: 0, fps: 10, seconds: 20, delay: 500 });
    const last = paint(history, { from: 20000, fps: 30, seconds: 2.5, delay: 30 });
    close(history.now(last).fps, 30, 0.01);
    assert.equal(history.now(last).delay, 30);
    close(history.now(last + 900).fps, 30, 0.01);
    assert.ok(history.now(last + 4000).fps < 1.1);
    assert.ok(history.now(last + 60000).fps < 0.1);
  });

  test('counts all that was skipped', () => {
    const history = new StreamHistory();
    for (let at = 0; at < 500000; at += 1000) history.skipped(at);
    assert.equal(history.now(500000).skipped, 500);
  });
});
