// What a viewer of picam.v2 has got: whether each frame continues what it has, and whether ffmpeg decodes all of it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export class Chain {
  constructor() {
    this.frames = [];
    this.broken = 0;
  }

  add(frame) {
    const before = this.frames.at(-1);
    const continues = before && before.codec === 'h264' && before.rung === frame.rung && before.size === frame.size && before.sequence + 1n === frame.sequence;
    if (frame.codec === 'h264' && !frame.key && !continues) ++this.broken;
    this.frames.push(frame);
  }

  get video() { return this.frames.filter((frame) => frame.codec === 'h264'); }
  get keys() { return this.video.filter((frame) => frame.key).length; }
  on(rung) { return this.video.filter((frame) => frame.rung === rung).length; }
  get jpegs() { return this.frames.filter((frame) => frame.codec === 'jpeg').length; }

  // As much as was sent is shown, without a complaint.
  decode() {
    const folder = mkdtempSync('/dev/shm/picam-chain.');
    const file = path.join(folder, 'seen.h264');
    try {
      writeFileSync(file, Buffer.concat(this.video.map((frame) => frame.payload)));
      const { stderr } = spawnSync('ffmpeg', ['-nostdin', '-v', 'repeat+warning', '-f', 'h264', '-i', file, '-f', 'null', '-'], { encoding: 'utf8' });
      assert.equal(stderr.split('\n').filter((line) => !/Changing video frame properties|deprecated pixel format/.test(line)).join('\n').trim(), '');
      const counted = execFileSync('ffprobe', ['-v', 'error', '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'default=nw=1:nk=1', file], { encoding: 'utf8' });
      assert.equal(Number(counted.trim()), this.video.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}
