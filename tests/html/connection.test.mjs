// connection.js: tickets, pauses between attempts, a stream that stands still, the server's clock, frames' headers.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page, settled } from './page.mjs';

const page = new Page();
const sockets = [];
class FakeSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static answers = false; // pings
  readyState = 0;
  sent = [];
  closed = false;

  constructor(url, protocols) {
    Object.assign(this, { url: String(url), protocols });
    sockets.push(this);
  }

  send(text) {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (message.type === 'ping' && FakeSocket.answers) this.says({ type: 'pong', t: message.t, server_time_us: 0 });
  }
  close() { this.closed = true; }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
  says(message) { this.onmessage({ data: typeof message === 'object' && !(message instanceof ArrayBuffer) ? JSON.stringify(message) : message }); }
}
globalThis.WebSocket = FakeSocket;
let ticket = () => ({ ok: true, json: async () => ({ ticket: 'abc' }) });
let asked = [];
globalThis.fetch = async (target) => {
  asked.push({ target, at: page.now });
  return ticket();
};
const { Connection } = await import('../../html/connection.js');

const last = () => sockets.at(-1);
function frame(sequence = 1n, capturedUs = 2_000_000n, jpeg = [0xff, 0xd8]) {
  const data = new ArrayBuffer(16 + jpeg.length);
  new DataView(data).setBigUint64(0, sequence);
  new DataView(data).setBigUint64(8, capturedUs);
  new Uint8Array(data, 16).set(jpeg);
  return data;
}

