// What the harness itself says of processes that have gone: nothing, and not an error.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';
import { children, procFile, residentMegabytes, Site, threads } from './harness.mjs';

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
