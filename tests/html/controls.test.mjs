// controls.js: what is sent, when, and what becomes of it; against a server that the test plays.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page, settled } from './page.mjs';

const page = new Page();
const { Controls } = await import('../../html/controls.js');

// As picam-streamd answers, or otherwise where the test says so.
class Server {
  wishes = {};
  presets = {};
  generation = 1;
  asked = []; // {at, method, path, body, tag}
  next = []; // answers in place of the right ones, to changes: {status, body, retryAfter} or 'stale'
  mayChange = true;
  status = 200; // of what is read
  slow = 0; // ms till a change is answered
  round = (value) => value;

  get tag() { return `"${this.generation}-abc"`; }
  get changes() { return this.asked.filter(({ method }) => method !== 'GET'); }

  document() {
    const control = (name, rest) => [name, { group: 'Image', level: 'basic', ...rest, wanted: this.wishes[name] ?? rest.default, set: name in this.wishes }];
    return {
      may_change: this.mayChange,
      generation: this.generation,
      presets: this.presets,
      controls: Object.fromEntries([
        control('Brightness', { type: 'number', min: -1, max: 1, step: 0.01, default: 0 }),
        control('Contrast', { type: 'number', min: 0, max: 32, default: 1 }),
        control('ExposureTimeMode', { type: 'enum', values: ['Auto', 'Manual'], default: 'Auto' }),
        control('ExposureTime', { type: 'integer', min: 100, max: 200000, default: 20000, actual: 33333 }),
        control('AnalogueGain', { type: 'number', min: 1, max: 16, default: 1, actual: 2 }),
        control('AwbEnable', { type: 'bool', default: true }),
        control('ColourTemperature', { type: 'integer', min: 2000, max: 8000 }),
        control('v4l2.auto_exposure', { type: 'enum', values: ['Aperture Priority Mode', 'Manual Mode'], default: 'Aperture Priority Mode' }),
        control('v4l2.exposure_time_absolute', { type: 'integer', min: 1, max: 5000, default: 250, actual: 312 }),
        control('v4l2.focus_automatic_continuous', { type: 'bool', default: true }),
        control('v4l2.focus_absolute', { type: 'integer', min: 0, max: 250 }),
        control('ColourGains', { type: 'numbers', size: 2, min: 0, max: 32, actual: [1.8, 40] }),
      ]),
    };
  }

  change(wishes) { // somebody else's
    Object.assign(this.wishes, wishes);
    this.generation += 1;
  }

  async fetch(path, { method, headers, body }) {
    const answer = (status, content, extra = {}) => ({
      status, json: async () => content, headers: { get: (name) => ({ ETag: this.tag, ...extra })[name] ?? null },
    });
    const asked = { at: page.now, method, path, body: body && JSON.parse(body), tag: headers['If-Match'] };
    this.asked.push(asked);
    if (method === 'GET') return answer(this.status, this.status === 200 ? this.document() : { error: 'no' });
    if (this.slow) await new Promise((resolve) => { setTimeout(resolve, this.slow); });
    const other = this.next.shift();
    if (other === 'lost') throw new TypeError('no network');
    if (other) return answer(other.status, other.body ?? { error: 'no' }, { 'Retry-After': other.retryAfter });
    if (path === 'controls' && asked.tag !== this.tag) return answer(412, { error: 'stale' });
    if (path === 'controls/reset') this.wishes = {};
    for (const [name, value] of Object.entries(asked.body)) {
      if (name === 'preset') this.wishes = { ...this.presets[value] };
      else if (name === 'presets') Object.assign(this.presets, value);
      else if (value === null) delete this.wishes[name];
      else if (path === 'controls') this.wishes[name] = this.round(value);
      if (path === 'controls' && value !== null) delete this.wishes[{ ColourGains: 'ColourTemperature', ColourTemperature: 'ColourGains' }[name]];
    }
    this.generation += 1;
    return answer(200, this.document());
  }
}

