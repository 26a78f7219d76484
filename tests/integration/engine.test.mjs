// The tests' own engine and client of it: what tests of the relay build upon.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cameraUser, edgeUser, Engine } from './engine.mjs';
import { waitFor } from './harness.mjs';
import { NatsClient, newUser } from './nats.mjs';

test('a user is an nkey', () => {
  const user = newUser(Buffer.from(Array.from({ length: 32 }, (_, i) => i)));
  assert.match(user.nkey, /^U[A-Z2-7]{55}$/);
  assert.match(user.seed, /^SU[A-Z2-7]{56}$/);
  assert.notEqual(newUser().nkey, user.nkey);
});

describe('an engine of three nodes', () => {
  const camera = cameraUser('garden');
  const edge = edgeUser('garden');
  let engine;
  const open = [];
  const connect = async (node, user) => {
    const client = await NatsClient.connect(engine.nodes[node], user);
    open.push(client);
    return client;
  };
  before(async () => { engine = await Engine.start({ nodes: 3, users: [camera, edge] }); });
  after(async () => {
    for (const client of open) await client.close();
    await engine?.stop();
  });

  test('carries what a camera says to an edge at another node, and its answers', async () => {
    const garden = await connect(0, camera);
    const viewer = await connect(1, edge);
    const frames = [];
    viewer.subscribe('picam.v1.garden.frame', ({ data }) => frames.push(data), { queue: 'viewer', max: 2 });
    garden.subscribe('picam.v1.garden.want', ({ data, reply }) => garden.publish(reply, `to ${data}`));
    await Promise.all([viewer.flush(), garden.flush()]);
    const inbox = `_picam.${edge.nkey}`;
    const answer = await waitFor('a subscription to cross the cluster', async () => {
      const said = await viewer.request('picam.v1.garden.want', 'x', inbox);
      return said.headers === '' && said;
    });
    assert.equal(String(answer.data), 'to x');
    const picture = Buffer.alloc(100_000, 7);
    for (let i = 0; i < 3; ++i) garden.publish('picam.v1.garden.frame', picture);
    await waitFor('two frames', () => frames.length === 2);
    assert.ok(frames.every((frame) => frame.equals(picture)));
    assert.match((await viewer.request('picam.v1.garden.still', '{}', inbox)).headers, /^NATS\/1.0 503/, 'nobody there');
    await viewer.flush();
    assert.equal(frames.length, 2, 'two credits are two frames');
    assert.deepEqual([...garden.errors, ...viewer.errors], []);
  });

  test('lets nobody do anything else', async () => {
    const garden = await connect(0, camera);
    const viewer = await connect(1, edge);
    garden.publish('picam.v1.shed.frame', 'x');
    garden.subscribe('picam.v1.garden.frame');
    viewer.publish('picam.v1.garden.frame', 'x');
    viewer.subscribe('picam.v1.shed.frame');
    viewer.subscribe(`_picam.${camera.nkey}.>`);
    await Promise.all([garden.flush(), viewer.flush()]);
    assert.deepEqual(garden.errors.map((error) => /for (Publish|Subscription) to/.exec(error)[1]), ['Publish', 'Subscription']);
    assert.deepEqual(viewer.errors.map((error) => /for (Publish|Subscription) to/.exec(error)[1]), ['Publish', 'Subscription', 'Subscription']);
    await assert.rejects(NatsClient.connect(engine.nodes[0], newUser()), /Authorization Violation/);
    await assert.rejects(NatsClient.connect(engine.nodes[0], null), /Authorization Violation/);
  });

  test('goes on without a node, and with it again', async () => {
    await engine.nodes[2].kill();
    await waitFor('the others to know', async () => (await engine.nodes[0].routes()) < 2);
    await engine.nodes[2].start();
    await engine.whole();
    engine.nodes[2].hang();
    engine.nodes[2].goOn();
    const client = await engine.connect(engine.nodes[2]);
    await client.flush();
    await client.close();
  });
});
