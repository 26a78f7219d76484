// mse-player.js: what it reads in fragments of MP4, and how fast it plays. The rest is for browsers' tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page } from './page.mjs';

new Page();
const { codecOf, momentOf, MsePlayer, rateFor } = await import('../../html/mse-player.js');
const bytesOf = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : part)));

test('the codec of an init segment, as it stands in a larger message', () => {
  const init = bytesOf([9, 9, 9], 'ftyp', [0, 0, 0, 40], 'avcC', [1, 0x42, 0xc0, 0x0b, 0xff]);
  assert.equal(codecOf(init.subarray(3)), '42c00b');
});

test('the time of a fragment, beyond what 32 bits hold', () => {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, 7_200_033_333n);
  const fragment = bytesOf([7, 7], 'moof', [0, 0, 0, 20], 'tfdt', [1, 0, 0, 0], [...time], 'trun');
  assert.equal(momentOf(fragment.subarray(2)), 7200.033333);
});

test('it plays faster only when more is left than needs to be, the more the faster, and twice as fast at most', () => {
  const interval = 1 / 30;
  assert.equal(rateFor([0], interval), 1);
  assert.equal(rateFor([0.024, 0.2], interval), 1);
  assert.equal(rateFor([0.2, 0.01, 0.2], interval), 1, 'a frame that was late lately');
  const [little, more, much] = [0.03, 0.06, 1].map((slack) => rateFor([slack, slack], interval));
  assert.ok(little > 1 && more > little && much === 2, `${little}, ${more}, ${much}`);
  assert.ok(rateFor([0.15], 0.2) > 1, 'an interval of a slow camera is not waited for');
});

test('where there is no MSE it is not supported', () => assert.ok(!MsePlayer.supported));
