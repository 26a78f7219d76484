// Programs that people point at the multipart stream, and at mjpg-streamer's addresses for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Child, jpegSize, lockIsFree, Site, top, waitFor } from './harness.mjs';

const kFrames = 20;
const kPython = '/usr/bin/python3'; // Debian's, which has Debian's modules
const kScript = path.join(top, 'tests/integration/clients.py');

function installed(program) {
  return process.env.PATH.split(':').some((folder) => existsSync(path.join(folder, program))) ? false : `${program} is not installed`;
}
function importable(module) {
  return spawnSync(kPython, ['-c', `import ${module}`]).status === 0 ? false : `Python's ${module} is not installed`;
}

describe('the multipart stream', () => {
  let site;
  let folder;
  before(async () => {
    folder = mkdtempSync('/dev/shm/picam-clients.');
    chmodSync(folder, 0o777); // VLC does not run as root
    site = await Site.start(['--stream.linger', '0s', '--stream.size', '320x240']);
  });
  after(async () => {
    await site?.stop();
    rmSync(folder, { recursive: true });
  });

  test('with ffmpeg', async () => {
    const ffmpeg = new Child('ffmpeg', ['-nostdin', '-loglevel', 'error', '-f', 'mpjpeg', '-i', `${site.url}/stream.mjpg`,
      '-frames:v', String(kFrames), path.join(folder, 'ffmpeg-%03d.png')]);
    assert.deepEqual(await ffmpeg.ended, { code: 0, signal: null }, ffmpeg.log);
    assert.equal(ffmpeg.log, '', 'it has nothing to complain of');
    assert.equal(readdirSync(folder).filter((name) => name.startsWith('ffmpeg-')).length, kFrames);
    await waitFor('the camera to close', () => lockIsFree(site));
  });

  test('with curl', async () => {
    const file = path.join(folder, 'curl');
    const curl = new Child('curl', ['-sN', '-o', file, `${site.url}/?action=stream&fps=10`]);
    await waitFor('some frames', () => existsSync(file) && statSync(file).size > 50_000);
    await curl.end();
    await waitFor('the camera to close', () => lockIsFree(site));
  });

  test('with VLC', { skip: installed('cvlc') }, async () => {
    // Its scene filter keeps pictures; VLC itself does not run as root, its module loader does.
    const vlc = new Child('sh', ['-c', 'exec "$@"', 'sh', 'cvlc', '-I', 'dummy', '--no-audio', '--vout', 'dummy',
      '--video-filter', 'scene', '--scene-path', folder, '--scene-prefix', 'vlc', '--scene-ratio', '5', `${site.url}/stream.mjpg`],
    process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {});
    try {
      await waitFor('pictures', () => readdirSync(folder).filter((name) => name.startsWith('vlc')).length >= 3)
        .catch((error) => { throw new Error(`${error.message}\n${vlc.log}`); });
    } finally {
      await vlc.end('SIGKILL');
    }
    await waitFor('the camera to close', () => lockIsFree(site));
  });

  // As OpenCV's users write it, so that a file's extension is at the end.
  for (const [module, client, each] of [['requests', 'requests', 'whole'], ['cv2', 'opencv', '320x240']]) {
    test(`with Python's ${module}`, { skip: importable(module) }, async () => {
      const python = new Child(kPython, [kScript, client, `${site.url}/?action=stream?dummy=param.mjpg`, String(kFrames)]);
      assert.deepEqual(await python.ended, { code: 0, signal: null }, python.log);
      assert.equal(python.log, `${each}\n`.repeat(kFrames));
      await waitFor('the camera to close', () => lockIsFree(site));
    });
  }

  test('with GStreamer', { skip: installed('gst-launch-1.0') }, async () => {
    const gst = new Child('gst-launch-1.0', ['-q', 'souphttpsrc', `location=${site.url}/stream.mjpg`, '!', 'multipartdemux', '!', 'jpegdec', '!',
      'identity', `eos-after=${kFrames}`, '!', 'multifilesink', `location=${path.join(folder, 'gst-%03d')}`]);
    assert.deepEqual(await gst.ended, { code: 0, signal: null }, gst.log);
    const sizes = readdirSync(folder).filter((name) => name.startsWith('gst-')).map((name) => statSync(path.join(folder, name)).size);
    assert.ok(sizes.length >= kFrames - 1 && sizes.every((size) => size === sizes[0] && size >= 320 * 240), `${sizes}`);
    await waitFor('the camera to close', () => lockIsFree(site));
  });

  test('with motion', { skip: installed('motion') }, async () => {
    const conf = path.join(folder, 'motion.conf');
    writeFileSync(conf, `daemon off\nsetup_mode off\ntarget_dir ${folder}\nsnapshot_filename motion-%Y%m%d%H%M%S\nnetcam_url ${site.url}/stream.mjpg\n` +
      'snapshot_interval 1\nwebcontrol_port 0\nstream_port 0\npicture_output off\nmovie_output off\nwidth 320\nheight 240\n' +
      `on_camera_lost touch ${folder}/lost\n`);
    const motion = new Child('motion', ['-n', '-c', conf]);
    try {
      await waitFor('pictures', () => readdirSync(folder).filter((name) => name.startsWith('motion-')).length >= 3)
        .catch((error) => { throw new Error(`${error.message}\n${motion.log}`); });
      assert.equal((await site.status()).viewers.multipart, 1);
      assert.ok(!existsSync(path.join(folder, 'lost')), motion.log);
    } finally {
      await motion.end();
    }
    await waitFor('the camera to close', () => lockIsFree(site));
  });
});

