// An emulated webcam at one of the virtual machine's USB ports: the guest's own uvcvideo and libcamera's uvcvideo pipeline
// have it. Made without being plugged in.
import { spawnSync, fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const kProcess = path.join(path.dirname(fileURLToPath(import.meta.url)), 'webcam-process.mjs');
// The colour difference of a raw frame's left and right half, and what its brightness begins with.
export const kRawHalves = [{ u: 90, v: 180 }, { u: 180, v: 90 }];
export const kRawLuma = 128;

const kPictures = 4; // of each size, one after the other
// The JPEGs of a camera whose brightness is not at its default, of one picture each: how they are made of it.
const kLevels = { dark: ['-evaluate', 'multiply', '0.4'], bright: ['-evaluate', 'multiply', '0.4', '-evaluate', 'add', '60%'] };

// JPEGs of every size that one of the modes has, with the detail of a photograph: mjpeg-1920x1080-0.jpg …, and
// mjpeg-1920x1080-dark.jpg and -bright.jpg, of which every pixel is darker, and brighter, than that of the first.
export function makePictures(folder, modes) {
  mkdirSync(folder, { recursive: true });
  for (const { format, width, height } of modes) {
    if (format !== 'mjpeg') continue;
    const file = (name) => path.join(folder, `mjpeg-${width}x${height}-${name}.jpg`);
    const make = (from, name) => {
      const { status, stderr } = spawnSync('convert', [...from, '-sampling-factor', '4:2:0', '-quality', '60', file(name)], { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
    };
    for (let i = 0; i < kPictures; ++i) make(['-size', `${width}x${height}`, '-seed', String(i + 1), 'plasma:'], i);
    for (const [name, how] of Object.entries(kLevels)) make([file(0), ...how], name);
  }
}

export class Webcam {
  #asked = new Map();
  #last = 0;
  log = '';

  // modes: as UsbCamera has them.
  static async make(socket, pictures, { modes, product = 'Emulated webcam', serial = '1' }) {
    const webcam = new Webcam();
    webcam.process = fork(kProcess, [socket, pictures], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    webcam.process.on('message', ({ id, result, error, log }) => {
      if (log) webcam.log += `${log}\n`;
      const asked = webcam.#asked.get(id);
      webcam.#asked.delete(id);
      if (error) asked?.reject(new Error(error));
      else asked?.resolve(result);
    });
    await webcam.#ask('make', { modes, product, serial });
    return webcam;
  }

  #ask(command, value) {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#asked.set(id, { resolve, reject });
      this.process.send({ id, command, value });
    });
  }

  restore() { return this.#ask('restore'); } // plugged in, and nothing wrong with it
  plug() { return this.#ask('plug'); }
  unplug() { return this.#ask('unplug'); }
  freeze(on) { return this.#ask('freeze', on); } // gives no frames, but answers
  dead(on) { return this.#ask('dead', on); }     // answers nothing at all
  huffman(on) { return this.#ask('huffman', on); }
  spoil(how, every) { return this.#ask('spoil', how && { how, every }); } // 'cut', 'empty' or 'garbage': every so many
  light(how) { return this.#ask('light', how); }                         // of raw frames: {at, step}
  // {control: error of UVC}: refuses every value of it. uvcvideo lets out-of-range values and those beside an automatic not through.
  refuse(controls) { return this.#ask('refuse', controls); }
  // With `set` and `refused`: lists of {control, value, at, error} of what the host set, by the names that Linux gives them.
  stats() { return this.#ask('stats'); }
  controls() { return this.#ask('controls'); } // the value of each
  async sent() { return new Map(await this.#ask('sent')); } // sequence to SHA-1

  end() {
    if (this.process.connected) this.process.disconnect();
  }
}

// The sequence that the webcam wrote into one of its JPEGs.
export function sequenceOf(jpeg) {
  const found = /sequence (\d+) at/.exec(jpeg.toString('latin1', 0, 2000));
  return found && Number(found[1]);
}
