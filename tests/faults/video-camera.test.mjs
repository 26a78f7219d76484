// H.264 through what happens to a camera: it is lost and comes back, gives another size, or the daemon starts again and
// turns its pictures. Each chain begins with a key frame, no frame refers to one from before, and ffmpeg decodes all of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { Site, waitFor } from '../integration/harness.mjs';
import { RawViewer } from './raw-viewer.mjs';
import { Chain } from './video-chain.mjs';

const kTakesAll = { take: ['h264', 'jpeg'] };

describe('a camera', () => {
  let folder;
  let camera;
  let clips;
  let site;
  before(async () => {
    folder = mkdtempSync('/dev/shm/picam-camera.');
    camera = path.join(folder, 'camera.y4m');
    clips = Object.fromEntries(['640x480', '320x240'].map((size) => [size, makeClip(folder, 'pan', { size, seconds: 1 })]));
    renameSync(clips['640x480'], camera);
    site = await Site.start(['--camera.source', 'replay', '--camera.file', camera, '--camera.stall', '30s', '--stream.linger', '500ms', '--stream.ack_timeout', '60s']);
  });
  after(async () => {
    await site?.stop();
    rmSync(folder, { recursive: true });
  });

  let now = '640x480';
  async function lose() {
    renameSync(camera, clips[now]);
    await waitFor('the loss', async () => (await site.status()).camera.state === 'unavailable');
  }
  function giveBack(size = now) {
    now = size;
    renameSync(clips[size], camera);
  }
  const watch = (where = { port: site.port, host: '127.0.0.1' }) => {
    const chain = new Chain();
    return { chain, viewer: new RawViewer(where, (frame) => { chain.add(frame); }, kTakesAll) };
  };
  // As many frames more as a second has, of which the last are of that size: whose link stood still with this machine is on
  // the rung below for a while, or is sent JPEGs.
  async function seeFrames({ viewer, chain }, size = now) {
    const first = chain.frames.length;
    const what = () => chain.frames.slice(-15).map((frame) => `${frame.codec} ${frame.rung} ${frame.size}`);
    await waitFor(`frames of ${size}`, () => chain.frames.length >= first + 30 && what().every((text) => text === `h264 0 ${size}`), 60_000)
      .catch((error) => assert.fail(`${error.message}, not ${what()}`));
    assert.ok(!viewer.ended);
  }
  // A stream over HTTP: its bytes, and whether it has ended.
  function request(name) {
    const stream = { parts: [], bytes: 0, ended: false };
    stream.request = http.get(`${site.url}/${name}`, (response) => {
      stream.status = response.statusCode;
      response.on('data', (data) => { stream.parts.push(data); stream.bytes += data.length; }).on('error', () => {}).on('close', () => { stream.ended = true; });
    }).on('error', () => { stream.ended = true; });
    return stream;
  }
  // The sizes that ffprobe sees, in their order.
  function sizesOf(stream) {
    const { stdout, stderr } = spawnSync('ffprobe', ['-v', 'repeat+warning', '-show_entries', 'frame=width,height', '-of', 'csv=p=0', '-'], { input: Buffer.concat(stream.parts), encoding: 'utf8', maxBuffer: 1 << 26 });
    const sizes = stdout.trim().split('\n').map((line) => line.replace(/,$/, '').replace(',', 'x'));
    return { stderr, sizes: sizes.filter((size, i) => size !== sizes[i - 1]) };
  }

  test('that is lost and comes back, again and again: the same viewers go on with a key frame', async () => {
    const all = [watch(), watch({ path: site.socket('stream') })];
    for (const one of all) await seeFrames(one);
    for (let times = 1; times <= 3; ++times) {
      const had = all.map(({ chain }) => chain.frames.length);
      await lose();
      const waiting = watch(); // comes while there is no camera
      giveBack();
      for (const one of [...all, waiting]) await seeFrames(one);
      const chains = all.map(({ chain }, i) => chain.since(had[i]));
      // Who lost the chain once more than by the camera has another key frame, which all others see.
      const others = chains.reduce((sum, { beginnings }) => sum + Math.max(0, beginnings - 1), 0);
      assert.ok(others <= chains.length, `${others} began anew`);
      for (const { keys } of chains) assert.ok(keys >= 1 && keys <= 2 + others, `${keys} key frames, ${others} of others`);
      all.push(waiting);
    }
    for (const { viewer, chain } of all) {
      assert.equal(chain.broken, 0);
      viewer.socket.destroy();
      chain.decode();
    }
  });

  test('that comes back with another size: the chain begins anew, and MP4 ends', async () => {
    const one = watch();
    const bare = request('stream.h264');
    const mp4 = request('stream.mp4');
    await seeFrames(one);
    await waitFor('streams for programs', () => bare.bytes > 0 && mp4.bytes > 0);
    for (const size of ['320x240', '640x480']) {
      await lose();
      giveBack(size);
      await seeFrames(one);
    }
    await waitFor('the end of MP4', () => mp4.ended);
    const again = request('stream.mp4');
    const had = bare.bytes;
    await waitFor('MP4 again', () => again.bytes > 50000 && bare.bytes > had);
    for (const stream of [bare, again]) stream.request.destroy();
    one.viewer.socket.destroy();
    assert.equal(one.chain.broken, 0);
    assert.deepEqual(one.chain.frames.filter(({ rung }) => rung === 0).map(({ size }) => size).filter((size, i, sizes) => size !== sizes[i - 1]), ['640x480', '320x240', '640x480']);
    one.chain.decode();
    for (const [stream, sizes] of [[mp4, ['640x480']], [again, ['640x480']], [bare, ['640x480', '320x240', '640x480']]]) {
      const seen = sizesOf(stream);
      assert.equal(seen.stderr, '');
      assert.deepEqual(seen.sizes, sizes);
    }
  });

  test('turned by 90 degrees while the daemon is started again: who comes back sees upright pictures', async () => {
    const before_ = watch();
    await seeFrames(before_, '640x480');
    await site.streamd.end();
    await waitFor('the end of the connection', () => before_.viewer.ended);
    await site.startStreamd(['--camera.rotation', '90']);
    const after_ = watch();
    await waitFor('frames', () => after_.chain.frames.length > 1);
    await seeFrames(after_, '480x640');
    after_.viewer.socket.destroy();
    for (const { chain } of [before_, after_]) {
      assert.equal(chain.broken, 0);
      chain.decode();
    }
  });
});
