// Fetches a still again and again: one request in flight, none while hidden, offline or paused, and one at once when
// that ends. Hands each new picture on as {blob, captured, ageMs}; a failure as a sentence and the answer's status. A
// password that is not right any more is no matter of time: the next is asked for when somebody looks again.
const kTimeoutMs = 20000; // above the server's own deadline
const kRetryMs = 2000;

export class StillRefresher {
  #address;
  #everyMs;
  #onPicture;
  #onFailure;
  #paused = false;
  #timer = 0;
  #request = null;
  #etag = '';

  constructor({ address = 'pi.jpg', everyMs, onPicture, onFailure }) {
    this.#address = address;
    this.#everyMs = everyMs;
    this.#onPicture = onPicture;
    this.#onFailure = onFailure;
    for (const name of ['visibilitychange', 'resume']) document.addEventListener(name, () => this.#changed());
    for (const name of ['online', 'offline', 'pageshow']) window.addEventListener(name, () => this.#changed());
  }

  start() { this.#changed(); }
  set everyMs(value) { this.#everyMs = value; this.#changed(); }
  set paused(value) { this.#paused = value; this.#changed(); }
  get paused() { return this.#paused; }

  #mayAsk() { return !this.#paused && !document.hidden && navigator.onLine; }

  #changed() {
    clearTimeout(this.#timer);
    if (!this.#mayAsk()) {
      this.#request?.abort();
      if (!navigator.onLine) this.#onFailure('offline');
      return;
    }
    if (!this.#request) this.#ask();
  }

  async #ask() {
    const request = new AbortController();
    this.#request = request;
    const started = performance.now();
    const limit = setTimeout(() => request.abort(), kTimeoutMs);
    let wait = kRetryMs;
    try {
      const headers = this.#etag ? { 'If-None-Match': this.#etag } : {};
      const response = await fetch(this.#address, { signal: request.signal, cache: 'no-store', headers });
      if (response.status === 304) {
        wait = this.#rest(started);
      } else if (response.ok) {
        const blob = await response.blob();
        await this.#onPicture({
          blob,
          captured: new Date(response.headers.get('X-Picam-Captured')),
          ageMs: Number(response.headers.get('X-Picam-Age-Ms')),
        });
        this.#etag = response.headers.get('ETag') ?? '';
        wait = this.#rest(started);
      } else {
        wait = response.status === 401 ? Infinity : 1000 * (Number(response.headers.get('Retry-After')) || 2);
        this.#onFailure((await response.text()).trim(), response.status);
      }
    } catch {
      if (this.#mayAsk()) this.#onFailure('');
    } finally {
      clearTimeout(limit);
      this.#request = null;
      if (this.#mayAsk() && wait < Infinity) this.#timer = setTimeout(() => this.#changed(), wait);
    }
  }

  #rest(started) { return Math.max(0, this.#everyMs - (performance.now() - started)); }
}
