// camera.source = feed, through real nginx: the example of the manual feeds a picture that this test replaces.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertWithin, Child, jpegSize, lockIsFree, Site, top, Viewer, waitFor } from './harness.mjs';

const kPython = '/usr/bin/python3';
const kExample = path.join(top, 'deploy/examples/feed.py');
const kPictures = ['red', 'blue'].map((color) => spawnSync('convert', ['-size', '320x240', `xc:${color}`, 'jpeg:-']).stdout);

// How many connections there are to a unix socket that listens.
function connections(socket) {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').filter((line) => line.endsWith(` ${socket}`));
  return lines.filter((line) => line.split(/\s+/)[5] === '03').length; // SS_CONNECTED
}

describe('a feed', () => {
  const folder = mkdtempSync('/dev/shm/picam-feed.');
  const picture = path.join(folder, 'picture.jpg');
  const socket = path.join(folder, 'feed.sock');
  let site;
  let feeder;
  let timer;
  let shown = 0;
  const replace = () => {
    writeFileSync(`${picture}.new`, kPictures[shown++ % kPictures.length]);
    renameSync(`${picture}.new`, picture);
  };
  const replacePictures = () => { timer = setInterval(replace, 40); };
  const startFeeder = async () => {
    feeder = new Child(kPython, [kExample, picture, socket]);
    await waitFor('the socket', () => existsSync(socket));
  };
  // A still once it is there; the reasons why it was not, before.
  const still = async (reasons = []) => waitFor('a still', async () => {
    const response = await fetch(`${site.url}/pi.jpg`);
    if (response.status === 200) return response;
    assert.equal(response.status, 503);
    reasons.push(await response.text());
    return null;
  });
  const refusal = async (pattern) => waitFor(`${pattern}`, async () => {
    const response = await fetch(`${site.url}/pi.jpg`);
    const text = await response.text();
    return response.status === 503 && pattern.test(text);
  });

  before(async () => {
    replacePictures();
    await startFeeder();
    site = await Site.start(['--camera.source', 'feed', '--camera.feed', socket, '--stream.linger', '0s', '--snapshot.linger', '0s',
      '--camera.stall', '2s']);
  });
  after(async () => {
    clearInterval(timer);
    await site?.stop();
    await feeder?.end();
    rmSync(folder, { recursive: true });
  });

  test('is connected to for a still, and left after it', async () => {
    assert.equal(connections(socket), 0, 'nobody looks');
    const response = await still();
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(jpegSize(bytes), '320x240');
    assert.equal(response.headers.get('x-picam-source'), 'capture');
    assert.ok(Number(response.headers.get('x-picam-age-ms')) < 60_000);
    assert.ok(Math.abs(Date.parse(response.headers.get('x-picam-captured')) - Date.now()) < 60_000);
    // As it was fed, but for the EXIF that a still has: what follows that is the same.
    assert.ok(kPictures.some((jpeg) => bytes.includes(jpeg.subarray(jpeg.indexOf(Buffer.from([0xff, 0xdb]))))), 'encoded anew');
    await waitFor('the connection to end', () => connections(socket) === 0);
    await waitFor('a free camera lock', () => lockIsFree(site));
  });

  test('is the live stream, as it is fed', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    const frames = await viewer.waitFrames(10);
    for (const frame of frames) assert.ok(kPictures.some((jpeg) => jpeg.equals(frame.jpeg)), 'encoded anew');
    assert.ok(new Set(frames.map(({ jpeg }) => jpeg.length)).size > 0);
    const { camera } = await site.status();
    assert.equal(camera.state, 'streaming');
    assert.equal(camera.source, `feed ${socket}`);
    const response = await still();
    assert.equal(response.headers.get('x-picam-source'), 'stream');
    await viewer.close();
    await waitFor('the connection to end', () => connections(socket) === 0);
  });

  test('is H.264, too', async () => {
    const abort = new AbortController();
    const response = await fetch(`${site.url}/stream.h264`, { signal: abort.signal });
    assert.equal(response.status, 200);
    const { value } = await response.body.getReader().read();
    assert.deepEqual([...value.subarray(0, 4)], [0, 0, 0, 1]);
    abort.abort();
    await waitFor('the connection to end', () => connections(socket) === 0);
  });

  test('without a picture is waited for while somebody looks', async () => {
    clearInterval(timer);
    unlinkSync(picture);
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await waitFor('the reason', () => viewer.messages.some((m) => m.state === 'unavailable'));
    await waitFor('the connection', () => connections(socket) === 1);
    await viewer.close();
    await waitFor('the connection to end', () => connections(socket) === 0);
    replacePictures();
  });

  test('says why there is no picture, and is back with it', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(3);
    const unavailable = (pattern) => waitFor(`${pattern}`, () => viewer.messages.some((m) => m.state === 'unavailable' && pattern.test(m.reason)));
    // The program says why.
    clearInterval(timer);
    unlinkSync(picture);
    await unavailable(/picture\.jpg: No such file or directory/);
    await refusal(/picture\.jpg: No such file or directory/);
    let seen = viewer.frames.length;
    replacePictures();
    await viewer.waitFrames(seen + 3);
    // It is gone.
    await feeder.end();
    await unavailable(/the feed .*feed\.sock was closed|no program listens on the feed's socket/);
    await refusal(/no program listens on the feed's socket .*feed\.sock/);
    seen = viewer.frames.length;
    await startFeeder();
    await viewer.waitFrames(seen + 3);
    // Its picture stands still: never an old one as new.
    clearInterval(timer);
    await unavailable(/sends an old picture, taken \d+ s ago/);
    seen = viewer.frames.length;
    replacePictures();
    await viewer.waitFrames(seen + 3);
    await viewer.close();
    await waitFor('the connection to end', () => connections(socket) === 0);
    await still();
  });

  test('a program that hangs is no reason to hang', async () => {
    await waitFor('the connection to end', () => connections(socket) === 0);
    feeder.process.kill('SIGSTOP');
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await waitFor('silence', () => viewer.messages.some((m) => m.state === 'unavailable' && /is silent: no picture for 5000 ms/.test(m.reason)));
    await viewer.close();
    const begun = Date.now();
    const other = new Viewer(site, { protocols: ['picam.v1'] });
    await waitFor('the camera lock', async () => !(await lockIsFree(site)));
    await other.close();
    await waitFor('a free camera lock', () => lockIsFree(site));
    assertWithin(begun, 4500, 'an opening that nobody waits for');
    feeder.process.kill('SIGCONT');
    await still();
  });

  test('of a program that sends something else', async () => {
    const garbage = path.join(folder, 'garbage.sock');
    const server = net.createServer((connection) => {
      connection.on('error', () => {});
      connection.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1000)}`);
    }).listen(garbage);
    const other = await Site.start(['--camera.source', 'feed', '--camera.feed', garbage]);
    try {
      const response = await fetch(`${other.url}/pi.jpg`);
      assert.equal(response.status, 503);
      assert.match(await response.text(), /the feed .*garbage\.sock sends something else than pictures: frame header: format version 72, not 1/);
    } finally {
      await other.stop();
      server.close();
    }
  });
});

// A program of the test's own, that keeps what picam says.
test('the program hears what is wanted, and its clock may be hours off', async () => {
  const folder = mkdtempSync('/dev/shm/picam-feed.');
  const socket = path.join(folder, 'feed.sock');
  const said = [];
  let sequence = 0n;
  const server = net.createServer((connection) => {
    let fps = 30;
    let timer;
    const now = () => BigInt(Date.now() - 5 * 3_600_000) * 1000n;
    const state = Buffer.from('{"state":"streaming"}');
    const tells = Buffer.alloc(40);
    tells[0] = 1;
    tells.writeUInt32BE(state.length, 4);
    tells.writeBigUInt64BE(now(), 16);
    connection.write(Buffer.concat([tells, state]));
    const picture = () => {
      const header = Buffer.alloc(40);
      header.set([1, 1, 0, 3]);
      header.writeUInt32BE(kPictures[0].length, 4);
      header.writeBigUInt64BE(++sequence, 8);
      header.writeBigUInt64BE(now(), 16);
      header.writeUInt16BE(320, 24);
      header.writeUInt16BE(240, 26);
      header.writeUInt32BE(20_000, 28);
      header.writeUInt32BE(400, 32);
      connection.write(Buffer.concat([header, kPictures[0]]));
      timer = setTimeout(picture, 1000 / fps);
    };
    connection.on('data', (data) => {
      said.push(...String(data).trim().split('\n').map((line) => JSON.parse(line)));
      fps = said.at(-1).fps;
      clearTimeout(timer);
      picture();
    });
    connection.on('error', () => {});
    connection.on('close', () => clearTimeout(timer));
  }).listen(socket);
  const site = await Site.start(['--camera.source', 'feed', '--camera.feed', socket, '--stream.linger', '0s', '--snapshot.linger', '0s',
    '--stream.fps', '20', '--camera.rotation', '90']);
  try {
    const response = await fetch(`${site.url}/pi.jpg`);
    assert.equal(response.status, 200);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.ok(Math.abs(Date.parse(response.headers.get('x-picam-captured')) - Date.now()) < 60_000, response.headers.get('x-picam-captured'));
    assert.equal(jpegSize(bytes), '240x320');
    assert.deepEqual(said[0], { feed: 1, still: true, width: 720, height: 1280, fps: 20 }, 'to be turned');
    const exif = spawnSync('identify', ['-format', '%[EXIF:ExposureTime] %[EXIF:PhotographicSensitivity]', 'jpeg:-'], { input: bytes, encoding: 'utf8' });
    assert.match(exif.stdout, /^(1\/50|20000\/1000000) 400$/);
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(5);
    assert.ok(Math.abs(viewer.frames.at(-1).capturedMs - Date.now()) < 60_000);
    assert.deepEqual(said.find(({ still }) => !still), { feed: 1, still: false, width: 480, height: 640, fps: 20 });
    viewer.send({ type: 'rate', fps: 5 });
    await waitFor('what the viewer takes', () => said.at(-1).fps === 5);
    assert.equal((await fetch(`${site.url}/pi.jpg`)).status, 200);
    const other = new Viewer(site, { protocols: ['picam.v1'] });
    await waitFor('what both take', () => said.at(-1).fps === 20);
    await other.close();
    await waitFor('what the first takes', () => said.at(-1).fps === 5);
    await viewer.close();
  } finally {
    await site.stop();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('the program in the manual is the one that is tested here', () => {
  const shown = readFileSync(kExample, 'utf8').replaceAll(/^(?=.)/gm, '    ');
  assert.ok(readFileSync(path.join(top, 'README.md'), 'utf8').includes(shown));
});