describe('Connection', () => {
  let connection;
  let seen;
  beforeEach(() => {
    page.open();
    sockets.length = 0;
    FakeSocket.answers = false;
    asked = [];
    ticket = () => ({ ok: true, json: async () => ({ ticket: 'abc' }) });
    seen = { frames: [], hellos: [], states: [], losses: [] };
    connection = new Connection({
      onFrame: (f) => seen.frames.push(f),
      onHello: (h) => seen.hellos.push(h),
      onState: (s) => seen.states.push(s),
      onLost: (failures, why) => seen.losses.push([failures, why]),
    });
  });
  async function opened() {
    connection.open();
    await settled();
    last().opens();
    last().says({ type: 'hello' });
    seen.hellos.length = 0;
    last().sent.length = last().sent.filter(({ type }) => type === 'ping').length;
  }

  test('a ticket goes as a subprotocol; a site without tickets, or none in reach, gets picam.v1 alone', async () => {
    await opened();
    assert.deepEqual(last().protocols, ['picam.v1', 'picam.ticket.abc']);
    assert.equal(last().url, 'wss://camera.example/stream');
    for (const none of [() => ({ ok: false }), () => { throw new TypeError('unreachable'); }]) {
      connection.close();
      ticket = none;
      connection.open();
      await settled();
      assert.deepEqual(last().protocols, ['picam.v1']);
    }
  });

  test('pauses grow from 250 ms to 10 s, half to whole of that; a frame begins again', async () => {
    const pausesAre = async (random, pauses) => {
      Math.random = () => random;
      for (const pause of pauses) {
        last().onclose();
        const before = asked.length;
        await page.pass(pause - 1);
        assert.equal(asked.length, before, `${pause} ms`);
        await page.pass(1);
        assert.equal(asked.length, before + 1, `${pause} ms`);
      }
    };
    const { random } = Math;
    try {
      connection.open();
      await settled();
      await pausesAre(1, [250, 500, 1000, 2000, 4000, 8000, 10000, 10000]);
      last().opens();
      last().says(frame());
      await pausesAre(0, [125, 250, 500, 1000, 2000, 4000, 5000, 5000]);
      assert.deepEqual(seen.losses.map(([failures]) => failures), [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    } finally {
      Math.random = random;
    }
  });

  test('a stream without frames for three seconds is frozen; one that is not streaming, or told to be slow, is not', async () => {
    FakeSocket.answers = true;
    await opened();
    last().says({ type: 'state', state: 'starting' });
    await page.pass(20_000);
    assert.deepEqual(seen.losses, []);
    last().says({ type: 'state', state: 'streaming' });
    for (let i = 0; i < 5; ++i) {
      await page.pass(2500);
      last().says(frame());
    }
    assert.deepEqual(seen.losses, []);
    connection.expectsFrames = false;
    await page.pass(60_000);
    last().says(frame()); // does not begin the count
    await page.pass(60_000);
    assert.deepEqual(seen.losses, []);
    connection.expectsFrames = true;
    await page.pass(2900);
    assert.deepEqual(seen.losses, []);
    const frozen = last();
    await page.pass(700);
    assert.deepEqual(seen.losses, [[1, 'frozen']]);
    assert.ok(frozen.closed);
  });

  test('a camera that exposes for seconds is not frozen', async () => {
    FakeSocket.answers = true;
    await opened();
    last().says({ type: 'state', state: 'streaming', fps: 0.1 });
    await page.pass(29_000);
    assert.deepEqual(seen.losses, []);
    last().says({ type: 'state', state: 'streaming', fps: 30 });
    await page.pass(3600);
    assert.deepEqual(seen.losses, [[1, 'frozen']]);
  });

  test('one that does not open in five seconds is silent', async () => {
    connection.open();
    await page.pass(5000);
    assert.deepEqual(seen.losses, []);
    await page.pass(600);
    assert.deepEqual(seen.losses, [[1, 'silent']]);
    assert.equal(connection.everOpened, false);
  });

  test('nor does one speak that opens and does not say hello, or answers no ping for half a minute', async () => {
    connection.open();
    await settled();
    last().opens();
    await page.pass(5600);
    assert.deepEqual(seen.losses, [[1, 'silent']]);
    await page.pass(1000);
    FakeSocket.answers = true;
    last().opens();
    last().says({ type: 'hello' });
    await page.pass(120_000);
    assert.equal(seen.losses.length, 1);
    FakeSocket.answers = false;
    await page.pass(31_000);
    assert.deepEqual(seen.losses.slice(1).map(([, why]) => why), ['silent']);
  });

  test('a password that is not right any more is said, and no socket opened', async () => {
    ticket = () => ({ ok: false, status: 401 });
    connection.open();
    await settled();
    assert.deepEqual([seen.losses, sockets.length], [[[1, 'password']], 0]);
  });

  test('sockets that do not open although the server answers are counted until one does', async () => {
    ticket = () => ({ ok: true, status: 200, json: async () => ({}) });
    connection.open();
    for (let i = 1; i <= 5; ++i) {
      await settled();
      assert.equal(connection.blocked, i);
      last().onclose();
      await page.pass(5000);
    }
    ticket = () => { throw new TypeError('unreachable'); };
    last().onclose();
    await page.pass(10_000);
    assert.equal(connection.blocked, 6);
    last().opens();
    assert.equal(connection.blocked, 0);
  });

  test('the server\'s clock is the quickest ping\'s of the last ten; eight pings quickly, then one every five seconds', async () => {
    await opened();
    assert.equal(connection.clockOffset, undefined);
    const pings = () => last().sent.filter(({ type }) => type === 'ping');
    await page.pass(7 * 150);
    assert.equal(pings().length, 8);
    await page.pass(4900);
    assert.equal(pings().length, 8);
    await page.pass(100);
    assert.equal(pings().length, 9);
    // A round trip of so long, by a server whose clock is so far ahead in the middle of it.
    const pong = (roundTrip, offset) => last().says({
      type: 'pong', t: page.now - roundTrip, server_time_us: (performance.timeOrigin + page.now - roundTrip / 2 + offset) * 1000,
    });
    const isAbout = (ms) => assert.ok(Math.abs(connection.clockOffset - ms) < 0.01, `${connection.clockOffset}`);
    pong(80, 500);
    isAbout(500);
    pong(20, 510);
    isAbout(510);
    pong(200, 700);
    isAbout(510);
    for (let i = 0; i < 10; ++i) pong(100 + i, 600 + i);
    isAbout(600); // the quick one is too long ago
  });

  test('a frame is its sequence, its time and its JPEG', async () => {
    await opened();
    last().says(frame(7n, 1_234_567n, [1, 2, 3]));
    assert.deepEqual(seen.frames, [{ sequence: 7, capturedMs: 1234.567, receivedMs: page.now, jpeg: new Uint8Array([1, 2, 3]), bytes: 3, socket: last() }]);
    last().says({ type: 'hello', fps: 30 });
    assert.deepEqual(seen.hellos, [{ type: 'hello', fps: 30 }]);
  });

  test('acknowledges a frame to the server that sent it, and to no later connection', async () => {
    await opened();
    last().says(frame(7n));
    connection.done(seen.frames[0]);
    assert.deepEqual(last().sent.at(-1), { type: 'ack', sequence: 7 });
    last().says(frame(8n));
    last().onclose();
    await page.pass(10000);
    last().opens();
    connection.done(seen.frames[1]);
    assert.deepEqual(last().sent.filter(({ type }) => type === 'ack'), []);
  });

  test('on a quick connection it agrees with the server on fewer acknowledgements', async () => {
    await opened();
    last().says({ type: 'hello', fps: 30, ack_batch: 4 });
    last().says({ type: 'state', state: 'streaming', fps: 30 });
    last().says({ type: 'pong', t: page.now, server_time_us: 0 });
    for (let sequence = 1; sequence <= 4; ++sequence) {
      last().says(frame(BigInt(sequence)));
      connection.done(seen.frames.at(-1));
    }
    assert.deepEqual(last().sent.filter(({ type }) => type === 'ack'),
      [{ type: 'ack', sequence: 1, batch: 3 }, { type: 'ack', sequence: 4, batch: 3 }]);
  });

  test('a pause ends the agreement, and a rate changes it', async () => {
    await opened();
    last().says({ type: 'hello', fps: 30, ack_batch: 4 });
    last().says({ type: 'state', state: 'streaming', fps: 30 });
    last().says({ type: 'pong', t: page.now, server_time_us: 0 });
    const show = (sequence) => {
      last().says(frame(BigInt(sequence)));
      connection.done(seen.frames.at(-1));
    };
    show(1);
    show(2);
    connection.send({ type: 'pause' });
    connection.send({ type: 'resume' });
    show(3);
    assert.deepEqual(last().sent.at(-1), { type: 'ack', sequence: 3, batch: 3 });
    connection.send({ type: 'rate', fps: 5 });
    for (let sequence = 4; sequence <= 6; ++sequence) show(sequence);
    assert.deepEqual(last().sent.at(-1), { type: 'ack', sequence: 6 });
  });

  test('sends only while it is open', async () => {
    connection.send({ type: 'ack' });
    connection.open();
    await settled();
    connection.send({ type: 'ack' });
    assert.deepEqual(last().sent, []);
    last().opens();
    connection.send({ type: 'ack', sequence: 3 });
    assert.deepEqual(last().sent.at(-1), { type: 'ack', sequence: 3 });
  });

  test('closed, nothing comes back: no attempt that was on its way, none later, no message of an old socket', async () => {
    await opened();
    const old = last();
    connection.close();
    assert.ok(old.closed);
    old.says(frame());
    old.onclose();
    let arrives;
    ticket = () => new Promise((resolve) => { arrives = () => resolve({ ok: false }); });
    connection.open();
    await settled();
    connection.close();
    arrives();
    await page.pass(60_000);
    assert.equal(sockets.length, 1);
    assert.deepEqual([seen.frames, seen.losses], [[], []]);
  });

  test('one that the page closes when it is lost is not tried again', async () => {
    connection = new Connection({ onLost: () => connection.close() });
    connection.open();
    await settled();
    last().onclose();
    await page.pass(60_000);
    assert.equal(sockets.length, 1);
  });

  describe('of picam.v2', () => {
    // As core/image/frame_header.h has it.
    function v2Frame({ codec = 2, rung = 0, key = false, sequence = 1n, payload = [0, 0, 1, 0x61] } = {}) {
      const data = new ArrayBuffer(40 + payload.length);
      const view = new DataView(data);
      [1, codec, rung, key ? 1 : 0].forEach((byte, i) => view.setUint8(i, byte));
      view.setUint32(4, payload.length);
      view.setBigUint64(8, sequence);
      view.setBigUint64(16, 1_234_567n);
      view.setUint16(24, 640);
      view.setUint16(26, 480);
      new Uint8Array(data, 40).set(payload);
      return data;
    }
    beforeEach(async () => {
      connection = new Connection({
        onFrame: (f) => seen.frames.push(f),
        onHello: (h) => seen.hellos.push(h),
        onState: (s) => seen.states.push(s),
        onLost: (failures, why) => seen.losses.push([failures, why]),
      }, Promise.resolve('frames'));
      connection.open();
      await settled();
      last().protocol = 'picam.v2';
      last().opens();
      last().says({ type: 'hello', fps: 30, codecs: ['h264', 'jpeg'] });
    });
    const shown = () => seen.frames.map(({ rung, sequence }) => `${rung} ${sequence}`);

    test('is offered by who can show it, and says what it takes', () => {
      assert.deepEqual(last().protocols, ['picam.v2', 'picam.v1', 'picam.ticket.abc']);
      assert.deepEqual(last().sent.find(({ type }) => type === 'take'), { type: 'take', codecs: ['h264', 'jpeg'] });
    });

    test('a frame is what its header says, and is acknowledged by codec, rung and sequence, once', () => {
      last().says(v2Frame({ key: true, rung: 1, sequence: 258n }));
      const [frame] = seen.frames;
      assert.equal(frame.capturedMs, 1234.567);
      assert.equal(frame.size, '640x480');
      assert.equal(frame.key, true);
      assert.deepEqual([...frame.video], [0, 0, 1, 0x61]);
      last().send = (data) => last().sent.push(data);
      connection.done(frame);
      connection.done(frame);
      assert.deepEqual(last().sent.filter((data) => data instanceof Uint8Array).map((data) => [...data]), [[2, 1, 0, 0, 0, 0, 0, 0, 1, 2]]);
      last().says(v2Frame({ codec: 1, sequence: 9n, payload: [0xff, 0xd8] }));
      assert.deepEqual([...seen.frames.at(-1).jpeg], [0xff, 0xd8]);
      assert.equal(seen.frames.at(-1).video, undefined);
    });

    test('a frame that continues nothing is not shown: a key frame is asked for, once', () => {
      last().send = (data) => last().sent.push(typeof data === 'string' ? JSON.parse(data) : data);
      last().says(v2Frame({ sequence: 5n })); // before any key frame
      assert.deepEqual(shown(), []);
      last().says(v2Frame({ key: true, sequence: 6n }));
      last().says(v2Frame({ sequence: 7n }));
      last().says(v2Frame({ sequence: 9n }));
      last().says(v2Frame({ sequence: 10n }));
      assert.deepEqual(shown(), ['0 6', '0 7']);
      assert.equal(last().sent.filter(({ type }) => type === 'key').length, 1);
      assert.equal(last().sent.filter((data) => data instanceof Uint8Array).length, 3, 'what is not shown is acknowledged all the same');
      last().says(v2Frame({ key: true, sequence: 11n }));
      last().says(v2Frame({ rung: 1, sequence: 12n })); // another chain
      last().says(v2Frame({ rung: 1, key: true, sequence: 3n }));
      last().says(v2Frame({ rung: 1, sequence: 4n }));
      assert.deepEqual(shown(), ['0 6', '0 7', '0 11', '1 3', '1 4']);
    });

    test('of MP4 nothing is shown before an init segment, also after a key is asked for', async () => {
      connection.close();
      connection = new Connection({ onFrame: (f) => seen.frames.push(f), onHello: () => {}, onState: () => {}, onLost: () => {} }, Promise.resolve('mp4'));
      connection.open();
      await settled();
      last().protocol = 'picam.v2';
      last().opens();
      last().says({ type: 'hello', fps: 30, codecs: ['h264', 'jpeg'] });
      assert.deepEqual(last().sent.find(({ type }) => type === 'take'), { type: 'take', codecs: ['h264', 'jpeg'], container: 'mp4' });
      last().send = (data) => last().sent.push(typeof data === 'string' ? JSON.parse(data) : data);
      const init = [0, 0, 0, 24, ...Buffer.from('ftyp')];
      last().says(v2Frame({ key: true, sequence: 1n }));
      last().says(v2Frame({ key: true, sequence: 2n, payload: init }));
      last().says(v2Frame({ key: true, sequence: 3n })); // goes on
      connection.send({ type: 'key' });
      last().says(v2Frame({ key: true, sequence: 4n })); // was on its way
      last().says(v2Frame({ sequence: 5n }));
      last().says(v2Frame({ key: true, sequence: 6n, payload: init }));
      assert.deepEqual(shown(), ['0 2', '0 3', '0 6']);
      assert.deepEqual(seen.frames.map(({ begins }) => begins), [true, false, true]);
      assert.equal(last().sent.filter((data) => data instanceof Uint8Array).length, 3, 'what is not shown is acknowledged');
    });

    test('a server that knows picam.v1 alone is answered as that', () => {
      last().protocol = 'picam.v1';
      last().says(frame(7n));
      connection.done(seen.frames[0]);
      assert.deepEqual(last().sent.at(-1), { type: 'ack', sequence: 7 });
    });
  });
});
