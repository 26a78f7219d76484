// The WebSocket and the multipart stream through nginx.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { assertWithin, jpegSize, lockIsFree, Site, Viewer, waitFor } from './harness.mjs';

describe('the stream', () => {
  let site;
  before(async () => { site = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '60s', '--stream.max_viewers', '20']); });
  after(() => site?.stop());
  const idle = () => waitFor('a free camera lock', () => lockIsFree(site));

  test('without a subprotocol: every frame is text, a JPEG in base64', async () => {
    const viewer = new Viewer(site);
    for (const frame of (await viewer.waitFrames(3)).slice(0, 3)) {
      assert.equal(frame.binary, false);
      assert.equal(jpegSize(Buffer.from(frame.data.toString(), 'base64')), '640x480');
    }
    assert.equal(viewer.socket.protocol, '');
    await viewer.close();
  });

  test('?format=jpeg: every frame is a bare JPEG', async () => {
    const viewer = new Viewer(site, { target: '/stream?format=jpeg' });
    for (const frame of (await viewer.waitFrames(3)).slice(0, 3)) {
      assert.equal(frame.binary, true);
      assert.equal(jpegSize(frame.data), '640x480');
    }
    await viewer.close();
  });

  test('picam.v1: hello, state, numbered frames a moment old, pong', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    const frames = await viewer.waitFrames(30);
    assert.equal(viewer.socket.protocol, 'picam.v1');
    const [hello] = viewer.messages;
    assert.equal(hello.type, 'hello');
    assert.deepEqual(hello.size, { width: 640, height: 480 });
    assert.equal(hello.fps, 30);
    assert.ok(viewer.messages.some((m) => m.type === 'state' && m.state === 'streaming'));
    for (let i = 1; i < 30; i += 1) assert.ok(frames[i].sequence > frames[i - 1].sequence);
    for (const frame of frames) {
      assert.equal(jpegSize(frame.jpeg), '640x480');
      assert.ok(frame.at - frame.capturedMs < 60_000 && frame.at - frame.capturedMs > -5);
    }
    await waitFor('a frame a moment old', () => viewer.frames.at(-1).at - viewer.frames.at(-1).capturedMs < 1000);
    viewer.send({ type: 'ping', t: 12.5 });
    const pong = await waitFor('a pong', () => viewer.messages.find((m) => m.type === 'pong'));
    assert.equal(pong.t, 12.5);
    assert.ok(Math.abs(pong.server_time_us / 1000 - Date.now()) < 60_000);
    await viewer.close();
  });

  test('all viewers get the same pictures', async () => {
    const viewers = [0, 1, 2].map(() => new Viewer(site, { protocols: ['picam.v1'] }));
    await Promise.all(viewers.map((viewer) => viewer.waitFrames(10)));
    const bySequence = new Map(viewers[0].frames.map((f) => [f.sequence, f.jpeg]));
    let common = 0;
    for (const viewer of viewers.slice(1)) {
      for (const frame of viewer.frames) {
        const other = bySequence.get(frame.sequence);
        if (!other) continue;
        common += 1;
        assert.ok(other.equals(frame.jpeg));
      }
    }
    assert.ok(common > 5);
    await Promise.all(viewers.map((viewer) => viewer.close()));
  });

  test('a viewer that acknowledges nothing gets few frames and delays nobody', async () => {
    const silent = new Viewer(site, { protocols: ['picam.v1'], ack: false });
    const good = new Viewer(site, { protocols: ['picam.v1'] });
    await good.waitFrames(40);
    assert.ok(silent.frames.length >= 1 && silent.frames.length < 10, `${silent.frames.length} frames`);
    await Promise.all([silent.close(), good.close()]);
  });

  test('pause, resume and rate', async () => {
    await idle();
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(5);
    viewer.send({ type: 'pause' });
    await idle(); // all viewers paused: the camera is off
    viewer.send({ type: 'rate', fps: 5 });
    viewer.send({ type: 'resume' });
    const from = viewer.frames.length;
    const frames = (await viewer.waitFrames(from + 8)).slice(from);
    const spanMs = frames[7].capturedMs - frames[1].capturedMs;
    assert.ok(spanMs > 1000, `six frames in ${spanMs} ms`);
    await viewer.close();
  });

  test('the camera closes after the last viewer and the linger', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(2);
    assert.equal(await lockIsFree(site), false);
    assert.equal((await site.status()).camera.state, 'streaming');
    await viewer.close();
    await idle();
    await waitFor('idle in the status', async () => (await site.status()).camera.state === 'idle');
  });

  test('takes the camera from the snapshot worker that lingers', async () => {
    await idle();
    await waitFor('a capture of the worker\'s own', async () => {
      const response = await fetch(`${site.url}/pi.jpg`);
      return response.headers.get('x-picam-source') === 'capture';
    });
    assert.equal(await lockIsFree(site), false);
    const started = Date.now();
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(1);
    assertWithin(started, 2000);
    await viewer.close();
  });

  test('multipart, also from mjpg-streamer\'s address', async () => {
    for (const target of ['/stream.mjpg', '/?action=stream']) {
      const parts = await new Promise((resolve, reject) => {
        http.get(site.url + target, (response) => {
          assert.equal(response.statusCode, 200);
          const boundary = /^multipart\/x-mixed-replace;\s*boundary="?([^"]+)"?$/.exec(response.headers['content-type'])[1];
          let data = Buffer.alloc(0);
          const found = [];
          response.on('data', (chunk) => {
            data = Buffer.concat([data, chunk]);
            while (found.length < 3) {
              const end = data.indexOf('\r\n\r\n');
              if (end < 0) return;
              const head = data.subarray(0, end).toString();
              const length = Number(/Content-Length: (\d+)/i.exec(head)[1]);
              // The next boundary comes right behind the picture.
              if (data.length < end + 4 + length + 4 + boundary.length) return;
              assert.match(head, /X-Timestamp: \d+\.\d{6}/);
              found.push(data.subarray(end + 4, end + 4 + length));
              data = data.subarray(end + 4 + length);
              assert.equal(data.subarray(0, 4 + boundary.length).toString(), `\r\n--${boundary}`);
            }
            response.destroy();
            resolve(found);
          });
        }).on('error', reject);
      });
      for (const part of parts) assert.equal(jpegSize(part), '640x480');
    }
  });

  test('past stream.max_viewers is a 503', async () => {
    const viewers = Array.from({ length: 20 }, () => new Viewer(site, { protocols: ['picam.v1'] }));
    await Promise.all(viewers.map((viewer) => viewer.waitFrames(1)));
    const refused = new Viewer(site);
    assert.match(String(await waitFor('a refusal', () => refused.error)), /503/);
    await Promise.all(viewers.map((viewer) => viewer.close()));
  });

  test('a foreign page is refused, our own and none are not', async () => {
    const foreign = new Viewer(site, { headers: { Origin: 'https://evil.example' } });
    assert.match(String(await waitFor('a refusal', () => foreign.error)), /403/);
    const own = new Viewer(site, { headers: { Origin: site.url } });
    await own.waitFrames(1);
    await own.close();
  });

  test('nonsense is closed with the right code', async () => {
    const cases = [['no json', 1007], ['{"type":"dance"}', 1008], [`{"x":"${'y'.repeat(5000)}"}`, 1009],
      [Buffer.from([1, 2, 3]), 1003], ['{"type":"ack","sequence":99999999999999}', 1008]];
    for (const [message, code] of cases) {
      const viewer = new Viewer(site, { protocols: ['picam.v1'] });
      await viewer.waitFrames(1);
      viewer.socket.send(message);
      assert.equal(await viewer.closed, code, String(message).slice(0, 20));
    }
  });
});

