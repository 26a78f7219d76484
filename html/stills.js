// The picture as stills: one that refreshes, its time and age, and why there is none.
import { StillRefresher } from './still-refresher.js';
import { text } from './text.js';

export class Stills {
  #picture;
  #handlers;
  #refresher;
  #shown = null; // {blob, captured, ageMs, at}: what is shown, and since when
  #every = 0;
  #running = false;
  #paused = false;

  // `picture`: an <img>. onShown() with each picture, onFault(sentence, remedy); '' when all is well.
  constructor(picture, handlers) {
    this.#picture = picture;
    this.#handlers = handlers;
    this.#refresher = new StillRefresher({
      everyMs: 1500,
      onPicture: (still) => this.#show(still),
      onFailure: (why, status) => this.#fail(why, status),
    });
    this.#refresher.paused = true;
  }

  get every() { return this.#every; } // seconds
  set every(seconds) { this.#refresher.everyMs = 1000 * (this.#every = seconds); }
  get ageMs() { return this.#shown ? this.#shown.ageMs + performance.now() - this.#shown.at : undefined; }

  start() {
    this.#running = true;
    this.paused = false;
  }

  stop() {
    this.paused = true;
    this.#running = false;
    this.#shown = null;
  }

  set paused(paused) {
    this.#paused = paused;
    this.#refresher.paused = paused;
  }

  retry() { this.#refresher.paused = this.#paused; }

  hide() { this.#picture.hidden = true; }

  get caption() {
    return this.#shown ? text.captured(this.#shown.captured, text.seconds(this.ageMs / 1000)) : '';
  }

  // {blob, captured}; null: nothing to save.
  async save() { return this.#shown; }

  async #show(still) {
    // Decoded before it is shown: the old picture stays until the new one is whole.
    const next = new Image();
    const url = URL.createObjectURL(still.blob);
    next.src = url;
    const whole = await next.decode().then(() => true, () => false);
    if (!whole || !this.#running || this.#paused) return URL.revokeObjectURL(url);
    const old = this.#picture.src;
    this.#picture.src = url;
    this.#picture.hidden = false;
    if (old) URL.revokeObjectURL(old);
    this.#shown = { ...still, at: performance.now() };
    this.#handlers.onFault('');
    this.#handlers.onShown();
  }

  #fail(why, status) {
    if (!this.#running || this.#paused) return;
    if (why === 'offline') this.#handlers.onFault(text.offline);
    else if (status === 401) this.#handlers.onFault(text.password, 'signIn');
    else this.#handlers.onFault(why ? text.goesOn(why) : text.noServer, 'retry');
  }
}