test('a reader that knows no chunks, in HTTP/1.1 and 1.0, gets whole pictures', async () => {
  const site = await Site.start(['--stream.linger', '0s', '--stream.size', '1920x1080']);
  try {
    for (const request of ['GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n', 'GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n',
      'GET /?action=stream?dummy=param.mjpg HTTP/1.1\r\nHost: localhost\r\n', 'GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n']) {
      const socket = net.connect(site.port, '127.0.0.1');
      socket.write(`${request}\r\n`);
      let data = Buffer.alloc(0);
      socket.on('data', (bytes) => { data = Buffer.concat([data, bytes]); });
      // What stands before the next empty line is a head; a picture follows a part's.
      const head = async () => {
        const end = await waitFor('a head', () => (data.includes('\r\n\r\n') ? data.indexOf('\r\n\r\n') : 0));
        const text = data.subarray(0, end).toString();
        data = data.subarray(end + 4);
        return text;
      };
      const answer = await head();
      assert.match(answer, /^HTTP\/1\.1 200 /, request);
      assert.match(answer, /^Connection: close\r?$/m, request);
      assert.doesNotMatch(answer, /^Transfer-Encoding/mi, request);
      for (let i = 0; i < kFrames; i += 1) {
        const length = Number(/^Content-Length: (\d+)\r?$/m.exec(await head())[1]);
        await waitFor('a picture', () => data.length >= length);
        assert.equal(jpegSize(data.subarray(0, length)), '1920x1080', request);
        data = data.subarray(length);
      }
      socket.destroy();
      await waitFor('the camera to close', () => lockIsFree(site));
    }
  } finally {
    await site.stop();
  }
});

test("mjpg-streamer's addresses as mjpg-streamer takes them, and no others", async () => {
  const site = await Site.start(['--snapshot.size', '320x240']);
  try {
    const typeOf = async (target) => {
      const abort = new AbortController();
      const answer = await fetch(site.url + target, { signal: abort.signal });
      abort.abort();
      return answer.status === 200 ? answer.headers.get('content-type').split(';')[0] : answer.status;
    };
    for (const end of ['', '_0', '?n=1', '&n=1', '_0?n=1', '?dummy=param.mjpg', '/frame.mjpg', ';x']) {
      assert.equal(await typeOf(`/?action=stream${end}`), 'multipart/x-mixed-replace', end);
      assert.equal(await typeOf(`/?action=snapshot${end}`), 'image/jpeg', end);
    }
    for (const action of ['streams', 'stream_1', 'snapshots', 'snapshot_1', 'take', 'command', 'x', '?', '/../nginx.conf']) {
      assert.equal(await typeOf(`/?action=${action}`), 404, action);
    }
    for (const query of ['', '?', '?every=5', '?action=', '?reaction=stream', '?x=action=stream']) assert.equal(await typeOf(`/${query}`), 'text/html', query);
  } finally {
    await site.stop();
  }
});
