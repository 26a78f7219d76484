// Edges that do no good to others: one that hangs beside a healthy one; and pictures that the engine does not take.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cameraUser, edgeUser, Engine } from '../integration/engine.mjs';
import { onceOfThree, slowness, waitFor } from '../integration/harness.mjs';
import { NatsClient } from '../integration/nats.mjs';
import { cameraHost, edgeHost, Feeder, makePictures, Watcher } from '../integration/reach.mjs';

const kFrame = 'picam.v1.garden.frame';

describe('an engine of one node', () => {
  const folder = mkdtempSync('/dev/shm/picam-relay.');
  const users = { camera: cameraUser('garden'), edge: edgeUser('garden'), stuck: edgeUser('garden') };
  const socket = path.join(folder, 'camera.sock');
  let pictures;
  let engine;
  let feeder;
  let host;
  let edge;
  let next = 0;

  before(async () => {
    pictures = makePictures(path.join(folder, 'pictures'), 4, { size: '640x480', quality: 95 });
    engine = await Engine.start({ users: Object.values(users), maxPending: '8MB' });
    feeder = new Feeder(socket, () => pictures[next++ % pictures.length], { width: 640, height: 480, fps: 20 });
    host = await cameraHost(engine, users.camera, { flags: ['--camera.source', 'feed', '--camera.feed', socket] });
    edge = await edgeHost(engine, users.edge);
  });
  after(async () => {
    await edge?.stop();
    await host?.stop();
    feeder?.close();
    await engine?.stop();
    rmSync(folder, { recursive: true });
  });

  // The healthy edge's pictures while `work` goes on, and after it.
  async function beside(work) {
    const watcher = new Watcher(edge);
    const stuck = await NatsClient.connect(engine.nodes[0], users.stuck);
    try {
      await watcher.see(5);
      return await work(watcher, stuck);
    } finally {
      await watcher.close();
      await stuck.close();
    }
  }

  test('an edge with a credit that hangs is nothing to the other', () => beside(async (watcher, stuck) => {
    const taken = [];
    stuck.subscribe(kFrame, (message) => taken.push(message), { queue: 'stuck', max: 1 });
    await stuck.flush();
    await waitFor('its frame', () => taken.length === 1);
    stuck.hang();
    await onceOfThree(async () => {
      for (let i = 0; i < 5; ++i) stuck.subscribe(kFrame, () => {}, { queue: 'stuck', max: 1 });
      const begun = Date.now();
      await watcher.seeMore(45);
      const most = 1000 * slowness(begun);
      const gap = watcher.longestGap(begun);
      const oldest = Math.max(...watcher.seen.slice(-45).map(({ ageMs }) => ageMs));
      return gap < most && oldest < most ? '' : `${gap} ms without a picture, ${oldest} ms old, at most ${most}`;
    });
  }));

  test('one that takes everything and hangs holds the others no longer than the engine bears it', (t) => onceOfThree(() => beside(async (watcher, stuck) => {
    stuck.subscribe(kFrame);
    await stuck.flush();
    stuck.hang();
    const begun = Date.now();
    await waitFor('the engine to be through with it', async () => (await engine.nodes[0].connections()).every(({ authorized_user: user }) => user !== users.stuck.nkey));
    await watcher.seeSince(Date.now() + 500);
    const slower = slowness(begun);
    const gap = watcher.longestGap(begun);
    t.diagnostic(`${gap} ms without a picture, the engine was through after ${Date.now() - begun} ms`);
    const { ageMs } = watcher.seen.at(-1);
    return gap < 5000 * slower && ageMs < 1000 * slower ? '' : `${gap} ms without a picture, ${ageMs} ms old, ${slower} times slower`;
  })));
});

test('a picture of more than the engine takes is told, and no end of it', async () => {
  const folder = mkdtempSync('/dev/shm/picam-relay.');
  const users = { camera: cameraUser('garden'), edge: edgeUser('garden') };
  const socket = path.join(folder, 'camera.sock');
  const [small] = makePictures(folder, 1);
  const file = path.join(folder, 'large.jpg');
  execFileSync('convert', ['-size', '320x240', '-seed', '1', 'xc:gray', '+noise', 'Random', '-quality', '100', file]);
  const large = readFileSync(file);
  assert.ok(large.length > 70_000, `${large.length} bytes`);
  let picture = small;
  const feeder = new Feeder(socket, () => picture, { width: 320, height: 240 });
  const engine = await Engine.start({ users: Object.values(users), maxPayload: '64KB' });
  let host;
  let edge;
  try {
    host = await cameraHost(engine, users.camera, { flags: ['--camera.source', 'feed', '--camera.feed', socket] });
    edge = await edgeHost(engine, users.edge, { nginx: true });
    const watcher = new Watcher(edge);
    await watcher.see(5);
    picture = large;
    await waitFor('the reason', async () => {
      const { camera } = await edge.status();
      return camera.state === 'unavailable' && /more than the engine takes \(max_payload/.test(camera.reason);
    });
    const count = watcher.seen.length;
    picture = small;
    await watcher.seeMore(5);
    assert.ok(watcher.seen.slice(count).every(({ payload }) => payload.equals(small)));
    assert.equal((await edge.status()).camera.state, 'streaming');
    assert.equal((await fetch(`${edge.site.url}/pi.jpg`)).status, 200);
    await watcher.close();
    // A still goes in parts, each of what the engine takes.
    picture = large;
    let answer = '';
    await waitFor('a large still', async () => {
      const response = await fetch(`${edge.site.url}/pi.jpg`);
      const body = Buffer.from(await response.arrayBuffer());
      answer = `${response.status}, ${body.length} bytes ${body.length < 500 ? body : ''}`;
      return response.status === 200 && body.length > 70_000;
    }).catch((error) => { throw new Error(`${error.message}: ${answer}\n${host.relay.log}`); });
  } finally {
    await edge?.stop();
    await host?.stop();
    feeder.close();
    await engine.stop();
    rmSync(folder, { recursive: true });
  }
});
