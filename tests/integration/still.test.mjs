// /pi.jpg through nginx: the real worker, the real stream beside it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jpegSize, lockIsFree, Site, slowness, Viewer, waitFor } from './harness.mjs';

const kStillOutputMs = 2000;

describe('a still', () => {
  let site;
  // With patience: this machine may stand still for a while.
  before(async () => {
    site = await Site.start(['--snapshot.size', '800x600', '--snapshot.linger', '500ms', '--snapshot.deadline', '60s', '--camera.stall', '60s']);
  });
  after(() => site?.stop());

  test('is a whole JPEG of the configured size, with all its headers', async () => {
    const response = await fetch(`${site.url}/pi.jpg`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'image/jpeg');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    assert.equal(response.headers.get('x-picam-source'), 'capture');
    assert.match(response.headers.get('x-picam-captured'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(response.headers.get('x-picam-captured')) - Date.now()) < 60_000);
    assert.ok(Number(response.headers.get('x-picam-sequence')) > 0);
    assert.match(response.headers.get('x-picam-age-ms'), /^\d+$/);
    await waitFor('a picture of now', async () => Number((await fetch(`${site.url}/pi.jpg`)).headers.get('x-picam-age-ms')) < 1000);
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
    // How many frames there are until all have been asked is this machine's.
    const captures = [];
    while (captures.length < 5 && !captures.some((count) => count < 60)) {
      const answers = await Promise.all(Array.from({ length: 100 }, async () => {
        const response = await fetch(`${site.url}/pi.jpg`);
        assert.equal(response.status, 200);
        assert.equal(jpegSize(await response.arrayBuffer()), '800x600');
        return response.headers.get('x-picam-sequence');
      }));
      captures.push(new Set(answers).size);
    }
    assert.ok(captures.at(-1) < 60, `${captures} captures for 100 requests`);
  });

  test('closes the camera after the linger', async () => {
    await fetch(`${site.url}/pi.jpg`).then((r) => r.arrayBuffer());
    await waitFor('a free camera lock', () => lockIsFree(site));
  });

  test('while streaming has its own size all the same, and costs the stream nothing', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(3);
    let last = 0;
    const sizeOfStill = async () => {
      const asked = Date.now();
      const response = await fetch(`${site.url}/pi.jpg`);
      assert.equal(response.headers.get('x-picam-source'), 'stream');
      const captured = Date.parse(response.headers.get('x-picam-captured'));
      assert.ok(captured >= asked - 34 && captured >= last, `captured ${captured}, asked ${asked}, before ${last}`);
      last = captured;
      const size = jpegSize(await response.arrayBuffer());
      // Of a camera that gives none for so long the stream's is taken.
      if (Date.now() - asked < kStillOutputMs) assert.equal(size, '800x600');
      else assert.match(size, /^(800x600|640x480)$/);
      return size;
    };
    // Until the machine has time for both: ten stills, and thirty frames a second meanwhile.
    let rate;
    await waitFor('stills that cost the stream nothing', async () => {
      const begun = Date.now();
      const first = viewer.frames.at(-1);
      const sizes = [];
      for (let i = 0; i < 10; ++i) sizes.push(await sizeOfStill());
      await viewer.waitFrames(viewer.frames.indexOf(first) + 31);
      const { sequence, capturedMs } = viewer.frames.at(-1);
      rate = 1000 * Number(sequence - first.sequence) / (capturedMs - first.capturedMs);
      return rate > 27 / slowness(begun) && sizes.every((size) => size === '800x600');
    }, 60_000).catch((error) => assert.fail(`${error.message}: ${rate} frames a second`));
    const { camera } = await site.status();
    assert.equal(camera.state, 'streaming');
    assert.ok(viewer.frames.every((frame) => jpegSize(frame.jpeg) === '640x480'));
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
