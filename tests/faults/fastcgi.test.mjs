// Peers that misuse the worker's FastCGI socket: after each of them everybody else is served as before, by the same
// process, with no descriptor left open.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertWithin, jpegSize, Site, slowness, waitFor } from '../integration/harness.mjs';

const kBegin = 1;
const kAbort = 2;
const kEnd = 3;
const kParams = 4;
const kStdin = 5;
const kStdout = 6;
const kGetValues = 9;
const kServedWithinMs = 2000;
const kThreads = 4;
const kRequestMs = 5000; // the worker's time for a whole request, and for a whole answer
const kAnswerMs = 15000;
const kSlackMs = 4000;
const kMoreThanASocketHolds = 1e6; // bytes

// FastCGI, section 3.3: version, type, request, content length, padding length, reserved.
function record(type, content = Buffer.alloc(0), { request = 1, version = 1, length = content.length } = {}) {
  return Buffer.concat([Buffer.from([version, type, request >> 8, request & 255, length >> 8, length & 255, 0, 0]), content]);
}

const begin = (request = 1) => record(kBegin, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { request });

function nameLength(length) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((length | 0x80000000) >>> 0);
  return length < 128 ? Buffer.from([length]) : bytes;
}

function params(values) {
  const all = Buffer.concat(Object.entries(values).flatMap(([name, value]) =>
    [nameLength(name.length), nameLength(value.length), Buffer.from(name), Buffer.from(value)]));
  const records = [];
  for (let at = 0; at < all.length; at += 60000) records.push(record(kParams, all.subarray(at, at + 60000)));
  return Buffer.concat([...records, record(kParams)]);
}

const request = (values) => Buffer.concat([begin(), params({ REQUEST_METHOD: 'GET', ...values }), record(kStdin)]);

// The output and the end of an answer, from all that came.
function parse(bytes) {
  let output = Buffer.alloc(0);
  let ended = false;
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt16BE(at + 4);
    if (bytes[at + 1] === kStdout) output = Buffer.concat([output, bytes.subarray(at + 8, at + 8 + length)]);
    if (bytes[at + 1] === kEnd) ended = true;
    at += 8 + length + bytes[at + 6];
  }
  const split = output.indexOf('\r\n\r\n');
  return { ended, head: output.subarray(0, split).toString('latin1'), body: output.subarray(split + 4) };
}

const closed = (socket) => new Promise((resolve) => { socket.on('close', resolve).resume(); }); // whatever went wrong

// A worker without nginx, and what everybody else sees of it.
class Worker {
  async start(size, camera = []) {
    this.size = size;
    this.site = await Site.start([...camera, '--snapshot.size', size, '--snapshot.settle', '0s', '--snapshot.linger', '60s',
      '--snapshot.threads', String(kThreads)], { nginx: false });
    this.pid = this.site.snapshot.process.pid;
    this.bytes = (await this.exchange(request())).body.length; // the camera's own descriptors are open from here on
    this.descriptors = this.countDescriptors();
    await this.stillServed();
  }

