// /pi.jpg through nginx: the real worker, the real stream beside it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jpegSize, lockIsFree, Site, Viewer, waitFor } from './harness.mjs';

describe('a still', () => {
  let site;
  before(async () => { site = await Site.start(['--snapshot.size', '800x600', '--snapshot.linger', '500ms']); });
  after(() => site?.stop());

  test('is a whole JPEG of the configured size, with all its headers', async () => {
    const response = await fetch(`${site.url}/pi.jpg`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'image/jpeg');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    assert.equal(response.headers.get('x-picam-source'), 'capture');
    assert.match(response.headers.get('x-picam-captured'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(response.headers.get('x-picam-captured')) - Date.now()) < 5000);
    assert.ok(Number(response.headers.get('x-picam-sequence')) > 0);
    assert.ok(Number(response.headers.get('x-picam-age-ms')) < 1000);
    const bytes = await response.arrayBuffer();
    assert.equal(bytes.byteLength, Number(response.headers.get('content-length')));
    assert.equal(jpegSize(bytes), '800x600');
    // Another program than the one that wrote it reads the EXIF.
    const fields = '%[EXIF:DateTimeOriginal] %[EXIF:SubSecTimeOriginal] %[EXIF:PixelXDimension] %[EXIF:Orientation]';
    const identify = spawnSync('identify', ['-format', fields, 'jpeg:-'], { input: Buffer.from(bytes), encoding: 'utf8' });
    assert.equal(identify.stderr, '');
    const captured = new Date(response.headers.get('x-picam-captured'));
    const two = (number) => String(number).padStart(2, '0');
    const day = [captured.getFullYear(), two(captured.getMonth() + 1), two(captured.getDate())].join(':');
    const time = [captured.getHours(), captured.getMinutes(), captured.getSeconds()].map(two).join(':');
    assert.equal(identify.stdout, `${day} ${time} ${String(captured.getMilliseconds()).padStart(3, '0')} 800 1`);
  });

  test('is fresh each time, whatever the query', async () => {
    let last = 0;
    for (const query of ['', '?', '?_=1', '?a=b&c=%00%ff', `?${'x'.repeat(4000)}`]) {
      const response = await fetch(`${site.url}/pi.jpg${query}`);
      assert.equal(response.status, 200, query.slice(0, 20));
      const sequence = Number(response.headers.get('x-picam-sequence'));
      assert.ok(sequence >= last); // within one frame interval it may be the same
      last = sequence;
    }
    const first = last;
    await waitFor('a newer picture', async () => {
      const response = await fetch(`${site.url}/pi.jpg`);
      return Number(response.headers.get('x-picam-sequence')) > first;
    });
  });

  test('answers HEAD without a body and refuses other methods', async () => {
    const head = await fetch(`${site.url}/pi.jpg`, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.ok(Number(head.headers.get('content-length')) > 1000);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const response = await fetch(`${site.url}/pi.jpg`, { method });
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get('allow'), 'GET, HEAD');
    }
  });

  test('many at once share few captures, and all are whole', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, async () => {
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.status, 200);
      assert.equal(jpegSize(await response.arrayBuffer()), '800x600');
      return response.headers.get('x-picam-sequence');
    }));
    assert.ok(new Set(answers).size < 60, `${new Set(answers).size} captures for 100 requests`);
  });

  test('closes the camera after the linger', async () => {
    await fetch(`${site.url}/pi.jpg`).then((r) => r.arrayBuffer());
    await waitFor('a free camera lock', () => lockIsFree(site));
  });

  test('while streaming has its own size all the same, and costs the stream nothing', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(3);
    const first = viewer.frames.at(-1);
    let last = 0;
    for (let i = 0; i < 10; ++i) {
      const asked = Date.now();
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.headers.get('x-picam-source'), 'stream');
      const captured = Date.parse(response.headers.get('x-picam-captured'));
      assert.ok(captured >= asked - 34 && captured >= last, `captured ${captured}, asked ${asked}, before ${last}`);
      last = captured;
      assert.equal(jpegSize(await response.arrayBuffer()), '800x600');
    }
    await viewer.waitFrames(viewer.frames.length + 30);
    const { camera } = await site.status();
    assert.equal(camera.state, 'streaming');
    const frames = viewer.frames.slice(viewer.frames.indexOf(first));
    assert.ok(frames.every((frame) => jpegSize(frame.jpeg) === '640x480'));
    const numbers = Number(frames.at(-1).sequence - first.sequence) + 1;
    const seconds = (frames.at(-1).capturedMs - first.capturedMs) / 1000;
    assert.ok((numbers - 1) / seconds > 27, `${numbers} frames in ${seconds} s`);
    await viewer.close();
  });

  test('is 304 when it has not changed', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(3);
    await viewer.close();
    // The last viewer is gone: until streamd gives the camera up, a still of now is often the one before.
    let tag;
    const unchanged = await waitFor('a 304', async () => {
      const again = await fetch(`${site.url}/pi.jpg`, { headers: tag ? { 'If-None-Match': tag } : {}, cache: 'no-store' });
      await again.arrayBuffer();
      if (again.status === 304) return again;
      tag = again.headers.get('etag');
      return null;
    });
    assert.equal(unchanged.headers.get('etag'), tag);
  });

  test('from mjpg-streamer\'s address', async () => {
    const response = await fetch(`${site.url}/?action=snapshot`);
    assert.equal(response.status, 200);
    jpegSize(await response.arrayBuffer());
  });
});

describe('a still without a camera', () => {
  test('is a 503 with one sentence, and a picture again when the recording is back', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'picam-replay.'));
    const file = path.join(folder, 'recording.y4m');
    const site = await Site.start(['--camera.source', 'replay', '--camera.file', file, '--snapshot.linger', '0s']);
    const expectGone = async () => {
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.status, 503);
      assert.ok(Number(response.headers.get('retry-after')) > 0);
      assert.match(await response.text(), /^No picture: .*recording\.y4m.*\.\n$/);
    };
    try {
      await expectGone();
      const frame = Buffer.concat([Buffer.from('FRAME\n'), Buffer.alloc(64 * 48 * 3 / 2, 128)]);
      writeFileSync(file, Buffer.concat([Buffer.from('YUV4MPEG2 W64 H48 F25:1 C420jpeg\n'), frame, frame]));
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.status, 200);
      assert.equal(jpegSize(await response.arrayBuffer()), '64x48');
      unlinkSync(file);
      await waitFor('a free camera lock', () => lockIsFree(site));
      await expectGone();
    } finally {
      await site.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the worker killed', () => {
  test('gives 503 while it is away, and pictures when it is back', async () => {
    const site = await Site.start();
    try {
      await site.snapshot.end('SIGKILL');
      const away = await fetch(`${site.url}/pi.jpg`);
      assert.equal(away.status, 503);
      assert.ok(away.headers.get('retry-after'));
      assert.equal((await fetch(`${site.url}/pi.jpg`, { method: 'POST' })).status, 405); // nobody needs to be asked
      await site.startSnapshot();
      assert.equal((await fetch(`${site.url}/pi.jpg`)).status, 200);
    } finally {
      await site.stop();
    }
  });
});