describe('Controls', () => {
  let server;
  let controls;
  beforeEach(async () => {
    page.open();
    server = new Server();
    Object.defineProperty(globalThis, 'fetch', { value: (...request) => server.fetch(...request), configurable: true, writable: true });
    controls = new Controls();
    await controls.load();
  });
  const bodies = () => server.changes.map(({ body }) => body);

  test('a change goes out at once, with the newest tag; it is shown before the answer', async () => {
    server.slow = 100;
    controls.change({ Brightness: 0.2 });
    assert.deepEqual([controls.get('Brightness').wanted, controls.get('Brightness').set], [0.2, true]);
    await page.pass(100);
    assert.deepEqual(server.changes.map(({ method, path, body, tag }) => [method, path, body, tag]), [['PATCH', 'controls', { Brightness: 0.2 }, '"1-abc"']]);
    assert.equal(controls.document.controls.Brightness.wanted, 0.2);
    controls.change({ Brightness: null });
    assert.deepEqual([controls.get('Brightness').wanted, controls.get('Brightness').set], [0, false]);
    await page.pass(500);
    assert.deepEqual(bodies(), [{ Brightness: 0.2 }, { Brightness: null }]);
    assert.deepEqual(server.wishes, {});
  });

  test('a slider that moves all the time: four changes a second, the newest value of each control, the last at the end', async () => {
    for (let i = 1; i <= 100; ++i) {
      controls.change({ Brightness: i / 100 });
      if (i === 50) controls.change({ Contrast: 2 });
      await page.pass(10);
    }
    await page.pass(1000);
    const times = server.changes.map(({ at }) => at);
    assert.ok(times.length >= 4 && times.length <= 6, `${times}`);
    for (let i = 1; i < times.length; ++i) assert.ok(times[i] - times[i - 1] >= 250, `${times}`);
    assert.deepEqual(server.wishes, { Brightness: 1, Contrast: 2 });
    assert.equal(bodies().filter((body) => 'Contrast' in body).length, 1);
  });

  test('one request at a time: what comes meanwhile waits for the answer', async () => {
    server.slow = 700;
    controls.change({ Brightness: 0.1 });
    await page.pass(300);
    controls.change({ Brightness: 0.2 });
    controls.change({ Brightness: 0.3, Contrast: 3 });
    await page.pass(300);
    assert.equal(server.changes.length, 1);
    assert.equal(controls.get('Brightness').wanted, 0.3);
    await page.pass(1000);
    assert.deepEqual(bodies(), [{ Brightness: 0.1 }, { Brightness: 0.3, Contrast: 3 }]);
  });

  test('somebody else was first: read anew, and sent again at once with the new tag', async () => {
    server.change({ Contrast: 4 });
    controls.change({ Brightness: 0.2 });
    await page.pass(10);
    assert.deepEqual(server.asked.slice(1).map(({ method, tag }) => [method, tag]), [['PATCH', '"1-abc"'], ['GET', undefined], ['PATCH', '"2-abc"']]);
    assert.deepEqual(server.wishes, { Brightness: 0.2, Contrast: 4 });
    assert.equal(controls.get('Contrast').wanted, 4);
  });

  test('always too late: given up after five times, and the control shows what is', async () => {
    server.next = Array(5).fill({ status: 412 });
    controls.change({ Brightness: 0.2 });
    await page.pass(3000);
    assert.equal(server.changes.length, 5);
    assert.equal(controls.get('Brightness').wanted, 0);
    assert.equal(controls.failure, 'no');
  });

  test('too many changes: later, with the newest value', async () => {
    server.next = [{ status: 429, retryAfter: '1' }];
    controls.change({ Brightness: 0.1, Contrast: 2 });
    await page.pass(50);
    controls.change({ Brightness: 0.3 });
    await page.pass(900);
    assert.equal(server.changes.length, 1);
    await page.pass(200);
    assert.deepEqual(bodies()[1], { Brightness: 0.3, Contrast: 2 });
    assert.equal(controls.state, 'ready');
  });

  test('a refused value: said at its control, which shows what is wanted; the others are sent without it', async () => {
    const refused = { error: 'Brightness is -1 to 1', name: 'Brightness', value: 7, allowed: '-1 to 1' };
    server.next = [{ status: 422, body: refused }];
    controls.change({ Brightness: 7, Contrast: 2 });
    await page.pass(1000);
    assert.deepEqual(bodies(), [{ Brightness: 7, Contrast: 2 }, { Contrast: 2 }]);
    assert.deepEqual([controls.get('Brightness').error, controls.get('Brightness').wanted], [refused, 0]);
    controls.change({ Brightness: 0.5 });
    assert.equal(controls.get('Brightness').error, undefined);
  });

  test('no answer, or none of use: again each second, then given up; it says so meanwhile', async () => {
    server.next = ['lost', { status: 503 }];
    controls.change({ Brightness: 0.2 });
    await page.pass(1500);
    assert.equal(controls.state, 'away');
    await page.pass(1000);
    assert.deepEqual([controls.state, server.wishes], ['ready', { Brightness: 0.2 }]);
    server.next = Array(5).fill('lost');
    controls.change({ Brightness: 0.7 });
    await page.pass(9000);
    assert.deepEqual([controls.state, controls.get('Brightness').wanted], ['away', 0.2]);
    await controls.load();
    assert.equal(controls.state, 'ready');
  });

  test('may not any more: what waits is dropped', async () => {
    server.next = [{ status: 403 }];
    controls.change({ Brightness: 0.2 });
    controls.apply('night');
    await page.pass(3000);
    assert.deepEqual([controls.state, controls.allowed, server.changes.length], ['forbidden', false, 1]);
  });

  test('who is allowed: by the document, where there is one and it has controls', async () => {
    assert.ok(controls.allowed);
    server.mayChange = false;
    await controls.load();
    assert.ok(!controls.allowed);
    for (const [status, state] of [[401, 'forbidden'], [404, 'none'], [503, 'away']]) {
      server.status = status;
      const fresh = new Controls();
      await fresh.load();
      assert.deepEqual([fresh.state, fresh.allowed], [state, false]);
    }
  });

  test('asked each second while somebody looks; an answer from before a change is old', async () => {
    controls.start();
    await page.pass(3100);
    assert.equal(server.asked.length, 1 + 4);
    controls.stop();
    await page.pass(3000);
    assert.equal(server.asked.length, 5);
    const { fetch } = globalThis;
    let answer;
    globalThis.fetch = async (...request) => {
      const old = await server.fetch(...request);
      await new Promise((resolve) => { answer = resolve; });
      return old;
    };
    const reading = controls.load();
    await settled();
    globalThis.fetch = fetch;
    controls.change({ Brightness: 0.4 });
    await page.pass(10);
    answer();
    await reading;
    assert.equal(controls.get('Brightness').wanted, 0.4);
  });

  test('undo: values back, and no wish where there was none; what follows within a second is one step', async () => {
    server.change({ Contrast: 3 });
    await controls.load();
    for (const value of [0.1, 0.2, 0.3]) {
      controls.change({ Brightness: value });
      await page.pass(400);
    }
    controls.change({ Contrast: 5 });
    await page.pass(2000);
    assert.deepEqual(controls.undo(), ['Contrast']);
    await page.pass(500);
    assert.deepEqual(server.wishes, { Brightness: 0.3, Contrast: 3 });
    assert.deepEqual(controls.undo(), ['Brightness']);
    await page.pass(500);
    assert.deepEqual(server.wishes, { Contrast: 3 });
    assert.ok(!controls.canUndo);
    assert.deepEqual(controls.undo(), []);
  });

  test('undo leaves alone what somebody else has changed since, and knows what the server made of a value', async () => {
    server.round = (value) => Math.round(value * 10) / 10;
    controls.change({ Brightness: 0.123 });
    await page.pass(2000);
    controls.change({ Contrast: 2 });
    await page.pass(2000);
    server.change({ Contrast: 9 });
    await controls.load();
    assert.deepEqual(controls.undo(), ['Brightness']);
    await page.pass(500);
    assert.deepEqual(server.wishes, { Contrast: 9 });
  });

  test('undo brings back what a value displaced', async () => {
    server.change({ ColourTemperature: 5000 });
    await controls.load();
    for (const red of [1, 1.5, 2]) { // dragged
      controls.change({ ColourGains: [red, 1] });
      await page.pass(400);
    }
    controls.change({ Brightness: 0.5 });
    await page.pass(2000);
    assert.deepEqual(server.wishes, { ColourGains: [2, 1], Brightness: 0.5 });
    assert.deepEqual(controls.undo(), ['Brightness']);
    await page.pass(500);
    controls.undo();
    await page.pass(500);
    assert.deepEqual(server.wishes, { ColourTemperature: 5000 });
    assert.ok(!controls.canUndo);
  });

  test('presets, and reset of all: each can be taken back', async () => {
    controls.change({ Brightness: 0.5 });
    controls.save('night');
    await page.pass(1000);
    assert.deepEqual(server.presets, { night: { Brightness: 0.5 } });
    controls.reset();
    await page.pass(1000);
    assert.deepEqual(server.wishes, {});
    controls.apply('night');
    await page.pass(1000);
    assert.deepEqual(server.wishes, { Brightness: 0.5 });
    controls.undo();
    await page.pass(1000);
    assert.deepEqual(server.wishes, {});
    controls.undo();
    await page.pass(1000);
    assert.deepEqual(server.wishes, { Brightness: 0.5 });
    controls.erase('night');
    await page.pass(1000);
    assert.deepEqual(bodies().at(-1), { presets: { night: null } });
  });

  test('focus: with the place, and only the newest of those that wait', async () => {
    for (const x of [0.1, 0.2, 0.3]) controls.focus({ x, y: 0.5 });
    await page.pass(1000);
    assert.deepEqual(server.changes.map(({ path, body }) => [path, body]), [['controls/focus', { x: 0.1, y: 0.5 }], ['controls/focus', { x: 0.3, y: 0.5 }]]);
  });

  test('what auto found, within what can be wished; nothing of what is not automatic', async () => {
    assert.deepEqual(controls.found(), {
      ExposureTimeMode: 'Manual', ExposureTime: 33333, AwbEnable: false, ColourGains: [1.8, 32], 'v4l2.auto_exposure': 'Manual Mode', 'v4l2.exposure_time_absolute': 312,
    });
    server.change({ ExposureTimeMode: 'Manual', AwbEnable: false, 'v4l2.auto_exposure': 'Manual Mode' });
    await controls.load();
    assert.deepEqual(controls.found(), {});
  });
});
