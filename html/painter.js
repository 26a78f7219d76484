// Shows JPEGs on a canvas, only the newest, away from the main thread: a worker decodes and paints where the browser
// has OffscreenCanvas, else createImageBitmap decodes and we paint. One decode at a time: a frame that a newer one
// overtakes is never decoded. Says which frames are done with.
import { drawJpeg } from './draw-jpeg.js';

export class Painter {
  #draw; // a promise: the worker may turn out not to run here
  #onPainted;
  #onSkipped;
  #waiting = null;
  #busy = false;

  // onPainted(frame) once it is drawn, onSkipped(frame) when it will never be.
  constructor(canvas, { onPainted, onSkipped }) {
    this.#onPainted = onPainted;
    this.#onSkipped = onSkipped;
    this.#draw = drawer(canvas);
  }

  show(frame) {
    if (this.#waiting) this.#onSkipped(this.#waiting);
    this.#waiting = frame;
    if (!this.#busy) this.#work();
  }

  async #work() {
    this.#busy = true;
    while (this.#waiting) {
      const frame = this.#waiting;
      this.#waiting = null;
      try {
        await (await this.#draw)(frame.jpeg);
        this.#onPainted(frame);
      } catch {
        this.#onSkipped(frame); // not decodable: the next one will be
      }
    }
    this.#busy = false;
  }
}

function here(canvas) {
  const context = canvas.getContext('2d', { alpha: false });
  return (jpeg) => drawJpeg(context, jpeg);
}

// Some browsers have OffscreenCanvas and no module workers: the canvas is given away only when the worker runs.
async function drawer(canvas) {
  if (!canvas.transferControlToOffscreen || !window.Worker) return here(canvas);
  const worker = new Worker(new URL('painter-worker.js', import.meta.url), { type: 'module' });
  const runs = await new Promise((resolve) => {
    worker.onmessage = () => resolve(true);
    worker.onerror = () => resolve(false);
  });
  return runs ? inWorker(worker, canvas) : here(canvas);
}

function inWorker(worker, canvas) {
  const offscreen = canvas.transferControlToOffscreen();
  worker.postMessage({ canvas: offscreen }, [offscreen]);
  let settle = null;
  worker.onmessage = ({ data }) => (data.painted ? settle?.resolve() : settle?.reject(new Error('not decodable')));
  worker.onerror = () => settle?.reject(new Error('the worker failed'));
  return (jpeg) => new Promise((resolve, reject) => {
    settle = { resolve, reject };
    worker.postMessage({ jpeg }); // copied: the page may save what it shows
  });
}
