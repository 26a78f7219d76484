// still-refresher.js: when it asks, when it does not, and what it makes of the answers.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page, settled } from './page.mjs';

const page = new Page();
const { StillRefresher } = await import('../../html/still-refresher.js');

describe('StillRefresher', () => {
  let requests; // {at, headers, answer(response), aborted}
  let pictures;
  let failures;
  let refresher;
  beforeEach(() => {
    page.open();
    requests = [];
    pictures = [];
    failures = [];
    globalThis.fetch = (target, { signal, headers }) => new Promise((resolve, reject) => {
      const request = { target, at: page.now, headers, answer: resolve, aborted: false };
      signal.addEventListener('abort', () => {
        request.aborted = true;
        reject(new DOMException('aborted', 'AbortError'));
      });
      requests.push(request);
    });
    refresher = new StillRefresher({ everyMs: 1500, onPicture: (picture) => pictures.push(picture), onFailure: (why) => failures.push(why) });
    refresher.start();
  });
  const still = (etag = '"1"') => new Response('jpeg', {
    headers: { ETag: etag, 'X-Picam-Captured': '2026-01-02T03:04:05.678Z', 'X-Picam-Age-Ms': '12' },
  });
  const hide = (hidden) => {
    page.document.hidden = hidden;
    page.document.dispatchEvent(new Event('visibilitychange'));
  };
  async function answered(response, after = 0) {
    await page.pass(after);
    requests.at(-1).answer(response);
    await settled();
  }

  test('hands a picture on with its time and age', async () => {
    await answered(still());
    assert.equal(requests[0].target, 'pi.jpg');
    assert.equal(pictures[0].captured.toISOString(), '2026-01-02T03:04:05.678Z');
    assert.equal(pictures[0].ageMs, 12);
    assert.equal(await pictures[0].blob.text(), 'jpeg');
  });

  test('the interval is from request to request; one that took longer is followed at once', async () => {
    const [{ at }] = requests;
    await answered(still(), 400);
    await page.pass(1099);
    assert.equal(requests.length, 1);
    await page.pass(1);
    assert.equal(requests[1].at - at, 1500);
    await answered(still(), 1600);
    await page.pass(0);
    assert.equal(requests.length, 3);
    assert.equal(requests[2].at - requests[1].at, 1600);
  });

  test('asks with the last ETag, and 304 is no picture and no failure', async () => {
    assert.deepEqual(requests[0].headers, {});
    await answered(still('"7"'));
    await page.pass(1500);
    assert.deepEqual(requests[1].headers, { 'If-None-Match': '"7"' });
    await answered(new Response(null, { status: 304 }));
    await page.pass(1500);
    assert.equal(requests.length, 3);
    assert.equal(pictures.length, 1);
    assert.deepEqual(failures, []);
  });

  test('a picture that cannot be shown is asked for anew, without its ETag', async () => {
    refresher.paused = true;
    refresher = new StillRefresher({ everyMs: 100, onPicture: () => Promise.reject(new Error('not decodable')), onFailure: (why) => failures.push(why) });
    refresher.start();
    await answered(still('"7"'));
    assert.deepEqual(failures, ['']);
    await page.pass(2000);
    assert.deepEqual(requests.at(-1).headers, {});
  });

  test('a refusal\'s sentence goes to the page, and Retry-After is kept; two seconds without', async () => {
    await answered(new Response('no camera\n', { status: 503, headers: { 'Retry-After': '4' } }));
    assert.deepEqual(failures, ['no camera']);
    await page.pass(3999);
    assert.equal(requests.length, 1);
    await page.pass(1);
    assert.equal(requests.length, 2);
    await answered(new Response('busy', { status: 503 }));
    await page.pass(1999);
    assert.equal(requests.length, 2);
    await page.pass(1);
    assert.equal(requests.length, 3);
  });

  test('one in flight, however often something changes; cut off after twenty seconds', async () => {
    for (let i = 0; i < 3; ++i) {
      refresher.everyMs = 500;
      page.window.dispatchEvent(new Event('pageshow'));
    }
    await page.pass(19_999);
    assert.equal(requests.length, 1);
    await page.pass(1);
    assert.ok(requests[0].aborted);
    assert.deepEqual(failures, ['']);
    await page.pass(2000);
    assert.equal(requests.length, 2);
  });

  test('hidden: the request is given up, none follows, and it is no failure; seen again, it asks at once', async () => {
    hide(true);
    await page.pass(60_000);
    assert.ok(requests[0].aborted);
    assert.equal(requests.length, 1);
    assert.deepEqual(failures, []);
    hide(false);
    assert.equal(requests.length, 2);
  });

  test('paused: the same', async () => {
    await answered(still());
    refresher.paused = true;
    await page.pass(60_000);
    assert.equal(requests.length, 1);
    refresher.paused = false;
    assert.equal(requests.length, 2);
    assert.equal(refresher.paused, false);
  });

  test('offline: says so, asks nothing, and asks at once when that ends', async () => {
    page.navigator.onLine = false;
    page.window.dispatchEvent(new Event('offline'));
    await page.pass(60_000);
    assert.equal(requests.length, 1);
    assert.deepEqual(failures, ['offline']);
    page.navigator.onLine = true;
    page.window.dispatchEvent(new Event('online'));
    assert.equal(requests.length, 2);
  });

  test('another interval holds at once', async () => {
    await answered(still());
    refresher.everyMs = 60_000;
    assert.equal(requests.length, 2); // as the page's own change of it
    await answered(still());
    await page.pass(59_999);
    assert.equal(requests.length, 2);
    await page.pass(1);
    assert.equal(requests.length, 3);
  });
});
