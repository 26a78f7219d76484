// Crowds at the stream: viewers who come and go in thousands, and viewers who stop reading. Steady viewers keep their
// rate meanwhile, and nothing is left behind. Straight at streamd's socket, so that nginx hides nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Site, slowness, undisturbed, waitFor } from '../integration/harness.mjs';
import { staysFlat } from './memory.mjs';
import { clientFrame, handshake, RawViewer } from './raw-viewer.mjs';

const kClose = clientFrame(8, [0x03, 0xe8]);
const kFps = 15;
const kVisits = 10_000;
const kAtOnce = 500;
const kViewers = 200;
const kStalled = 50;
const kAckTimeoutMs = 10000; // longer than this process may stand still
const kPauseMs = 500; // of this process, in which nobody gets frames
const kRateKept = 0.8; // of the frames that a steady viewer should get; the machine is busy with the crowd itself

describe('a crowd', () => {
  let site;
  let pid;
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;

  // Runs `work`, and holds that each steady viewer got its share of the frames meanwhile.
  async function keepingTheRate(steady, work) {
    const before = steady.map((viewer) => viewer.frames);
    const begun = Date.now();
    await work();
    const due = ((Date.now() - begun) / 1000 / slowness(begun)) * kFps;
    steady.forEach((viewer, i) => {
      assert.ok(!viewer.ended);
      assert.ok(viewer.frames - before[i] >= kRateKept * due - 1, `${viewer.frames - before[i]} of ${due.toFixed(0)} frames`);
    });
  }

  before(async () => {
    site = await Site.start(['--stream.size', '160x120', '--stream.fps', String(kFps), '--stream.linger', '0s',
      '--stream.max_viewers', '2000', '--stream.ack_timeout', `${kAckTimeoutMs}ms`], { nginx: false });
    pid = site.streamd.process.pid;
  });
  after(() => site?.stop());

  test(`${kVisits} viewers come and go, ${kAtOnce} at once, half of them without a close frame`, () => undisturbed(kPauseMs, async () => {
    const steady = Array.from({ length: 5 }, () => new RawViewer({ path: site.socket('stream') }));
    let atRest;
    const visit = async (number) => {
      const socket = net.connect(site.socket('stream'));
      socket.on('error', () => {});
      socket.write(handshake(number % 4 < 2 ? 'picam.v1' : null));
      const [answer] = await once(socket, 'data');
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101/);
      const closed = once(socket, 'close');
      if (number % 2) socket.resume().write(kClose);
      else socket.destroy();
      await closed;
    };
    const visits = async (count) => {
      let next = 0;
      await Promise.all(Array.from({ length: kAtOnce }, async () => {
        while (next < count) await visit(next++);
      }));
      await waitFor('closed descriptors', () => descriptors() <= atRest);
    };
    try {
      await waitFor('steady viewers', () => steady.every((viewer) => viewer.frames > 5));
      atRest = descriptors();
      await keepingTheRate(steady, async () => {
        await staysFlat(pid, () => visits(kVisits / 2));
      });
    } finally {
      for (const viewer of steady) viewer.socket.destroy();
    }
    await waitFor('nobody', async () => (await site.status()).camera.state === 'idle');
    assert.ok(site.streamd.running);
  }));

  test(`${kViewers} viewers, of whom ${kStalled} stop reading`, () => undisturbed(kPauseMs, async () => {
    const steady = Array.from({ length: kViewers - kStalled }, () => new RawViewer({ path: site.socket('stream') }));
    let acknowledged; // when they were heard last
    const stalled = Array.from({ length: kStalled }, () => new RawViewer({ path: site.socket('stream') }, () => { acknowledged = Date.now(); }));
    try {
      await waitFor('all viewers', () => [...steady, ...stalled].every((viewer) => viewer.frames > 2));
      for (const viewer of stalled) viewer.socket.pause();
      await keepingTheRate(steady, () => waitFor('the stalled ones to be closed', async () =>
        (await site.status()).viewers.total === kViewers - kStalled, kAckTimeoutMs + 20000));
      assert.ok(Date.now() - acknowledged >= kAckTimeoutMs, 'they were given their time');
      for (const viewer of stalled) viewer.socket.destroy();
      // And a while without them.
      const until = steady[0].frames + 2 * kFps;
      await keepingTheRate(steady, () => waitFor('two seconds of frames', () => steady[0].frames >= until));
    } finally {
      for (const viewer of [...steady, ...stalled]) viewer.socket.destroy();
    }
    await waitFor('nobody', async () => (await site.status()).camera.state === 'idle');
    assert.ok(site.streamd.running);
  }));
});
