// A webcam in a process of its own, which is in time whatever the test's does: what webcam.mjs's Webcam asks for, done.
// node webcam-process.mjs SOCKET PICTURES, by fork(). PICTURES is a folder that makePictures() made.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { UsbCamera, withoutHuffmanTables } from './usb-camera.mjs';
import { kRawHalves, kRawLuma } from './webcam.mjs';

const [socket, folder] = process.argv.slice(2);
const pictures = new Map(); // "1920x1080", "1920x1080 dark" and "1920x1080 bright" to its JPEGs
for (const name of readdirSync(folder).sort()) {
  const [, size, level] = /^mjpeg-(\d+x\d+)-(dark|bright)?/.exec(name) ?? [];
  const key = level ? `${size} ${level}` : size;
  if (size) pictures.set(key, [...(pictures.get(key) ?? []), readFileSync(path.join(folder, name))]);
}
let huffman = true;
let spoil = null; // {how, every}
let frames = 0;
let light = 0;    // of raw frames, darker and brighter again; each frame moves it by lightStep
let lightStep = 0;
const raw = new Map();
const sent = new Map(); // sequence to SHA-1, of JPEGs

// By the camera's brightness: a JPEG of one of three, a raw frame with as much more or less.
function picture(mode, sequence, by) {
  const size = `${mode.width}x${mode.height}`;
  const brightness = by.control('brightness');
  if (mode.format === 'mjpeg') {
    const list = pictures.get(size + (brightness === 0 ? '' : brightness < 0 ? ' dark' : ' bright'));
    const jpeg = list[sequence % list.length];
    return huffman ? jpeg : withoutHuffmanTables(jpeg);
  }
  light += lightStep;
  const luma = kRawLuma - Math.abs((Math.round(light) + 128) % 256 - 128) / 2 + brightness; // up and down
  const key = `${mode.format} ${size} ${luma}`;
  if (!raw.has(key)) {
    raw.clear();
    raw.set(key, rawFrame(mode, luma));
  }
  return raw.get(key);
}

function rawFrame({ format, width, height }, luma) {
  const rows = (count, left, right) => {
    const row = Buffer.concat([left, right].map((pattern) => Buffer.alloc(width / 2 * (format === 'nv12' ? 1 : 2), pattern)));
    return Buffer.alloc(row.length * count, row);
  };
  const [left, right] = kRawHalves;
  if (format === 'nv12') return Buffer.concat([Buffer.alloc(width * height, luma), rows(height / 2, Buffer.from([left.u, left.v]), Buffer.from([right.u, right.v]))]);
  return rows(height, Buffer.from([luma, left.u, luma, left.v]), Buffer.from([luma, right.u, luma, right.v]));
}

const spoils = {
  cut: (whole) => whole.subarray(0, whole.length >> 1),
  empty: () => Buffer.alloc(0),
  garbage: () => Buffer.alloc(5000, 0x55),
};

let camera;
const commands = {
  make({ modes, product, serial }) {
    camera = new UsbCamera({ modes, picture, product, serial, log: (text) => process.send({ log: text }) });
    camera.spoil = (whole, sequence) => {
      const bad = spoil && ++frames % spoil.every === 0;
      const given = bad ? spoils[spoil.how](whole) : whole;
      if (!bad) sent.set(sequence, createHash('sha1').update(given).digest('hex'));
      return given;
    };
  },
  async restore() {
    Object.assign(camera, { dead: false, refuses: {} });
    spoil = null;
    huffman = true;
    light = lightStep = 0;
    if (camera.frozen) camera.freeze(false);
    if (!camera.isPlugged) await camera.plug(socket);
  },
  plug: () => camera.plug(socket),
  unplug: () => camera.unplug(),
  freeze: (on) => camera.freeze(on),
  dead: (on) => { camera.dead = on; },
  huffman: (on) => { huffman = on; },
  spoil: (what) => { spoil = what; },
  light: ({ at = light, step = 0 }) => { light = at; lightStep = step; },
  refuse: (controls) => { camera.refuses = controls; },
  stats: () => ({ ...camera.stats, streaming: camera.streaming, mode: camera.streamed }),
  controls: () => Object.fromEntries([...camera.controls.values()].map(({ name, cur }) => [name, cur])),
  sent: () => [...sent],
};

process.on('message', async ({ id, command, value }) => {
  try {
    process.send({ id, result: await commands[command](value) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});
process.on('disconnect', () => process.exit(0));
