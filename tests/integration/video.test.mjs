// H.264 for programs: Annex B and MP4 over HTTP, access units over a WebSocket; through nginx, as ffmpeg and VLC take it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from './clips.mjs';
import { jpegSize, Site, Viewer, waitFor } from './harness.mjs';

const kFormat = { 'stream.h264': ['-f', 'h264'], 'stream.mp4': [] };
// In the stream's own time: rounded to whole frames, two of a busy camera are at the same.
const kToNothing = ['-fps_mode', 'passthrough', '-enc_time_base', '-1', '-f', 'null', '-'];

// What ffmpeg says of so many frames of a stream: nothing, when all is well; and what ffprobe sees in it.
function decode(url, name, { frames = 60, args = [] } = {}) {
  return spawnSync('ffmpeg', ['-nostdin', '-v', 'repeat+warning', ...args, ...kFormat[name], '-i', `${url}/${name}`, '-frames:v', String(frames), ...kToNothing], { encoding: 'utf8', timeout: 120_000 });
}
const probe = (file) => JSON.parse(spawnSync('ffprobe', ['-v', 'error', '-count_frames', '-of', 'json', '-show_entries',
  'stream=codec_name,profile,width,height,color_range,color_space,nb_read_frames', file], { encoding: 'utf8' }).stdout).streams[0];
const status = async (site) => (await fetch(`${site.url}/status`)).json();