test('pages of stream.origins may fetch stills and the multipart stream, whatever the answer is', async () => {
  const site = await Site.start(['--stream.origins', 'https://friend.example,http://fluidd.local', '--stream.max_viewers', '1']);
  try {
    const ask = async (target, origin, method = 'GET') => {
      const abort = new AbortController();
      const { status, headers } = await fetch(site.url + target, { method, headers: { Origin: origin }, signal: abort.signal });
      abort.abort();
      // There is room for one: the next asks when this one has been seen to go.
      if (status === 200) await waitFor('room', async () => (await site.status()).viewers.total === 0);
      return { status, origin: headers.get('access-control-allow-origin'), credentials: headers.get('access-control-allow-credentials'), vary: headers.get('vary') };
    };
    const allowed = (status, origin) => ({ status, origin, credentials: 'true', vary: 'Origin' });
    for (const origin of ['https://friend.example', 'http://fluidd.local']) {
      for (const target of ['/pi.jpg', '/?action=snapshot', '/stream.mjpg', '/?action=stream']) {
        assert.deepEqual(await ask(target, origin), allowed(200, origin), target);
        assert.deepEqual(await ask(target, origin, 'HEAD'), allowed(200, origin), target);
      }
      assert.deepEqual(await ask('/stream.mjpg?fps=x', origin), allowed(400, origin));
      const viewer = new Viewer(site, { headers: { Origin: origin } });
      await viewer.waitFrames(1);
      assert.deepEqual(await ask('/stream.mjpg', origin), allowed(503, origin));
      await viewer.close();
      await waitFor('room', async () => (await site.status()).viewers.total === 0);
    }
    for (const target of ['/pi.jpg', '/stream.mjpg']) {
      const other = { status: 200, origin: null, credentials: null, vary: 'Origin' };
      for (const origin of ['https://evil.example', 'https://friend.example.evil.example', 'null', site.url]) assert.deepEqual(await ask(target, origin), other, target);
    }
    assert.equal((await ask('/ticket', 'https://friend.example')).origin, null);
  } finally {
    await site.stop();
  }
  const closed = await Site.start(['--camera.source', 'replay', '--camera.file', '/nonexistent/x.y4m', '--stream.origins', 'https://friend.example']);
  try {
    const answer = await fetch(`${closed.url}/pi.jpg`, { headers: { Origin: 'https://friend.example' } });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://friend.example');
  } finally {
    await closed.stop();
  }
});

