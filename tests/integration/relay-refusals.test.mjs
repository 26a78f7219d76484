// Who is not let in: by the engine, which asks for keys and gives each its camera; and by picam-relay, which asks the
// engine for a certificate. Each says why, where the owner looks, and there is no picture.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cameraUser, edgeUser, Engine, newAuthority } from './engine.mjs';
import { waitFor } from './harness.mjs';
import { newUser } from './nats.mjs';
import { cameraHost, edgeHost, FeedClient, Relay, Watcher } from './reach.mjs';

describe('picam-relay and an engine', { concurrency: true }, () => {
  const folder = mkdtempSync('/dev/shm/picam-refusals.');
  const users = { garden: cameraUser('garden'), shed: cameraUser('shed'), garden2: edgeUser('garden'), shed2: edgeUser('shed') };
  let engine;
  let host;
  before(async () => {
    engine = await Engine.start({ users: Object.values(users) });
    host = await cameraHost(engine, users.garden, { flags: ['--stream.size', '320x240'] });
  });
  after(async () => {
    await host?.stop();
    await engine?.stop();
    rmSync(folder, { recursive: true });
  });

  // An edge's relay alone, of which a program wants pictures: `heard` of the log and of the feed.
  async function refused(user, options, inLog, inFeed) {
    const own = mkdtempSync(path.join(folder, 'edge.'));
    const relay = new Relay('join', engine, user, { folder: own, run: own, ...options });
    relay.start();
    try {
      await relay.says(/ready/);
      const feed = await waitFor('the feed', async () => {
        const client = new FeedClient(relay.feed);
        await new Promise((resolve) => { client.socket.on('connect', resolve).on('close', resolve); });
        return client.ended ? null : client;
      });
      await relay.says(inLog);
      await feed.hears(inFeed);
      assert.equal(feed.frames.length, 0);
      feed.close();
      assert.ok(relay.child.running, 'it waits for better days');
    } finally {
      await relay.end();
    }
  }

  test('with the right key: pictures', async () => {
    const edge = await edgeHost(engine, users.garden2);
    try {
      const watcher = new Watcher(edge);
      await watcher.see(3);
      await watcher.close();
      assert.equal(statSync(edge.relay.feed).mode & 0o007, 0, 'others may not read it');
    } finally {
      await edge.stop();
    }
  });

  test('an edge whose key is for another camera', () => refused(users.shed2, {}, /Permissions Violation.*picam\.v1\.garden/i, /the camera's host does not answer/));
  test('a key that the engine does not know', () => refused(newUser(), {}, /does not let this key in/, /no connection to the engine.*does not let this key in/));
  test('no key', () => refused(null, {}, /does not let this key in/, /no connection to the engine.*does not let this key in/));
  test('an engine of another authority', () => refused(users.garden2, { ca: newAuthority(path.join(folder, 'other')).file },
    /certificate/i, /no connection to the engine.*certificate/i));
  test('a file of authorities that is not there', () => refused(users.garden2, { ca: path.join(folder, 'none.pem') },
    /none\.pem/i, /no connection to the engine.*none\.pem/i));
  test('an engine whose certificate names another host', async () => {
    const other = await Engine.start({ users: Object.values(users), hosts: ['other.example', '127.0.0.1'] });
    try {
      await refused(users.garden2, { servers: other.urls, ca: other.authority.file }, /certificate|hostname/i, /no connection to the engine.*(certificate|hostname)/i);
      assert.deepEqual(await other.nodes[0].connections(), []);
    } finally {
      await other.stop();
    }
  });
  test('nobody listens there', () => refused(users.garden2, { servers: ['tls://localhost:1'] }, /no connection to the engine/, /no connection to the engine/));

  test('a server that says nothing once TLS has begun: it can be stopped', async () => {
    const own = mkdtempSync(path.join(folder, 'edge.'));
    let hello = false;
    const silent = net.createServer((socket) => {
      socket.on('error', () => {}).on('data', () => { hello = true; });
      socket.write('INFO {"server_id":"silent","version":"2.10.0","proto":1,"tls_required":true,"max_payload":1048576}\r\n');
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const relay = new Relay('join', engine, users.garden2, { folder: own, run: own, servers: [`tls://localhost:${silent.address().port}`] });
    relay.start();
    try {
      await waitFor('TLS to begin', () => hello);
    } finally {
      await relay.end();
      silent.close();
    }
    assert.match(relay.log, /neither let in nor refused/);
  });

  test('a seed that others may read: it does not even start', async () => {
    const open = path.join(folder, 'open');
    mkdirSync(open);
    const relay = new Relay('join', engine, users.garden2, { folder: open, run: open, seedMode: 0o644 });
    relay.start();
    assert.notEqual((await relay.child.ended).code, 0);
    assert.match(relay.log, /relay\.seed: .*relay\.seed is a private key that others may read/);
  });

  test('a camera\'s key for another camera: nobody hears what edges want', async () => {
    const client = await engine.connect();
    const impostor = await cameraHost(engine, users.shed, { camera: 'attic' });
    try {
      await impostor.relay.says(/Permissions Violation.*picam\.v1\.attic\./i);
      const want = JSON.stringify({ edge: 'test', fps: 10, lease_ms: 5000, t: 1 });
      assert.match((await client.request('picam.v1.attic.want', want)).headers, /^NATS\/1\.0 503/);
      assert.equal(JSON.parse((await client.request('picam.v1.garden.want', want)).data).t, 1, 'as a camera with its own key does');
    } finally {
      await impostor.stop();
      await client.close();
    }
  });
});
