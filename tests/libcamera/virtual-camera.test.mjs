// picam with a real libcamera and its virtual camera, in the Debian root that LIBCAMERA_ROOT names, whose /build is
// LIBCAMERA_BUILD out here: the colours of a photograph, upright and turned, the rate, and a camera that is really
// closed. Through nginx, by deploy/run.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assertWithin, freePort, jpegSize, lockIsFree, slowness, top, Viewer, waitFor } from '../integration/harness.mjs';

const root = process.env.LIBCAMERA_ROOT;
const photo = path.join(process.env.LIBCAMERA_BUILD, 'virtual/photo.jpg');
const kLingerMs = 2000;

async function start(flags) {
  const port = await freePort();
  const child = spawn(path.join(top, 'deploy/in-root'), [root, 'env', 'BUILD_DIR=/build/picam', '/src/deploy/run',
    '--port', port, '--camera.source', 'libcamera', '--camera.color_range', 'full', '--stream.linger', `${kLingerMs}ms`,
    '--snapshot.linger', '1s', '--snapshot.settle', '500ms', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const site = { url: `http://127.0.0.1:${port}`, log: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { site.log += data; });
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  site.stop = async () => {
    child.kill('SIGKILL'); // unshare; it takes what runs in there with it, by SIGTERM
    await ended;
  };
  try {
    await waitFor('picam in the root', () => {
      if (child.exitCode !== null) throw new Error(`it ended:\n${site.log}`);
      return site.log.includes('picam is at');
    }, 40000);
  } catch (error) {
    await site.stop();
    throw new Error(`${error.message}\n${site.log}`);
  }
  site.run = /the stream on (\S+)\/pi\.stream\.sock/.exec(site.log)[1]; // in /dev/shm, which the root shares
  return site;
}

// PSNR of a picture against the photograph, in dB for each component of YCbCr.
function psnr(jpeg, turn) {
  const folder = mkdtempSync(path.join(tmpdir(), 'picam-psnr.'));
  try {
    const file = path.join(folder, 'still.jpg');
    writeFileSync(file, jpeg);
    const filter = `[0:v]format=yuvj420p[a];[1:v]${turn}format=yuvj420p[b];[a][b]psnr`;
    const { stderr } = spawnSync('ffmpeg', ['-hide_banner', '-i', file, '-i', photo, '-lavfi', filter, '-f', 'null', '-'],
      { encoding: 'utf8' });
    const found = /PSNR y:([\d.inf]+) u:([\d.inf]+) v:([\d.inf]+)/.exec(stderr);
    assert.ok(found, stderr);
    return found.slice(1).map((value) => (value === 'inf' ? 100 : Number(value)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function expectPhotograph(site, size, turn, t) {
  const response = await fetch(`${site.url}/pi.jpg`);
  const jpeg = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, 200, `${jpeg}\n${site.log}`);
  assert.equal(jpegSize(jpeg), size);
  const [y, u, v] = psnr(jpeg, turn);
  t.diagnostic(`PSNR ${y} ${u} ${v} dB`);
  assert.ok(y >= 35 && u >= 30 && v >= 30, `PSNR ${y} ${u} ${v} dB`);
}

describe('the virtual camera', () => {
  test('upright: the photograph, 30 fps, and closed when nobody looks', async (t) => {
    const site = await start(['--snapshot.size', '640x480', '--stream.size', '640x480']);
    try {
      await expectPhotograph(site, '640x480', '', t);
      const viewer = new Viewer(site, { protocols: ['picam.v1'] });
      await viewer.waitFrames(30);
      const first = viewer.frames.length;
      const begun = Date.now();
      const begins = viewer.frames[first - 1].at;
      await waitFor('ten seconds of stream', () => viewer.frames.at(-1).at - begins >= 10000, 20000);
      const fps = (viewer.frames.length - first) / ((viewer.frames.at(-1).at - begins) / 1000);
      t.diagnostic(`${fps.toFixed(2)} fps`);
      assert.ok(fps >= 28 / slowness(begun) && fps < 32, `${fps} fps`);
      await expectPhotograph(site, '640x480', '', t); // now from the stream
      const closing = Date.now();
      await viewer.close();
      await waitFor('a free camera lock', () => lockIsFree(site));
      assertWithin(closing, kLingerMs + 1000, 'closing the camera');
      t.diagnostic(`closed ${Date.now() - closing} ms after the last viewer`);
      assert.match(JSON.stringify(await (await fetch(`${site.url}/status`)).json()), /"state":"idle"/);
    } finally {
      await site.stop();
    }
  });

  test('two outputs: a still of its own size beside the stream', async (t) => {
    const site = await start(['--snapshot.size', '1280x720', '--stream.size', '640x480']);
    try {
      const viewer = new Viewer(site, { protocols: ['picam.v1'] });
      await viewer.waitFrames(30);
      const first = viewer.frames.at(-1);
      const begun = Date.now();
      let slowest = 0;
      for (let i = 0; i < 300; ++i) {
        const asked = Date.now();
        const response = await fetch(`${site.url}/pi.jpg`);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('x-picam-source'), 'stream');
        assert.equal(jpegSize(await response.arrayBuffer()), '1280x720', site.log);
        slowest = Math.max(slowest, Date.now() - asked);
      }
      t.diagnostic(`300 stills, each in ${slowest} ms at most`);
      await viewer.waitFrames(viewer.frames.length + 30);
      const last = viewer.frames.at(-1);
      assert.equal(jpegSize(last.jpeg), '640x480');
      const fps = Number(last.sequence - first.sequence) / ((last.capturedMs - first.capturedMs) / 1000);
      t.diagnostic(`${fps.toFixed(2)} fps`);
      // The frames do not wait for the stills; behind each of them it would be less than half. (The camera draws on this processor.)
      assert.ok(fps >= 24 / slowness(begun) && fps < 32, `${fps} fps`);
      await viewer.close();
      await waitFor('a free camera lock', () => lockIsFree(site));
    } finally {
      await site.stop();
    }
  });

  test('turned by 90 degrees', async (t) => {
    const site = await start(['--camera.rotation', '90', '--snapshot.size', '480x640', '--stream.size', '480x640']);
    try {
      await expectPhotograph(site, '480x640', 'transpose=clock,', t);
    } finally {
      await site.stop();
    }
  });

  test('a size that it has not is a sentence', async () => {
    const site = await start(['--snapshot.size', '998x776', '--snapshot.deadline', '5s']);
    try {
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.status, 503);
      assert.match(await response.text(), /no size 998x776; it has (\d+x\d+, )*1280x720\./);
    } finally {
      await site.stop();
    }
  });

  test('--list-cameras names it', () => {
    const text = execFileSync(path.join(top, 'deploy/in-root'),
      [root, '/build/picam/streamd/picam-streamd', '--list-cameras', '--runtime-dir', '/run/picam'], { encoding: 'utf8' });
    assert.match(text, /Virtual0/);
  });
});
