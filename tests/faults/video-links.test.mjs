// A viewer of picam.v2 behind links of all kinds, through nginx, of clips that look like a camera's: thirty fresh frames
// a second over a megabit, a chain that never breaks, and a stream that ffmpeg decodes. The bars, with their figures, are
// the benchmark's; here each has room for a busy machine.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Site, waitFor } from '../integration/harness.mjs';
import { makeClip } from '../integration/clips.mjs';
import { RawViewer } from './raw-viewer.mjs';
import { seenOver, SlowLink } from './slow-link.mjs';

const kFps = 30;
const kSettleSeconds = 2;
const kMegabit = { bitsPerSecond: 1e6, roundTripMs: 20 };
const kRoomMs = 150; // beside a bar, for a busy machine

// Collects what a viewer gets, and whether each frame continues what it has.
class Chain {
  constructor() {
    this.frames = [];
    this.broken = 0;
  }

  add(frame) {
    const before = this.frames.at(-1);
    const continues = before && before.codec === 'h264' && before.rung === frame.rung && before.sequence + 1n === frame.sequence;
    if (frame.codec === 'h264' && !frame.key && !continues) ++this.broken;
    this.frames.push(frame);
  }

  get keys() { return this.frames.filter((frame) => frame.codec === 'h264' && frame.key).length; }
  on(rung) { return this.frames.filter((frame) => frame.codec === 'h264' && frame.rung === rung).length; }
  get jpegs() { return this.frames.filter((frame) => frame.codec === 'jpeg').length; }
}

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
        await work(viewer, chain, slow);
        assert.equal(chain.broken, 0);
        decode(chain);
      } finally {
        viewer.socket.destroy();
        await slow.close();
      }
    }

    // As much as was sent is shown, without a complaint.
    function decode(chain) {
      const file = path.join(folder, 'seen.h264');
      const video = chain.frames.filter((frame) => frame.codec === 'h264');
      writeFileSync(file, Buffer.concat(video.map((frame) => frame.payload)));
      const { stderr } = spawnSync('ffmpeg', ['-nostdin', '-v', 'repeat+warning', '-f', 'h264', '-i', file, '-f', 'null', '-'], { encoding: 'utf8' });
      assert.equal(stderr.split('\n').filter((line) => !/Changing video frame properties|deprecated pixel format/.test(line)).join('\n').trim(), '');
      const counted = execFileSync('ffprobe', ['-v', 'error', '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'default=nw=1:nk=1', file], { encoding: 'utf8' });
      assert.equal(Number(counted.trim()), video.length);
    }

    const say = (t, { fps, p50, p99 }, chain) => t.diagnostic(`${fps.toFixed(1)} fps, ages ${p50.toFixed(0)} / ${p99.toFixed(0)} ms, ${
      chain.on(0)} full, ${chain.on(1)} half, ${chain.jpegs} JPEGs, ${chain.keys} keys, ${
      Math.max(...chain.frames.map((frame) => frame.bytes))} bytes the largest`);

    test('over 1 Mbit/s, 20 ms', async (t) => {
      await behind(kMegabit, async (viewer, chain) => {
        const seen = await seenOver(viewer, 12, kSettleSeconds);
        say(t, seen, chain);
        assert.ok(seen.fps >= 24 / seen.slower, `${seen.fps} fps`);
        assert.ok(seen.p99 <= (200 + kRoomMs) * seen.slower, `p99 ${seen.p99} ms`);
        assert.equal(chain.jpegs, 0);
      });
    });

    if (kind !== 'pan') return;
    for (const [name, there, between] of [['2, 0.5 and 2', 2e6, 0.5e6], ['1, 0.2 and 1', 1e6, 0.2e6]]) {
      test(`over ${name} Mbit/s`, async (t) => {
        await behind({ bitsPerSecond: there, roundTripMs: 20 }, async (viewer, chain, link) => {
          say(t, await seenOver(viewer, 3, kSettleSeconds), chain);
          link.set({ bitsPerSecond: between, roundTripMs: 20 });
          const slow = await seenOver(viewer, 5, 0);
          say(t, slow, chain);
          link.set({ bitsPerSecond: there, roundTripMs: 20 });
          const again = await seenOver(viewer, 5, 0);
          say(t, again, chain);
          assert.ok(slow.p99 <= (600 + kRoomMs) * slow.slower, `p99 ${slow.p99} ms`);
          assert.ok(again.fps >= 20 / again.slower, `${again.fps} fps`);
        });
      });
    }

    for (const [name, link] of [['10 Mbit/s, 20 ms', { bitsPerSecond: 10e6, roundTripMs: 20 }], ['100 Mbit/s, 100 ms', { bitsPerSecond: 100e6, roundTripMs: 100 }]]) {
      test(`over ${name}: all frames`, async (t) => {
        await behind(link, async (viewer, chain) => {
          const seen = await seenOver(viewer, 5, kSettleSeconds);
          say(t, seen, chain);
          assert.ok(seen.fps >= 27 / seen.slower, `${seen.fps} fps`);
          assert.ok(seen.p99 <= (link.roundTripMs / 2 + 60 + kRoomMs) * seen.slower, `p99 ${seen.p99} ms`);
          assert.equal(chain.on(1), 0);
          assert.equal(chain.keys, 1);
        });
      });
    }
  });
}