describe('H.264', () => {
  let folder;
  let site;
  before(async () => {
    folder = mkdtempSync('/dev/shm/picam-h264.');
    site = await Site.start(['--camera.source', 'replay', '--camera.file', makeClip(folder, 'pan', { seconds: 2 }), '--stream.size', '640x480', '--stream.linger', '200ms']);
  });
  after(async () => {
    await site?.stop();
    rmSync(folder, { recursive: true });
  });

  for (const name of Object.keys(kFormat)) {
    test(`${name}: ffmpeg decodes it without a complaint`, async () => {
      const { status: code, stderr } = decode(site.url, name);
      assert.equal(stderr.trim(), '');
      assert.equal(code, 0);
    });

    test(`${name}: its type, and nothing that keeps it`, async () => {
      const head = await fetch(`${site.url}/${name}`, { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.equal(head.headers.get('content-type'), name === 'stream.mp4' ? 'video/mp4' : 'video/h264');
      assert.equal(head.headers.get('cache-control'), 'no-store');
      assert.equal((await fetch(`${site.url}/${name}`, { method: 'POST' })).status, 405);
    });
  }

  test('its size, colours and profile are said in the stream', async () => {
    for (const name of Object.keys(kFormat)) {
      const file = path.join(folder, name);
      const answer = await fetch(`${site.url}/${name}`);
      const parts = [];
      for await (const part of answer.body) {
        parts.push(part);
        if (Buffer.concat(parts).length > 200_000) break;
      }
      writeFileSync(file, Buffer.concat(parts));
      const { nb_read_frames: frames, ...said } = probe(file);
      assert.deepEqual(said, { codec_name: 'h264', profile: 'Constrained Baseline', width: 640, height: 480, color_range: 'pc', color_space: 'smpte170m' });
      assert.ok(Number(frames) > 10, frames);
    }
  });

  test('an access unit a message over a bare WebSocket', async () => {
    const viewer = new Viewer(site, { target: '/stream?format=h264' });
    await waitFor('frames', () => viewer.frames.length >= 30);
    viewer.socket.close();
    await viewer.closed;
    assert.deepEqual([...viewer.frames[0].data.subarray(0, 5)], [0, 0, 0, 1, 0x67], 'a key frame first');
    for (const { data } of viewer.frames) assert.deepEqual([...data.subarray(0, 4)], [0, 0, 0, 1]);
  });

  test('fragments of MP4 over picam.v2, which begin where the viewer asks for a key frame', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v2'] });
    await new Promise((resolve) => { viewer.socket.on('open', resolve); });
    viewer.socket.on('message', (data, binary) => { if (binary) viewer.socket.send(Buffer.concat([data.subarray(1, 3), data.subarray(8, 16)])); });
    viewer.socket.send(JSON.stringify({ type: 'take', codecs: ['h264', 'jpeg'], container: 'mp4' }));
    const fragments = () => viewer.frames.filter(({ binary, data }) => binary && data[1] === 2).map(({ data }) => data);
    const begins = () => fragments().filter((data) => data.toString('latin1', 44, 48) === 'ftyp').length;
    await waitFor('frames', () => fragments().length >= 30);
    assert.equal(begins(), 1);
    viewer.socket.send(JSON.stringify({ type: 'key' }));
    const asked = fragments().length;
    await waitFor('another beginning', () => begins() === 2 && fragments().length >= asked + 30);
    viewer.socket.close();
    await viewer.closed;
    const all = fragments();
    for (const data of all) assert.equal(data.readUInt32BE(4), data.length - 40, 'the length that the header says');
    const second = all.findLastIndex((data) => data.toString('latin1', 44, 48) === 'ftyp');
    for (const [i, part] of [all.slice(0, second), all.slice(second)].entries()) {
      const file = path.join(folder, `part-${i}.mp4`);
      writeFileSync(file, Buffer.concat(part.map((data) => data.subarray(40))));
      const { stderr } = spawnSync('ffmpeg', ['-nostdin', '-v', 'repeat+warning', '-i', file, ...kToNothing], { encoding: 'utf8' });
      assert.equal(stderr.trim(), '');
      assert.equal(Number(probe(file).nb_read_frames), part.length);
    }
  });

  test('encoded only while somebody takes it, and once for all who do', async () => {
    const { h264: before_ } = await status(site);
    const jpeg = new Viewer(site, { target: '/stream?format=jpeg' });
    await waitFor('pictures', () => jpeg.frames.length >= 10);
    assert.equal((await status(site)).h264.rungs[0].frames, before_.rungs[0].frames);
    const programs = [1, 2, 3].map(() => new Viewer(site, { target: '/stream?format=h264' }));
    await waitFor('frames for all', () => programs.every((viewer) => viewer.frames.length >= 20));
    const now = await status(site);
    assert.equal(now.h264.rungs[0].viewers, 3);
    assert.equal(now.viewers.h264, 3);
    const encoded = now.h264.rungs[0].frames - before_.rungs[0].frames;
    assert.ok(encoded < 2 * Math.max(...programs.map((viewer) => viewer.frames.length)) + 5, `${encoded} frames`);
    assert.match(await (await fetch(`${site.url}/metrics`)).text(), /picam_h264_frames_total\{rung="0"\} [1-9]/);
    for (const viewer of [jpeg, ...programs]) viewer.socket.close();
  });

  test('VLC plays /stream.mp4', { skip: !existsSync('/usr/bin/cvlc') && 'VLC is not installed' }, async () => {
    const file = path.join(folder, 'vlc.ts');
    // It does not run as root.
    const user = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', `HOME=${folder}`] : ['env'];
    spawnSync('chmod', ['777', folder]);
    const vlc = spawn(user[0], [...user.slice(1), 'cvlc', '-q', '--run-time=30', `${site.url}/stream.mp4`, '--sout', `file/ts:${file}`, 'vlc://quit'], { stdio: 'ignore' });
    await waitFor('what it writes', () => existsSync(file) && statSync(file).size > 100_000);
    vlc.kill('SIGTERM');
    await new Promise((resolve) => { vlc.on('close', resolve); });
    assert.ok(Number(probe(file).nb_read_frames) > 10);
    assert.ok(readFileSync(file).length > 0);
  });
});

test('switched off there is none, and picam.v2 has JPEGs', async () => {
  const site = await Site.start(['--stream.video', 'off']);
  try {
    for (const name of Object.keys(kFormat)) assert.equal((await fetch(`${site.url}/${name}`)).status, 404);
    const bare = new Viewer(site, { target: '/stream?format=h264' });
    await bare.closed;
    assert.match(bare.error.message, /404/);
    const viewer = new Viewer(site, { protocols: ['picam.v2'] });
    await new Promise((resolve) => { viewer.socket.on('open', resolve); });
    viewer.socket.send(JSON.stringify({ type: 'take', codecs: ['h264', 'jpeg'] }));
    const { data } = await waitFor('a frame', () => viewer.frames.find(({ binary }) => binary));
    assert.equal(data[1], 1);
    assert.deepEqual([...data.subarray(40, 42)], [0xff, 0xd8]);
    viewer.socket.close();
  } finally {
    await site.stop();
  }
});

test('turned by 90 degrees, of an odd half, and small', async () => {
  for (const [size, rotation] of [['320x240', '90'], ['426x240', '0'], ['64x48', '0']]) {
    const site = await Site.start(['--stream.size', size, '--camera.rotation', rotation, '--stream.linger', '100ms']);
    try {
      assert.equal(decode(site.url, 'stream.mp4', { frames: 20 }).stderr.trim(), '');
      const viewer = new Viewer(site, { target: '/stream?format=h264' });
      await waitFor('a frame', () => viewer.frames.length > 0);
      viewer.socket.close();
      const shown = spawnSync('ffprobe', ['-v', 'error', '-f', 'h264', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', '-'], { input: viewer.frames[0].data, encoding: 'utf8' });
      const jpeg = new Viewer(site, { target: '/stream?format=jpeg' });
      const [{ data }] = await jpeg.waitFrames(1);
      jpeg.socket.close();
      assert.equal(shown.stdout.trim().replace(',', 'x'), jpegSize(data), 'the size that the JPEGs have');
    } finally {
      await site.stop();
    }
  }
});
