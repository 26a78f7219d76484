// acknowledger.js: each frame, or every few on a quick link, and none put off for long.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page } from './page.mjs';

const page = new Page();
const { Acknowledger } = await import('../../html/acknowledger.js');

describe('Acknowledger', () => {
  let acknowledger;
  let sent;
  beforeEach(() => {
    page.open();
    sent = [];
    acknowledger = new Acknowledger((message) => sent.push(message));
    acknowledger.offered = 4;
    acknowledger.fps = 30;
    acknowledger.roundTrip = 2;
  });
  // Frames from `first` to `last`, as a camera gives them; what was sent meanwhile.
  async function frames(first, last, tookMs = 1, everyMs = 33) {
    const before = sent.length;
    for (let sequence = first; sequence <= last; ++sequence) {
      acknowledger.done(sequence, tookMs);
      await page.pass(everyMs);
    }
    return sent.slice(before);
  }
  const single = (sequence) => ({ type: 'ack', sequence });
  const batched = (sequence, batch = 3) => ({ type: 'ack', sequence, batch });

  test('on a quick link every third of thirty frames a second, announced by the first', async () => {
    assert.deepEqual(await frames(1, 10), [batched(1), batched(4), batched(7), batched(10)]);
  });

  test('as many as come in a tenth of a second, and no more than the server offers', async () => {
    acknowledger.fps = 60;
    assert.deepEqual(await frames(1, 9, 1, 16), [batched(1, 4), batched(5, 4), batched(9, 4)]);
    acknowledger.offered = 2;
    assert.deepEqual(await frames(10, 15, 1, 16), [batched(13, 2), batched(15, 2)]);
    acknowledger.fps = 10;
    assert.deepEqual(await frames(16, 18, 1, 50), [single(17), single(18)]);
  });

  test('each frame where the server offers nothing, or before a ping has come back, or without a rate', async () => {
    for (const change of [() => { acknowledger.offered = undefined; }, () => acknowledger.reset(), () => { acknowledger.fps = 0; }]) {
      change();
      assert.deepEqual(await frames(1, 3), [single(1), single(2), single(3)]);
      acknowledger.reset();
      acknowledger.offered = 4;
      acknowledger.roundTrip = 2;
    }
  });

  test('each frame where the way or the painting takes half an interval', async () => {
    acknowledger.roundTrip = 20;
    assert.deepEqual(await frames(1, 2), [single(1), single(2)]);
    acknowledger.roundTrip = 2;
    assert.deepEqual(await frames(3, 4, 15), [single(3), single(4)]);
  });

  test('a painter that becomes slow acknowledges at once what was put off', async () => {
    assert.deepEqual(await frames(1, 2), [batched(1)]);
    assert.deepEqual(await frames(3, 4, 40), [single(3), single(4)]);
  });

  test('one that waited for the next frame in vain comes after two intervals; then each, until the next ping', async () => {
    assert.deepEqual(await frames(1, 2), [batched(1)]);
    await page.pass(32); // 33 have passed: together less than two intervals
    assert.equal(sent.length, 1);
    await page.pass(3);
    assert.deepEqual(sent.at(-1), single(2));
    assert.deepEqual(await frames(3, 5), [single(3), single(4), single(5)]);
    acknowledger.roundTrip = 2;
    assert.deepEqual(await frames(6, 9), [batched(6), batched(9)]);
  });

  test('never goes back: a frame dropped before an older one was painted covers it', async () => {
    assert.deepEqual(await frames(1, 1), [batched(1)]);
    acknowledger.done(3, 1);
    acknowledger.done(2, 1);
    acknowledger.done(4, 1);
    assert.deepEqual(sent.at(-1), batched(4));
    acknowledger.done(6, 1);
    acknowledger.done(7, 1);
    acknowledger.done(5, 1);
    assert.deepEqual(sent.at(-1), batched(7));
  });

  test('at a rate of its own the viewer goes by that', async () => {
    acknowledger.rate = 5;
    assert.deepEqual(await frames(1, 3, 1, 200), [single(1), single(2), single(3)]);
    acknowledger.rate = 60;
    assert.deepEqual(await frames(4, 7), [batched(4), batched(7)], 'there are but thirty');
    acknowledger.rate = 0;
    assert.deepEqual(await frames(8, 10), [batched(10)]);
  });

  test('after a pause it begins with a single one, which agrees anew', async () => {
    assert.deepEqual(await frames(1, 2), [batched(1)]);
    acknowledger.restart();
    await page.pass(1000);
    assert.equal(sent.length, 1, 'what was owed is not');
    assert.deepEqual(await frames(3, 6), [batched(3), batched(6)]);
  });

  test('a new connection owes nothing', async () => {
    await frames(1, 2);
    acknowledger.reset();
    await page.pass(1000);
    assert.deepEqual(sent, [batched(1)]);
    acknowledger.done(1, 1);
    assert.deepEqual(sent.at(-1), single(1));
  });
});
