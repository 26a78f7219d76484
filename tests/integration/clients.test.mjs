// Programs that people point at the multipart stream.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Child, lockIsFree, Site, waitFor } from './harness.mjs';

const kFrames = 20;

function installed(program) {
  return process.env.PATH.split(':').some((folder) => existsSync(path.join(folder, program))) ? false : `${program} is not installed`;
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
});
