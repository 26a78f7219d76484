// A viewer of picam.v2 behind links of all kinds, through nginx, of clips that look like a camera's: thirty fresh frames
// a second over a megabit, a chain that never breaks, and a stream that ffmpeg decodes. The bars, with their figures, are
// the benchmark's; here each has room for a busy machine.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { onceOfThree, Site, waitFor } from '../integration/harness.mjs';
import { makeClip } from '../integration/clips.mjs';
import { RawViewer } from './raw-viewer.mjs';
import { seenOver, seenWell, SlowLink } from './slow-link.mjs';
import { Chain } from './video-chain.mjs';

const kFps = 30;
const kMostBeginnings = 3; // of a chain on a good link: a machine that stands still breaks it, perhaps twice
const kSettleSeconds = 2;
const kMegabit = { bitsPerSecond: 1e6, roundTripMs: 20 };
const kRoomMs = 150; // beside a bar, for a busy machine

for (const kind of ['pan', 'light', 'cut']) {
  describe(`a ${kind}`, () => {
    let folder;
    let site;
    before(async () => {
      folder = mkdtempSync('/dev/shm/picam-video.');
      site = await Site.start(['--camera.source', 'replay', '--camera.file', makeClip(folder, kind), '--stream.size', '640x480',
        '--stream.fps', String(kFps), '--stream.ack_timeout', '60s']);
    });
    after(async () => {
      await site?.stop();
      rmSync(folder, { recursive: true });
    });

    async function behind(link, work) {
      const chain = new Chain();
      const slow = await SlowLink.to(site.port, link);
      const viewer = new RawViewer({ port: slow.port, host: '127.0.0.1' }, (frame) => { chain.add(frame); }, { take: ['h264', 'jpeg'] });
      try {
        await waitFor('frames', () => viewer.frames > 1);
        assert.equal(chain.frames[0].codec, 'h264');
        await work(viewer, chain, slow);
        assert.equal(chain.broken, 0);
        chain.decode();
      } finally {
        viewer.socket.destroy();
        await slow.close();
      }
    }

    const say = ({ fps, p50, p99 }, chain) => `${fps.toFixed(1)} fps, ages ${p50?.toFixed(0)} / ${p99?.toFixed(0)} ms, ${
      chain.on(0)} full, ${chain.on(1)} half, ${chain.jpegs} JPEGs, ${chain.keys} keys, ${
      Math.max(...chain.frames.map((frame) => frame.bytes))} bytes the largest`;

    // So many frames a second, so fresh, and of them `holds`: in one window of so many seconds, as seenWell() has them.
    async function sees(t, viewer, chain, seconds, { least, most, holds }) {
      let had = chain.frames.length;
      let said;
      await seenWell(viewer, seconds, kSettleSeconds, (seen) => {
        const now = chain.since(had);
        had = chain.frames.length;
        said = say(seen, now);
        return !(seen.fps >= least / seen.slower && seen.p99 <= (most + kRoomMs) * seen.slower && holds(now)) && said;
      });
      t.diagnostic(said);
    }
    const noPictures = ({ jpegs }) => jpegs === 0;

    test('over 1 Mbit/s, 20 ms', async (t) => {
      await behind(kMegabit, (viewer, chain) => sees(t, viewer, chain, 12, { least: 24, most: 200, holds: noPictures }));
    });

    if (kind !== 'pan') return;
    for (const [name, there, between] of [['2, 0.5 and 2', 2e6, 0.5e6], ['1, 0.2 and 1', 1e6, 0.2e6]]) {
      test(`over ${name} Mbit/s`, async (t) => {
        await behind({ bitsPerSecond: there, roundTripMs: 20 }, async (viewer, chain, link) => {
          await onceOfThree(async () => {
            await sees(t, viewer, chain, 3, { least: 20, most: 600, holds: noPictures });
            link.set({ bitsPerSecond: between, roundTripMs: 20 });
            const slow = await seenOver(viewer, 5, 0);
            t.diagnostic(say(slow, chain));
            link.set({ bitsPerSecond: there, roundTripMs: 20 });
            const again = await seenOver(viewer, 5, 0);
            t.diagnostic(say(again, chain));
            return slow.p99 <= (600 + kRoomMs) * slow.slower && again.fps >= 20 / again.slower ? '' : `p99 ${slow.p99} ms, then ${again.fps} fps`;
          });
        });
      });
    }

    for (const [name, bitsPerSecond] of [['1 Mbit/s', 1e6], ['10 Mbit/s', 10e6]]) {
      test(`over ${name}, 20 ms, that loses a packet in a hundred`, async (t) => {
        await behind({ bitsPerSecond, roundTripMs: 20, loss: 0.01 }, (viewer, chain) => sees(t, viewer, chain, 8, { least: 20, most: 250, holds: noPictures }));
      });
    }

    for (const [name, link] of [['10 Mbit/s, 20 ms', { bitsPerSecond: 10e6, roundTripMs: 20 }], ['100 Mbit/s, 100 ms', { bitsPerSecond: 100e6, roundTripMs: 100 }]]) {
      test(`over ${name}: all frames`, async (t) => {
        await behind(link, async (viewer, chain) => {
          const holds = (now) => now.jpegs === 0 && now.on(1) === 0 && now.keys === 0;
          await sees(t, viewer, chain, 5, { least: 27, most: link.roundTripMs / 2 + 60, holds });
          assert.ok(chain.beginnings <= kMostBeginnings, `${chain.beginnings} key frames to begin with`);
        });
      });
    }
  });
}
