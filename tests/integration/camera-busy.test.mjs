// A camera that somebody else has: one sentence for each who asks, and pictures when it is free again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertWithin, lockIsFree, Site, Viewer, waitFor } from './harness.mjs';

describe('the camera is held by another program', () => {
  let site;
  let holder;
  before(async () => {
    site = await Site.start(['--snapshot.deadline', '1s']);
    const lock = path.join(site.run, 'pi.lock');
    writeFileSync(lock, 'timelapse 77\n');
    // It holds the lock until its input ends, and answers no request.
    holder = spawn('flock', [lock, 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
    await waitFor('the lock to be taken', async () => !(await lockIsFree(site)));
  });
  after(async () => {
    holder?.stdin.end();
    await site?.stop();
  });

  test('a still is a 503 that names it, within the deadline', async () => {
    const begun = Date.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${site.url}/pi.jpg`)));
    for (const answer of answers) {
      assert.equal(answer.status, 503);
      assert.ok(answer.headers.get('retry-after'));
      assert.match(await answer.text(), /^No picture: timelapse 77 has the camera[^\n]*\.\n$/);
    }
    assertWithin(begun, 10000);
  });

  test('a viewer is told, and gets frames once it is free; so does a still', async () => {
    const viewer = new Viewer(site, { protocols: ['picam.v1'] });
    const state = await waitFor('unavailable', () => viewer.messages.find((m) => m.state === 'unavailable'));
    assert.equal(state.reason, 'the camera is in use by timelapse 77');
    assert.equal((await site.status()).camera.state, 'unavailable');
    assert.equal(viewer.frames.length, 0);

    holder.stdin.end();
    await once(holder, 'exit');
    holder = undefined;
    await viewer.waitFrames(3);
    assert.equal(viewer.messages.filter((m) => m.type === 'state').at(-1).state, 'streaming');
    const still = () => waitFor('a still', async () => (await fetch(`${site.url}/pi.jpg`)).status === 200);
    await still();
    await viewer.close();
    await waitFor('a free camera lock', () => lockIsFree(site));
    await still();
  });
});
