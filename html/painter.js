// Shows frames on a canvas away from the main thread: a worker decodes and paints where the browser has OffscreenCanvas,
// else we do here. Of JPEGs only the newest, one decode at a time: one that a newer one overtakes is never decoded. H.264
// is decoded frame by frame, since each refers to the one before. Says which frames are done with.
import { drawJpeg } from './draw-jpeg.js';
import { canDecode, VideoDrawer } from './draw-video.js';

const kDeadMs = 1500; // a decoder that has given nothing for so long gives nothing any more
const kLateMs = 300; // so late a timer goes off on a page that stood still

export class Painter {
  #screen; // a promise: the worker may turn out not to run here
  #handlers;
  #waiting = null;
  #busy = false;
  #video = new Map(); // frames of H.264 that are not painted yet, by id
  #decoding = new Map(); // those of them that are not decoded yet: since when, by id
  #id = 0;
  #watch = 0;

  // onPainted(frame) once it is drawn, onSkipped(frame) when it will never be; of H.264 before either onDecoded(frame), and
  // onVideoFailed() when it cannot be decoded before the next key frame.
  constructor(canvas, handlers) {
    this.#handlers = handlers;
    this.#screen = screenOf(canvas, (id, what) => this.#said(id, what), () => this.#fail());
  }

  // Whether H.264 can be shown, a promise.
  get h264() { return this.#screen.then((screen) => screen.h264); }

  show(frame) {
    if (frame.video) return this.#decode(frame);
    if (this.#waiting) this.#handlers.onSkipped(this.#waiting);
    this.#waiting = frame;
    if (!this.#busy) this.#work();
  }

  async #work() {
    this.#busy = true;
    while (this.#waiting) {
      const frame = this.#waiting;
      this.#waiting = null;
      try {
        await (await this.#screen).drawJpeg(frame.jpeg);
        this.#handlers.onPainted(frame);
      } catch {
        this.#handlers.onSkipped(frame); // not decodable: the next one will be
      }
    }
    this.#busy = false;
  }

  async #decode(frame) {
    const id = ++this.#id;
    this.#video.set(id, frame);
    this.#decoding.set(id, performance.now());
    (await this.#screen).decode({ id, key: frame.key, video: frame.video });
    if (!this.#watch) this.#watchDecoder();
  }

  // Decoded and not painted is no failure: a page that nobody sees is not painted. What stood still with the page has its
  // time once more.
  #watchDecoder(again = false) {
    const [[oldest, since] = []] = this.#decoding;
    const now = performance.now();
    const due = since + kDeadMs > now ? since + kDeadMs : now + kDeadMs; // overdue: the page is hidden, or stood still
    this.#watch = oldest && setTimeout(() => {
      const dead = this.#decoding.has(oldest) && !document.hidden;
      const stood = dead && !again && performance.now() > due + kLateMs;
      if (dead && !stood) this.#fail();
      this.#watchDecoder(stood);
    }, due - now);
  }

  #said(id, what) {
    const frame = this.#video.get(id);
    if (!frame) return; // given up
    this.#decoding.delete(id);
    if (what === 'decoded') return this.#handlers.onDecoded(frame);
    this.#video.delete(id);
    if (what === 'painted') this.#handlers.onPainted(frame);
    else this.#handlers.onSkipped(frame);
  }

  async #fail() {
    const lost = [...this.#video.values()];
    this.#video.clear();
    this.#decoding.clear();
    (await this.#screen).reset();
    lost.forEach((frame) => this.#handlers.onSkipped(frame));
    this.#handlers.onVideoFailed();
  }
}

async function here(canvas, said, failed) {
  const context = canvas.getContext('2d', { alpha: false });
  const video = new VideoDrawer(context, said, failed);
  return { h264: await canDecode(), drawJpeg: (jpeg) => drawJpeg(context, jpeg), decode: (frame) => video.decode(frame), reset: () => video.reset() };
}

// Some browsers have OffscreenCanvas and no module workers: the canvas is given away only when the worker runs.
async function screenOf(canvas, said, failed) {
  if (!canvas.transferControlToOffscreen || !window.Worker) return here(canvas, said, failed);
  const worker = new Worker(new URL('painter-worker.js', import.meta.url), { type: 'module' });
  const ready = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => resolve(null);
  });
  if (!ready) return here(canvas, said, failed);
  const offscreen = canvas.transferControlToOffscreen();
  worker.postMessage({ canvas: offscreen }, [offscreen]);
  let settle = null;
  worker.onmessage = ({ data }) => {
    if (data.id) said(data.id, data.what);
    else if (data.failed) failed();
    else if (data.painted) settle?.resolve();
    else settle?.reject(new Error('not decodable'));
  };
  worker.onerror = () => {
    settle?.reject(new Error('the worker failed'));
    failed();
  };
  return {
    h264: ready.h264,
    drawJpeg: (jpeg) => new Promise((resolve, reject) => {
      settle = { resolve, reject };
      worker.postMessage({ jpeg }); // copied: the page may save what it shows
    }),
    decode: (frame) => worker.postMessage(frame, [frame.video.buffer]),
    reset: () => worker.postMessage({ reset: true }),
  };
}
