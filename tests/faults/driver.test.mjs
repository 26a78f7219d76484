// A driver that does not come back, in the real programs: each ends with a message within half a minute, the lock is free,
// and its successor works. A recording is the camera; a library that is loaded before the others lets the calls that open
// it hang while a file is there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lockIsFree, Site, Viewer, waitFor } from '../integration/harness.mjs';

const kEndsMs = 90000; // 30 s, on any machine
const kShim = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int opened(const char *name, const char *path, int flags, int mode)
{
    while (strcmp(path, getenv("HANG_FILE")) == 0 && access(getenv("HANG_FLAG"), F_OK) == 0)
        usleep(100000);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name))(path, flags, mode);
}
#define WRAP(name) int name(const char *path, int flags, ...) { va_list list; va_start(list, flags); \\
    int mode = va_arg(list, int); va_end(list); return opened(#name, path, flags, mode); }
WRAP(open)
WRAP(open64)
`;

describe('a driver that does not come back', { concurrency: true }, () => {
  let folder;
  let shim;
  before(() => {
    folder = mkdtempSync('/dev/shm/picam-driver.');
    shim = path.join(folder, 'hang.so');
    const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-w', '-x', 'c', '-', '-o', shim, '-ldl'], { input: kShim, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const { status: made } = spawnSync('convert', ['-size', '64x48', 'plasma:', path.join(folder, 'camera.jpg')]);
    assert.equal(made, 0);
  });
  after(() => rmSync(folder, { recursive: true }));

  const site = (name) => {
    const file = path.join(folder, 'camera.jpg');
    return Site.start(['--camera.source', 'replay', '--camera.file', file, '--stream.size', '64x48', '--snapshot.size', '64x48', '--camera.stall', '1s'],
      { env: { LD_PRELOAD: shim, HANG_FILE: file, HANG_FLAG: path.join(folder, name) } });
  };
  const still = (one) => waitFor('a still', async () => (await fetch(`${one.url}/pi.jpg`)).status === 200);
  const hang = (name) => writeFileSync(path.join(folder, name), '');
  const release = (name) => rmSync(path.join(folder, name));
  async function endsByItself(child) {
    await waitFor('its end', () => !child.running, kEndsMs);
    const { code } = await child.ended; // all of its log has come
    assert.match(child.log, /driver does not come back/);
    assert.notEqual(code, 0);
  }

  for (const call of ['opening', 'closing']) {
    test(`while picam-snapshot is ${call} the camera`, async () => {
      const name = `snapshot-${call}`;
      const one = await site(name);
      try {
        if (call === 'closing') await still(one);
        hang(name);
        await fetch(`${one.url}/pi.jpg`); // refused at its deadline, or the last picture
        await endsByItself(one.snapshot);
        assert.ok(await lockIsFree(one));
        release(name);
        await one.startSnapshot();
        await still(one);
      } finally {
        await one.stop();
      }
    });

    test(`while picam-streamd is ${call} the camera`, async () => {
      const name = `streamd-${call}`;
      const one = await site(name);
      try {
        if (call === 'opening') hang(name);
        const viewer = new Viewer(one, { protocols: ['picam.v1'] });
        if (call === 'closing') {
          await viewer.waitFrames(3);
          hang(name);
        }
        await endsByItself(one.streamd);
        assert.ok(await lockIsFree(one));
        release(name);
        await one.startStreamd();
        const next = new Viewer(one, { protocols: ['picam.v1'] });
        await next.waitFrames(3);
        await next.close();
      } finally {
        await one.stop();
      }
    });
  }
});