test('a camera that is not there is told to the viewer', async () => {
  const site = await Site.start(['--camera.source', 'replay', '--camera.file', '/nonexistent/x.y4m']);
  try {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    const state = await waitFor('unavailable', () => viewer.messages.find((m) => m.state === 'unavailable'));
    assert.match(state.reason, /x\.y4m/);
    await viewer.close();
  } finally {
    await site.stop();
  }
});

test('streamd killed and started again: 503, then the stream', async () => {
  const site = await Site.start();
  try {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(2);
    await site.streamd.end('SIGKILL');
    await viewer.closed;
    // The kernel has dropped the lock: a still is captured again.
    assert.equal((await fetch(`${site.url}/pi.jpg`)).status, 200);
    assert.equal((await fetch(`${site.url}/status`)).status, 503);
    await site.startStreamd();
    const again = new Viewer(site, { protocols: ['picam.v1'] });
    await again.waitFrames(2);
    await again.close();
  } finally {
    await site.stop();
  }
});

test('SIGTERM ends both at once, with viewers, without a trace', async () => {
  const site = await Site.start();
  const viewer = new Viewer(site, { protocols: ['picam.v1'] });
  await viewer.waitFrames(2);
  assert.deepEqual(await site.streamd.end(), { code: 0, signal: null });
  assert.deepEqual(await site.snapshot.end(), { code: 0, signal: null });
  assert.equal(await viewer.closed, 1001);
  const { readdirSync } = await import('node:fs');
  assert.deepEqual(readdirSync(site.run).sort(), ['pi.described', 'pi.frames', 'pi.lock']);
  await site.stop();
});
