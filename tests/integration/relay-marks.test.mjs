// What a camera's picam-relay makes of an engine that errs: marks that are lost, that come twice or are nobody's, a right
// key that is refused; and of edges that change their minds all the time, or are too many.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { cameraUser } from './engine.mjs';
import { FakeBus } from './fake-bus.mjs';
import { undisturbed, waitFor } from './harness.mjs';
import { cameraHost, Relay } from './reach.mjs';

const kFps = 30;
const kCamera = 'picam.v1.garden';
const kMostInFlight = 8; // one or two, on a link as fast as this
const kChanges = 400;
const kInbox = '_picam.test.want';
const kForged = 5000; // more than are remembered
const kPauseMs = 1000; // in this process is the bus, and one that stands still for twice as long is given up

// A camera at a bus that carries marks back as `onMark(mark, client)` does it, and an edge that wants all of its frames.
async function published(onMark, work) {
  const frames = []; // {at, client}
  const answers = []; // to wishes
  const bus = await FakeBus.start(({ subject, data }, client) => {
    if (subject === `${kCamera}.mark`) onMark(data, client);
    if (subject === `${kCamera}.frame`) frames.push({ at: Date.now(), client });
    if (subject === kInbox) answers.push(JSON.parse(data));
  });
  let host;
  try {
    host = await cameraHost(bus, null, { flags: ['--stream.size', '320x240', '--stream.fps', String(kFps), '--camera.stall', '30s'] });
    const want = async (edge, wished, lease = 30_000) => (await bus.client(`${kCamera}.want`)).deliver(`${kCamera}.want`, JSON.stringify({ edge, fps: wished, lease_ms: lease, t: 1 }), kInbox);
    await want('edge', kFps);
    await work({ bus, host, frames, answers, want, more: (count, ms) => {
      const from = frames.length;
      return waitFor(`${count} more frames:\n${host.relay.log}`, () => frames.length >= from + count, ms);
    } });
  } finally {
    await host?.stop();
    await bus.stop();
  }
}
const back = (mark, client) => client.deliver(`${kCamera}.mark`, mark);

test('a mark that is lost: the next one stands for it', () => undisturbed(kPauseMs, async () => {
  let marks = 0;
  await published((mark, client) => {
    marks += 1;
    if (marks % 5 !== 0) back(mark, client);
  }, async ({ bus, more }) => {
    await more(60);
    assert.ok(marks > 60);
    assert.equal(bus.clients.length, 1, 'the connection is the first one');
  });
}));

test('marks that come twice, late, or are nobody\'s open no window', async () => {
  let quiet = false;
  let last;
  await published((mark, client) => {
    if (!quiet) back(last = mark, client);
    // Of another process, of before, of no size that a mark has.
    for (const other of [randomBytes(8), last, Buffer.alloc(0), randomBytes(7), randomBytes(9), Buffer.alloc(8)]) client.deliver(`${kCamera}.mark`, other);
  }, async ({ bus, frames, more }) => {
    await more(30);
    quiet = true;
    const from = frames.length;
    await waitFor('the server to be given up', () => bus.clients.length > 1);
    const unmarked = frames.slice(from).filter(({ client }) => client === bus.clients[0]).length;
    assert.ok(unmarked <= kMostInFlight, `${unmarked} frames went out, none of which had come back`);
    quiet = false;
    await more(30);
  });
});

test('a server that carries no mark back is left for another one, and pictures go on there', () => undisturbed(kPauseMs, async () => {
  let deaf = null;
  await published((mark, client) => {
    if (client !== deaf) back(mark, client);
  }, async ({ bus, host, more, frames }) => {
    await more(10);
    [deaf] = bus.clients;
    await host.relay.says(/it does not answer/);
    await waitFor('frames by another connection', () => frames.at(-1)?.client !== deaf);
    await more(30);
    assert.equal(bus.clients.length, 2);
  });
}));

test('an edge that changes its mind all the time: the camera stays open, and the last wish holds', () => undisturbed(kPauseMs, () => published(back, async ({ host, want, more, frames }) => {
  await more(5);
  const { starts } = (await host.status()).camera;
  for (let i = 0; i < kChanges; ++i) {
    await want('edge', 1 + (i % 29));
    if (i % 20 === 0) await more(1);
  }
  await want('edge', 5);
  const rate = (count) => (1000 * (count - 1)) / (frames.at(-1).at - frames.at(-count).at);
  await waitFor('five frames a second', () => frames.length > 10 && Math.abs(rate(10) - 5) < 1);
  assert.doesNotMatch(host.relay.log, /has gone|does not let|unavailable/);
  assert.equal((await host.status()).camera.starts, starts);
})));

test('edges that are none, and too many: the one that looks has its pictures; one that comes is told', async () => {
  await published(back, async ({ host, want, more, answers }) => {
    await more(5);
    // In pieces: who floods it loses the rest.
    for (let i = 0; i < kForged; ++i) {
      await want(`forged ${i}`, 1, 30_000);
      if (i % 200 > 0) continue;
      await want('edge', kFps);
      await more(1);
    }
    await more(30);
    assert.equal((await host.status()).camera.state, 'streaming');
    await want('late', 30);
    await waitFor('the answer to one too many', () => answers.some(({ state, reason }) => state === 'unavailable' && reason === 'too many edges'));
  });
});

for (const [what, refusals, told] of [['once', 1, false], ['twice', 2, true]]) {
  test(`the right key is refused ${what}: ${told ? 'it is told' : 'it is shown again before anybody hears of it'}, and there is a connection`, () => undisturbed(kPauseMs, async () => {
    const folder = mkdtempSync('/dev/shm/picam-marks.');
    const bus = await FakeBus.start(() => {}, { refusals });
    const relay = new Relay('publish', bus, cameraUser('garden'), { folder, run: folder });
    try {
      relay.start();
      await relay.connected();
      assert.equal(bus.clients.length, refusals + 1);
      assert.equal(/does not let this key in/.test(relay.log), told);
    } finally {
      await relay.end();
      await bus.stop();
      rmSync(folder, { recursive: true });
    }
  }));
}
