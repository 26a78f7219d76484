// The harness itself: what it says of processes that have gone, and of a machine that is busy.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { assertWithin, children, procFile, residentMegabytes, Site, slowness, threads, waitFor } from './harness.mjs';

describe('the harness', () => {
  test('a process that lives has files, threads, children and memory; one that has ended has none', async () => {
    const child = spawn('sh', ['-c', 'sleep 60 & echo started; wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const { pid } = child;
    await once(child.stdout, 'data');
    const [inner] = children(pid);
    assert.match(procFile(pid, 'cmdline'), /^sh\0-c/);
    assert.deepEqual(threads(pid), [String(pid)]);
    assert.ok(residentMegabytes(pid) > 0);
    process.kill(Number(inner));
    await once(child, 'close');
    assert.equal(procFile(pid, 'cmdline'), null);
    assert.equal(procFile(pid, `task/${pid}/schedstat`), null);
    assert.deepEqual(threads(pid), []);
    assert.deepEqual(children(pid), []);
    assert.equal(residentMegabytes(pid), 0);
  });

  test('what is wrong beside that is an error', () => {
    assert.throws(() => procFile(process.pid, 'task'), { code: 'EISDIR' });
  });

  test('an nginx that is ended at any moment has no workers, and that is no error', async () => {
    const site = await Site.start();
    try {
      assert.ok(site.nginxWorkers().length > 0);
      const ending = site.nginx.end();
      while (site.nginx.running) {
        site.nginxWorkers();
        await new Promise((resolve) => { setImmediate(resolve); });
      }
      await ending;
      assert.deepEqual(site.nginxWorkers(), []);
    } finally {
      await site.stop();
    }
  });
});

describe('the time that a test allows', () => {
  test('grows with what else this machine does, and ends', async () => {
    const loops = Array.from({ length: 4 * availableParallelism() }, () => spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
    try {
      const begun = Date.now();
      await waitFor('a machine that has been slower', () => Date.now() - begun > 1500 && slowness(begun) > 2);
      assertWithin(Date.now() - 1500, 1000);
    } finally {
      for (const loop of loops) loop.kill();
      await Promise.all(loops.map((loop) => once(loop, 'close')));
    }
    const begun = Date.now();
    await waitFor('it to be over', () => Date.now() - begun > 2000);
    assert.throws(() => assertWithin(begun, 100, 'a still'), /a still took [12]\d{3} ms/);
  });

  test('is not spent while this process stands still', () => {
    const begun = Date.now();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    assert.ok(Date.now() - begun >= 2000);
    assertWithin(begun, 100);
  });
});