  countDescriptors() {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  async open() {
    const socket = net.connect(this.site.socket('snapshot'));
    socket.on('error', () => {}); // the worker hangs up on some of these
    await once(socket, 'connect');
    return socket;
  }

  // Everything until the worker closes.
  async exchange(...pieces) {
    const socket = await this.open();
    const got = [];
    socket.on('data', (data) => got.push(data));
    for (const piece of pieces) socket.write(piece);
    await closed(socket);
    return parse(Buffer.concat(got));
  }

  // A whole still within the time, by the process that was started, and nothing left behind.
  async stillServed(withinMs = kServedWithinMs) {
    const begun = Date.now();
    const { ended, head, body } = await this.exchange(request());
    assert.match(head, /^Status: 200/);
    assert.ok(ended);
    assert.equal(jpegSize(body), this.size);
    assertWithin(begun, withinMs, 'a still');
    await waitFor('closed descriptors', () => this.countDescriptors() <= this.descriptors);
    assert.ok(this.site.snapshot.running && this.site.snapshot.process.pid === this.pid);
  }
}

describe('the FastCGI socket', () => {
  const worker = new Worker();
  const open = () => worker.open();
  const exchange = (...pieces) => worker.exchange(...pieces);
  const stillServed = () => worker.stillServed();
  before(() => worker.start('320x240'));
  after(() => worker.site?.stop());

  test('peers that say nothing, one byte, or half of their parameters, and stall', async () => {
    const says = [Buffer.alloc(0), Buffer.from([1]), Buffer.concat([begin(), record(kParams, Buffer.alloc(0), { length: 500 })])];
    const stalled = async (count) => Promise.all(Array.from({ length: count }, async (_, i) => {
      const socket = await open();
      socket.write(says[i % says.length]);
      return socket;
    }));
    // Fewer than the threads: nobody else notices.
    const few = await stalled(kThreads - 1);
    const begun = Date.now();
    assert.match((await exchange(request())).head, /^Status: 200/);
    assertWithin(begun, kServedWithinMs, 'a still');
    // More, of whom some drip: until their time is up, and no longer.
    const many = await stalled(kThreads);
    const drips = await stalled(kThreads);
    const drip = setInterval(() => drips.forEach((socket) => socket.writable && socket.write(Buffer.alloc(1))), 50);
    const last = Date.now();
    assert.match((await exchange(request())).head, /^Status: 200/);
    assertWithin(last, 3 * kRequestMs + kSlackMs, 'a still'); // three for each thread are in front
    await Promise.all([...few, ...many, ...drips].map((socket) => (socket.closed ? null : closed(socket))));
    clearInterval(drip);
    await stillServed();
  });

  test('a viewer who leaves, at every point of its request', async () => {
    const whole = request({ QUERY_STRING: 'a=b' });
    for (let length = 0; length <= whole.length; ++length) {
      const socket = await open();
      socket.end(whole.subarray(0, length));
      if (length % 2) socket.destroy();
      else socket.resume();
    }
    await stillServed();
  });

  test('200 at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => exchange(request())));
    for (const { head, body } of answers) {
      assert.match(head, /^Status: 200/);
      assert.equal(jpegSize(body), '320x240');
    }
    await stillServed();
  });

  test('a body of 10 MB, 64 KB of headers, 64 KB of query', async () => {
    const body = Buffer.concat(Array.from({ length: 160 }, () => record(kStdin, Buffer.alloc(65535, 120))));
    const posted = await exchange(begin(), params({ REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10485600' }), body, record(kStdin));
    assert.ok(posted.head === '' || /^Status: 405/.test(posted.head), posted.head); // it need not read what it refuses
    await stillServed();
    const headers = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`HTTP_X_${i}`, 'y'.repeat(1000)]));
    assert.match((await exchange(request(headers))).head, /^Status: 200/);
    assert.match((await exchange(request({ QUERY_STRING: 'q'.repeat(65536) }))).head, /^Status: 200/);
    await stillServed();
  });

  test('every method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'get', '', 'G'.repeat(5000)]) {
      const { head, body } = await exchange(request({ REQUEST_METHOD: method }));
      assert.match(head, /^Status: 405[^]*Allow: GET, HEAD/, method.slice(0, 10));
      assert.ok(body.length > 0);
    }
    const head = await exchange(request({ REQUEST_METHOD: 'HEAD' }));
    assert.match(head.head, /^Status: 200[^]*Content-Length: \d\d/);
    assert.equal(head.body.length, 0);
    await stillServed();
  });

  test('records that make no sense', async () => {
    const nonsense = [
      Buffer.alloc(5000, 0x5a), Buffer.alloc(70000), Buffer.alloc(70000, 255),
      record(kBegin, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { version: 9 }),
      record(kBegin, Buffer.from([0, 7, 0, 0, 0, 0, 0, 0])), record(77, randomBytes(100)),
      record(kGetValues, Buffer.from([14, 0, ...Buffer.from('FCGI_MAX_CONNS')]), { request: 0 }),
      Buffer.concat([begin(), record(kAbort)]), Buffer.concat([begin(1), begin(2), params({ REQUEST_METHOD: 'GET' })]),
      Buffer.concat([begin(), record(kParams, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))]),
      Buffer.concat([begin(), record(kParams, Buffer.from([200, 200, 65, 66])), record(kParams)]),
      // A name and a value of a gigabyte each; together they are nothing where sizes have 32 bits.
      Buffer.concat([begin(), record(kParams, Buffer.from([0xc0, 0, 0, 0, 0xc0, 0, 0, 0, 65, 66])), record(kParams)]),
      Buffer.concat([begin(), record(kParams, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), record(kParams)]),
      record(kStdin, randomBytes(100)), Buffer.concat([begin(), params({}), record(kStdin)]),
    ];
    for (const bytes of nonsense) {
      const socket = await open();
      socket.end(bytes);
      await closed(socket);
    }
    await stillServed();
  });
});

describe('an answer larger than a socket holds', () => {
  const folder = mkdtempSync('/dev/shm/picam-fastcgi.');
  const worker = new Worker();
  before(() => {
    const file = path.join(folder, 'noise.jpg');
    execFileSync('convert', ['-size', '1600x1200', 'xc:gray', '-seed', '7', '+noise', 'Random', '-quality', '95', file]);
    return worker.start('1600x1200', ['--camera.source', 'replay', '--camera.file', file]);
  });
  after(async () => {
    await worker.site?.stop();
    rmSync(folder, { recursive: true });
  });

  test('a viewer who leaves in the middle', async () => {
    assert.ok(worker.bytes > kMoreThanASocketHolds, `${worker.bytes} bytes`);
    for (let i = 0; i < 20; ++i) {
      const socket = await worker.open();
      socket.write(request());
      await once(socket, 'data');
      socket.destroy();
    }
    await worker.stillServed();
  });

  test('peers who take it in sips, one for each thread', async () => {
    const slow = await Promise.all(Array.from({ length: kThreads }, () => worker.open()));
    const begun = Date.now();
    for (const socket of slow) socket.pause().write(request());
    const sips = setInterval(() => slow.forEach((socket) => socket.read(1000)), 100);
    const { head } = await worker.exchange(request());
    const waited = Date.now() - begun;
    clearInterval(sips);
    slow.forEach((socket) => socket.destroy());
    assert.match(head, /^Status: 200/);
    assert.ok(waited >= kAnswerMs / 2, `${waited} ms: they held nothing up, so this tests nothing`);
    assert.ok(waited <= (kAnswerMs + kSlackMs) * slowness(begun), `${waited} ms`);
    await worker.stillServed();
  });
});
