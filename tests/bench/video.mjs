// H.264 beside JPEG: bytes at the same PSNR, the encoder beside a bare loop, thin links, many viewers. The clips are of
// photographs, with a sensor's noise. The less detail, the more of a JPEG's PSNR is that noise, which nothing predicts.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { makeClip } from '../integration/clips.mjs';
import { build, procFile, Site, waitFor } from '../integration/harness.mjs';
import { RawViewer } from '../faults/raw-viewer.mjs';
import { seenOver, SlowLink } from '../faults/slow-link.mjs';
import { median, row, rounds } from './bench.mjs';
import { threadSeconds, watch } from './stream.mjs';

const kBench = path.join(build, 'tests/bench/video_bench');
// Of what the tests install: rocks and grass, hills against the light, a dial.
const kPhotos = { much: 'picosdeeuropa_by_Aitzol_Berasategi', some: 'sunset_by_Aitzol_Berasategi', little: 'greentock_by_Peter_Nerlich' };
const kQuality = 80; // stream.quality
const kSizes = { '640x480': 1e6, '1280x720': 1.5e6 }; // and bits a second
const kNoise = { day: 3, pan: 6 }; // ffmpeg's strength: σ 1.5 and 3
const kBytes = { day: 8, pan: 10 }; // times less than JPEG's
const kSettleSeconds = 2;
const kSeconds = 10;
const kMegabit = { bitsPerSecond: 1e6, roundTripMs: 20 };

const bench = (...args) => JSON.parse(execFileSync(kBench, args.map(String), { encoding: 'utf8' }));
const of = (size) => (size === '640x480' ? 'VGA' : '720p');

function clipOf(folder, kind, size, detail) {
  return makeClip(folder, kind, { size, noise: kNoise[kind], photo: `/usr/share/backgrounds/${kPhotos[detail]}.jpg` });
}

function bytes(folder) {
  const figure = (kind, size, detail) => {
    const seen = bench('equal', clipOf(folder, kind, size, detail), kQuality);
    const ratio = seen.h264_psnr < seen.jpeg_psnr ? 'not reached' : `1/${(seen.jpeg_bytes / seen.h264_bytes).toFixed(1)}`;
    return `${ratio} (${seen.jpeg_psnr.toFixed(1)} dB)`;
  };
  for (const [kind, what] of [['day', 'a camera that stands'], ['pan', 'a pan']]) {
    row(`H.264's bytes of those of JPEG, quality ${kQuality}, at its PSNR (luma): ${what}, VGA, much / some / little detail`,
      Object.keys(kPhotos).map((detail) => figure(kind, '640x480', detail)).join(' / '), `at most 1/${kBytes[kind]}`);
    row('… 720p, much detail', figure(kind, '1280x720', 'much'), `at most 1/${kBytes[kind]}`);
  }
}

async function encoder(pans) {
  const figures = [];
  for (const [size, bitrate] of Object.entries(kSizes)) {
    const { both } = await rounds({ both: () => bench('encode', pans[size], bitrate) });
    figures.push(`${median(both.map((s) => s.picam_ms / s.bare_ms)).toFixed(2)} (${median(both.map((s) => s.picam_ms)).toFixed(2)} ms)`);
  }
  row('encode H.264, of a bare openh264 loop, VGA / 720p, a pan', figures.join(' / '), 'at most 1.1');
}

const start = (clip, size) => Site.start(['--camera.source', 'replay', '--camera.file', clip, '--stream.size', size,
  '--stream.fps', '30', '--stream.max_viewers', '500', '--stream.ack_timeout', '60s']);

const ages = (seen) => `${median(seen.map((s) => s.fps)).toFixed(1)} fps, ${median(seen.map((s) => s.p50)).toFixed(0)} / ${
  median(seen.map((s) => s.p99)).toFixed(0)} ms`;

// What a viewer sees of each of the links, one after the other.
async function over(site, take, bits) {
  const link = await SlowLink.to(site.port, { ...kMegabit, bitsPerSecond: bits[0] });
  const viewer = new RawViewer({ port: link.port, host: '127.0.0.1' }, () => {}, { take });
  try {
    await waitFor('frames', () => viewer.frames > 1);
    const seen = [];
    for (const [i, bitsPerSecond] of bits.entries()) {
      link.set({ ...kMegabit, bitsPerSecond });
      seen.push(await seenOver(viewer, bits.length > 1 ? 5 : kSeconds, i === 0 ? kSettleSeconds : 0));
    }
    return seen;
  } finally {
    viewer.socket.destroy();
    await link.close();
  }
}

async function links(pans) {
  for (const size of Object.keys(kSizes)) {
    const site = await start(pans[size], size);
    const h264 = (bits) => () => over(site, ['h264', 'jpeg'], bits);
    try {
      const vga = size === '640x480';
      const seen = await rounds({
        h264: h264([1e6]),
        jpeg: () => over(site, null, [1e6]),
        ...(vga && { half: h264([2e6, 0.5e6, 2e6]), fifth: h264([1e6, 0.2e6, 1e6]) }),
      });
      row(`H.264 over 1 Mbit/s with a round trip of 20 ms, ${of(size)}, a pan: fps, age p50 / p99`, ages(seen.h264.map(([s]) => s)),
        vga ? 'at least 28 fps, p99 at most 200 ms' : 'p99 at most 250 ms');
      row('… JPEG (picam.v1)', ages(seen.jpeg.map(([s]) => s)), '');
      if (!vga) continue;
      for (const [name, what] of [['half', '2, 0.5 and 2'], ['fifth', '1, 0.2 and 1']]) {
        row(`… H.264 over ${what} Mbit/s, five seconds each`, [0, 1, 2].map((i) => ages(seen[name].map((s) => s[i]))).join('; '),
          'p99 at most 300 ms while it is slow');
      }
    } finally {
      await site.stop();
    }
  }
}

async function fanOut(pans) {
  const site = await start(pans['640x480'], '640x480');
  try {
    const { pid } = site.streamd.process;
    const socket = `unix:${site.socket('stream')}`;
    const see = (form, viewers = 50) => watch(socket, '/stream', form, viewers, () => threadSeconds(pid, pid));
    await see('v1', 1);
    const { rungs } = (await site.status()).h264;
    row('H.264 that nobody takes: frames encoded / libopenh264 loaded', `${rungs.reduce((sum, rung) => sum + rung.frames, 0)} / ${
      procFile(pid, 'maps').includes('openh264') ? 'yes' : 'no'}`, '0 / no');
    const seen = await rounds({ v1: () => see('v1'), v2: () => see('v2') });
    const us = (s) => (s.seconds / s.frames) * 1e6;
    const each = (form) => `${median(seen[form].map(us)).toFixed(1)} µs for ${(median(seen[form].map((s) => s.bytes / s.frames)) / 1000).toFixed(1)} KB, ${
      median(seen[form].map((s) => s.fps)).toFixed(1)} fps`;
    row('streamd\'s loop to 50 viewers, processor time per frame and viewer: H.264 (picam.v2) of JPEG (picam.v1), each acknowledged',
      `${median(seen.v2.map((s, i) => us(s) / us(seen.v1[i]))).toFixed(2)} × (${each('v2')}; ${each('v1')})`, 'at most 1 ×');
  } finally {
    await site.stop();
  }
}

export async function video(folder) {
  bytes(folder);
  const pans = Object.fromEntries(Object.keys(kSizes).map((size) => [size, clipOf(folder, 'pan', size, 'much')]));
  await encoder(pans);
  await links(pans);
  await fanOut(pans);
}
