// Decodes JPEGs away from the main thread (the browser does, in createImageBitmap) and paints only the newest. One
// decode at a time: a frame that a newer one overtakes is never decoded. Says which frames are done with.
export class Painter {
  #canvas;
  #context;
  #onPainted;
  #onSkipped;
  #waiting = null;
  #busy = false;

  // onPainted(frame) once it is drawn, onSkipped(frame) when it will never be.
  constructor(canvas, { onPainted, onSkipped }) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#onPainted = onPainted;
    this.#onSkipped = onSkipped;
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
        const bitmap = await createImageBitmap(new Blob([frame.jpeg], { type: 'image/jpeg' }));
        if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
          this.#canvas.width = bitmap.width;
          this.#canvas.height = bitmap.height;
        }
        this.#context.drawImage(bitmap, 0, 0);
        bitmap.close();
        this.#onPainted(frame);
      } catch {
        this.#onSkipped(frame); // not decodable: the next one will be
      }
    }
    this.#busy = false;
  }
}
