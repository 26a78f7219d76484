// What a viewer of picam.v2 has got: whether each frame continues what it has, and whether ffmpeg's decoder takes all of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

export class Chain {
  constructor() {
    this.frames = [];
    this.broken = 0;
  }

  add(frame) {
    const before = this.frames.at(-1);
    const continues = before && before.codec === 'h264' && before.rung === frame.rung && before.size === frame.size && before.sequence + 1n === frame.sequence;
    if (frame.codec === 'h264' && !frame.key && !continues) ++this.broken;
    this.frames.push({ ...frame, continues });
  }

  // What has come since there were so many frames.
  since(count) { return Object.assign(new Chain(), { frames: this.frames.slice(count) }); }
  get video() { return this.frames.filter((frame) => frame.codec === 'h264'); }
  get keys() { return this.video.filter((frame) => frame.key).length; }
  // Of them those that it began anew with: it was lost, or is on another rung.
  get beginnings() { return this.video.filter((frame) => frame.key && !frame.continues).length; }
  on(rung) { return this.video.filter((frame) => frame.rung === rung).length; }
  get jpegs() { return this.frames.filter((frame) => frame.codec === 'jpeg').length; }

  // As much as was sent is shown, without a complaint. A frame that is missing is one only in ffmpeg's debugging messages:
  // libopenh264's SPS allows gaps.
  decode() {
    const { stdout, stderr } = spawnSync('ffprobe', ['-v', 'repeat+level+debug', '-f', 'h264', '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'default=nw=1:nk=1', '-'],
      { input: Buffer.concat(this.video.map((frame) => frame.payload)), encoding: 'utf8', maxBuffer: 1 << 27 });
    assert.deepEqual(stderr.split('\n').filter((line) => /\[(warning|error|fatal|panic)\]|Frame num gap/.test(line)), []);
    assert.equal(Number(stdout), this.video.length);
  }
}
