// What must be refused, and bytes that no client of good will sends.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Child, jpegSize, programs, Site, Viewer } from './harness.mjs';

// Sends bytes in pieces, resolves with all that comes back until the peer closes or a while has passed.
function raw(target, pieces, { end = true, ms = 30_000 } = {}) {
  return new Promise((resolve) => {
    const socket = typeof target === 'string' ? net.connect(target) : net.connect(target.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => { answer += data.toString('latin1'); });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    socket.setTimeout(ms, () => socket.destroy());
    for (const piece of pieces) socket.write(piece);
    if (end) socket.end();
  });
}

const handshake = (headers = {}, target = '/stream') => {
  const all = {
    Host: 'localhost', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
};

describe('a hostile client', () => {
  let site;
  before(async () => { site = await Site.start(['--stream.linger', '0s']); });
  after(() => site?.stop());

  const stillWorks = async () => {
    jpegSize(await (await fetch(`${site.url}/pi.jpg`)).arrayBuffer());
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(2);
    await viewer.close();
    assert.ok(site.streamd.running && site.snapshot.running);
  };

  test('with another WebSocket version gets 426, with a broken handshake an error', async () => {
    for (const version of ['8', '12', '14', 'x', null]) {
      const answer = await raw(site.socket('stream'), [handshake({ 'Sec-WebSocket-Version': version })], { end: false });
      assert.match(answer, /^HTTP\/1\.1 426/, String(version));
    }
    for (const headers of [{ 'Sec-WebSocket-Key': null }, { Upgrade: 'h2c' }, { Connection: 'close' }, { Host: null }]) {
      const answer = await raw(site.socket('stream'), [handshake(headers)], { end: false });
      assert.match(answer, /^HTTP\/1\.1 4\d\d/, JSON.stringify(headers));
    }
    await stillWorks();
  });

  test('sends noise at every socket', async () => {
    for (const name of ['stream', 'http', 'snapshot']) {
      for (const bytes of [1, 2, 16, 1000, 100000]) await raw(site.socket(name), [randomBytes(bytes)], { ms: 500 });
      await raw(site.socket(name), ['GET / HTTP/1.1\r\n', 'X: '.padEnd(200000, 'y')], { ms: 500 });
      await raw(site.socket(name), [], { ms: 100 });
    }
    await raw(site, [randomBytes(1000)], { ms: 500 });
    await stillWorks();
  });

  test('sends noise after a good handshake', async () => {
    const frames = [randomBytes(64), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x82, 0x05, 1, 2, 3, 4, 5]),
      Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
      Buffer.from([0x89, 0xfe, 0x10, 0x00, 0, 0, 0, 0]), Buffer.from([0x00, 0x80, 0, 0, 0, 0])];
    for (const frame of frames) {
      const answer = await raw(site.socket('stream'), [handshake({ 'Sec-WebSocket-Protocol': 'picam.v1' }), frame], { end: false });
      assert.match(answer, /^HTTP\/1\.1 101/);
    }
    await stillWorks();
  });

  test('asks for what is not there, or in a way that is not allowed', async () => {
    for (const target of ['/nope', '/../nginx.conf', '/%2e%2e/nginx.conf', '/picam-websocket', '/html/', '/.git/config',
      '/picam/locations.conf']) {
      const answer = await raw(site, [`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
      assert.match(answer, /^HTTP\/1\.1 40[04]/, target);
    }
    for (const target of ['/', '/stream', '/pi.jpg', '/stream.mjpg', '/status', '/healthz', '/picam.css']) {
      const answer = await fetch(site.url + target, { method: 'POST', body: 'x' });
      assert.equal(answer.status, 405, target);
      assert.equal(answer.headers.get('allow'), 'GET, HEAD', target);
      assert.equal(await answer.text(), 'Only GET and HEAD are allowed here.\n', target);
    }
    const nothing = await fetch(`${site.url}/nope`);
    assert.equal(nothing.status, 404);
    assert.equal(await nothing.text(), 'There is nothing at this address.\n');
    const large = await fetch(`${site.url}/pi.jpg`, { method: 'POST', body: 'x'.repeat(10_000_000) }).then((r) => r.status, () => 0);
    assert.ok([0, 405, 413].includes(large));
    await stillWorks();
  });

  test('finds strict headers on the pages', async () => {
    for (const target of ['/', '/stream']) {
      const answer = await fetch(site.url + target);
      assert.equal(answer.status, 200);
      const policy = answer.headers.get('content-security-policy');
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.match(answer.headers.get('etag'), /./);
    }
  });

  test('twenty stalled peers at the worker\'s socket do not keep others out', async () => {
    const stalled = Array.from({ length: 20 }, () => net.connect(site.socket('snapshot')));
    for (const socket of stalled) {
      socket.on('error', () => {});
      socket.write(Buffer.from([1]));
    }
    assert.equal((await fetch(`${site.url}/pi.jpg`)).status, 200); // after their time limit at the latest
    for (const socket of stalled) socket.destroy();
  });
});

describe('a program that cannot start', () => {
  // It ends by itself, with one line that says why.
  async function refused(program, flags, expected) {
    const child = new Child(program, flags);
    const { code } = await child.ended;
    assert.equal(code, 1, child.log);
    const lines = child.log.trim().split('\n');
    assert.equal(lines.length, 1, child.log);
    assert.match(lines[0], expected);
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'picam-refused.'));
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, program] of Object.entries(programs)) {
    test(`${name}: settings`, async () => {
      await refused(program, ['--stream.colour', 'red'], /stream\.colour/);
      await refused(program, ['--stream.size', '641x480'], /stream\.size = "641x480".*even/);
      await refused(program, ['--config', `${folder}/none.conf`], /none\.conf: No such file/);
      writeFileSync(`${folder}/bad.conf`, '[stream]\nfps = "many"\n');
      await refused(program, ['--config', `${folder}/bad.conf`], /stream\.fps = "many".*bad\.conf/);
      await refused(program, ['--camera.source', 'replay'], /camera\.file/);
    });

    test(`${name}: a runtime directory that cannot be used`, async () => {
      await refused(program, ['--runtime-dir', '/proc/nope'], /runtime directory \/proc\/nope/);
      writeFileSync(`${folder}/file`, '');
      await refused(program, ['--runtime-dir', `${folder}/file`], /runtime directory/);
      if (process.getuid() !== 0) {
        mkdirSync(`${folder}/closed`, { recursive: true });
        chmodSync(`${folder}/closed`, 0o500);
        await refused(program, ['--runtime-dir', `${folder}/closed`], /runtime directory/);
      }
    });
  }

  test('a second one of the same instance', async () => {
    const site = await Site.start([], { nginx: false });
    try {
      await refused(programs.streamd, [...site.flags, '--runtime-dir', site.run], /stream\.sock is served by another process/);
      await refused(programs.snapshot, [...site.flags, '--runtime-dir', site.run], /snapshot\.sock is served by another process/);
      assert.ok((await site.status()).uptime_seconds > 0); // the first one is unharmed
    } finally {
      await site.stop();
    }
  });
});

test('a size that the camera lacks is one sentence', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'picam-size.'));
  writeFileSync(`${folder}/r.y4m`, Buffer.concat([Buffer.from('YUV4MPEG2 W64 H48 F25:1\nFRAME\n'), Buffer.alloc(64 * 72)]));
  const site = await Site.start(['--camera.source', 'replay', '--camera.file', `${folder}/r.y4m`, '--snapshot.size', '640x480']);
  try {
    const response = await fetch(`${site.url}/pi.jpg`);
    assert.equal(response.status, 503);
    assert.match(await response.text(), /64x48, not 640x480/);
  } finally {
    await site.stop();
    rmSync(folder, { recursive: true });
  }
});

test('a frame store full of garbage is rebuilt', async () => {
  const site = await Site.start();
  try {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(2);
    writeFileSync(path.join(site.run, 'pi.frames'), randomBytes(50000));
    await viewer.waitFrames(viewer.frames.length + 5);
    const response = await fetch(`${site.url}/pi.jpg`);
    assert.equal(response.status, 200);
    jpegSize(await response.arrayBuffer());
    await viewer.close();
  } finally {
    await site.stop();
  }
});
