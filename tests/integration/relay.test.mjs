// Pictures of one camera at three edges, by picam-relay and an engine of three nodes: they are the camera's own, and
// nothing runs while nobody looks.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clientFrame } from '../faults/raw-viewer.mjs';
import { cameraUser, edgeUser, Engine } from './engine.mjs';
import { fakedClock } from './faked-clock.mjs';
import { assertWithin, jpegSize, ServiceManager, slowness, Viewer, waitFor } from './harness.mjs';
import { cameraHost, edgeHost, FeedClient, frameOf, makePictures, Relay, Watcher } from './reach.mjs';

const kFps = 15;
const kHourMs = 3_600_000;
const kStillAgainMs = 6000; // it is asked for every two seconds

describe('a camera and three edges', () => {
  const folder = mkdtempSync('/dev/shm/picam-relay.');
  const pictures = path.join(folder, 'pictures');
  const users = { garden: cameraUser('garden'), yard: cameraUser('yard'), edges: ['garden', 'garden', '*'].map(edgeUser) };
  const carried = []; // the messages of the camera's subjects
  const frames = () => carried.filter(({ subject }) => subject === 'picam.v1.garden.frame');
  let jpegs;
  let engine;
  let host;
  let edges = [];
  let client;
  let manager; // of the camera's host
  const shown = (status) => waitFor(`the status ${status}`, () => status.test(manager.status ?? '')).catch((error) => { throw new Error(`${error.message}, not ${manager.status}`); });
  // Nobody looks, and all of them have come to know it.
  const idle = () => waitFor('the cameras to be closed', async () => (await Promise.all([host, ...edges].map((place) => place.isIdle()))).every(Boolean));
  const watchAll = () => edges.map((edge) => new Watcher(edge));
  const closeAll = (watchers) => Promise.all(watchers.map((watcher) => watcher.close()));

  before(async () => {
    jpegs = makePictures(pictures, 12);
    engine = await Engine.start({ nodes: 3, users: [users.garden, users.yard, ...users.edges] });
    client = await engine.connect();
    client.subscribe('picam.v1.garden.>', (message) => carried.push({ ...message, at: Date.now() }));
    await client.flush();
    manager = await ServiceManager.start();
    host = await cameraHost(engine, users.garden, { env: manager.env, flags: ['--camera.source', 'replay', '--camera.file', pictures, '--stream.fps', String(kFps), '--stream.size', '320x240', '--camera.stall', '30s'] });
    // Each at another node.
    edges = await Promise.all(users.edges.map((user, i) => edgeHost(engine, user, { nginx: i === 0, servers: [engine.urls[i]] })));
  });
  after(async () => {
    await client?.close();
    for (const place of [...edges, host]) await place?.stop();
    await engine?.stop();
    await manager?.stop();
    rmSync(folder, { recursive: true });
  });

  test('while nobody looks the camera is closed, and the engine carries no frame', async () => {
    await idle();
    await shown(/^connected to tls:\/\/localhost:\d+; idle$/);
    assert.equal(frames().length, 0);
    assert.equal((await host.status()).camera.starts, 0);
    assert.equal((await host.status()).viewers.total, 0);
  });

  test('pictures at every edge are the camera\'s, byte for byte, and cross its uplink once', async () => {
    const watchers = watchAll();
    await Promise.all(watchers.map((watcher) => watcher.see(30)));
    await shown(/; 3 edges, \d+ fps$/);
    await waitFor('a picture of now at every edge', () => watchers.every(({ seen }) => seen.at(-1).ageMs < 3000));
    await closeAll(watchers);
    for (const { seen } of watchers) {
      for (const { payload, capturedMs, at } of seen) {
        assert.ok(jpegs.some((jpeg) => jpeg.equals(payload)), 'another picture than the camera\'s');
        assert.ok(at - capturedMs < 60_000 && at - capturedMs > -50, `${at - capturedMs} ms old`);
      }
      assert.ok(new Set(seen.map(({ payload }) => payload.toString('base64'))).size > 6, 'the same picture again and again');
    }
    const sequences = frames().map(({ data }) => frameOf(data).sequence);
    assert.equal(new Set(sequences).size, sequences.length, 'a frame was published twice');
    assert.ok(Math.max(...watchers.map(({ seen }) => seen.length)) <= sequences.length);
    await idle();
    assert.equal((await host.status()).camera.starts, 1);
    const heard = () => carried.filter(({ subject }) => !subject.endsWith('.want')).length;
    let count;
    let since;
    let looks;
    await waitFor('a second of silence', () => {
      if (heard() !== count) [count, since, looks] = [heard(), Date.now(), 0];
      return Date.now() - since > 1000 && ++looks > 10;
    });
    assert.equal((await host.status()).viewers.total, 0);
  });

  test('who takes five pictures a second at an edge takes as many of the uplink and of the camera', async () => {
    const watcher = new Watcher(edges[1]);
    await watcher.see(1);
    watcher.socket.write(clientFrame(1, '{"type":"rate","fps":5}'));
    // Over two seconds; a machine with other things to do may be behind.
    const inTwoSeconds = () => frames().filter(({ at }) => at > Date.now() - 2000).length;
    const begun = Date.now();
    const least = () => 8 / slowness(begun);
    await waitFor('five frames a second', () => Date.now() - begun > 2000 && inTwoSeconds() <= 12 && inTwoSeconds() >= least());
    const from = Date.now();
    const before = (await host.status()).frames;
    const sent = frames().length;
    await watcher.seeMore(10);
    const { frames: now } = await host.status();
    const most = 5 * (Date.now() - from) / 1000 + 6;
    assert.ok(now.sent - before.sent <= most, `${now.sent - before.sent} frames of streamd at the camera's host, at most ${most}`);
    assert.ok(frames().length - sent <= most, `${frames().length - sent} frames on the uplink, at most ${most}`);
    // Another wants more; and leaves.
    const other = new Watcher(edges[2]);
    await waitFor('as many as the other takes', () => inTwoSeconds() > 16 / slowness(begun));
    await other.close();
    await waitFor('five frames a second again', () => inTwoSeconds() <= 12);
    await watcher.close();
    await idle();
  });

  test('why there is no picture is told at every edge; it is back with the camera', async () => {
    renameSync(pictures, `${pictures}.away`);
    const watchers = watchAll();
    const reason = new RegExp(`cannot open .*${pictures}`);
    await waitFor('the reason at every edge', async () => {
      const said = await Promise.all(edges.map((edge) => edge.status()));
      return said.every(({ camera }) => camera.state === 'unavailable' && reason.test(camera.reason));
    });
    await shown(new RegExp(`; 3 edges, .*; unavailable: ${reason.source}`));
    const viewer = new Viewer(edges[0].site, { protocols: ['picam.v1'] });
    await waitFor('the reason in the stream', () => viewer.messages.some((m) => m.state === 'unavailable' && reason.test(m.reason)));
    await viewer.close();
    const response = await fetch(`${edges[0].site.url}/pi.jpg`);
    assert.equal(response.status, 503);
    assert.match(await response.text(), reason);
    renameSync(`${pictures}.away`, pictures);
    await Promise.all(watchers.map((watcher) => watcher.see(5)));
    await shown(/; 3 edges, \d+ fps$/);
    await closeAll(watchers);
    await idle();
  });

  test('a still is the camera\'s still, of its size; a clock that is hours off is translated', async () => {
    const clock = fakedClock(folder);
    clock.set('-7h');
    let yard;
    let edge;
    try {
      yard = await cameraHost(engine, users.yard, { camera: 'yard', env: clock.env, flags: ['--camera.source', 'pattern', '--snapshot.size', '2592x1944', '--snapshot.quality', '100'] });
      edge = await edgeHost(engine, users.edges[2], { camera: 'yard', nginx: true });
      const near = (ms) => Math.abs(ms - Date.now()) < kHourMs / 60;
      const stills = async () => {
        const asked = Date.now();
        const response = await waitFor('a still', async () => {
          const answer = await fetch(`${edge.site.url}/pi.jpg`);
          return answer.status === 200 ? answer : void await answer.text();
        });
        const bytes = Buffer.from(await response.arrayBuffer());
        assert.ok(near(Date.parse(response.headers.get('x-picam-captured'))), response.headers.get('x-picam-captured'));
        assert.ok(Number(response.headers.get('x-picam-age-ms')) < 3000 * slowness(asked));
        return bytes;
      };
      const bytes = await stills();
      assert.equal(jpegSize(bytes), '2592x1944');
      assert.ok(bytes.length > 2 * 65536, `${bytes.length} bytes are in one part`);
      await waitFor('both cameras to be closed', async () => (await edge.isIdle()) && (await yard.isIdle()));
      // Beside a stream, too, and the stream goes on.
      const watcher = new Watcher(edge);
      await watcher.see(5);
      for (const frame of watcher.seen) assert.ok(near(frame.capturedMs), new Date(frame.capturedMs).toISOString());
      assert.equal(watcher.seen[0].size, '640x480');
      await stills();
      await watcher.seeMore(5);
      // It is set right, as when the network comes.
      clock.set('+0h');
      await watcher.seeMore(10);
      for (const frame of watcher.seen) assert.ok(near(frame.capturedMs), new Date(frame.capturedMs).toISOString());
      for (let i = 1; i < watcher.seen.length; ++i) assert.ok(watcher.seen[i].capturedMs > watcher.seen[i - 1].capturedMs - 1000);
      await watcher.close();
    } finally {
      await edge?.stop();
      await yard?.stop();
    }
  });
});

test('who takes stills alone hears that the camera\'s host is gone, and has one soon after it is back', async () => {
  const folder = mkdtempSync('/dev/shm/picam-relay.');
  const users = { camera: cameraUser('garden'), edge: edgeUser('garden') };
  const engine = await Engine.start({ users: Object.values(users) });
  const edge = new Relay('join', engine, users.edge, { folder, run: folder });
  let host;
  let feed;
  try {
    host = await cameraHost(engine, users.camera, { flags: ['--snapshot.size', '320x240'] });
    edge.start();
    await edge.connected();
    feed = new FeedClient(edge.feed, { feed: 1, still: true, width: 320, height: 240, fps: 1 });
    await waitFor('a still', () => feed.frames.length > 0);
    await host.relay.kill();
    await feed.hears(/offline/);
    const begun = Date.now();
    const count = feed.frames.length;
    await host.startRelay();
    await waitFor('a still again', () => feed.frames.length > count, 60_000);
    assertWithin(begun, kStillAgainMs, 'a still');
  } finally {
    feed?.close();
    await edge.end();
    await host?.stop();
    await engine.stop();
    rmSync(folder, { recursive: true });
  }
});
