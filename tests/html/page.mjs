// What the pages' modules take from a browser, as far as their logic needs it: a clock that only the test moves, with its
// timers, and a document, a window and a navigator that say what the test says. One for each file of tests.
const realSetImmediate = setImmediate;

// Until everything that promises wait for has happened: a module's awaits take some turns of the loop.
export async function settled() {
  for (let i = 0; i < 20; ++i) await new Promise((resolve) => { realSetImmediate(resolve); });
}

export class Page {
  #now = 1000;
  #timers = new Map(); // id to {at, every, call}
  #last = 0;

  constructor() {
    const kept = new Map();
    this.storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), clear: () => kept.clear() };
    const add = (call, ms, every) => {
      this.#timers.set(++this.#last, { at: this.#now + (ms ?? 0), every, call });
      return this.#last;
    };
    this.globals = {
      location: { href: 'https://camera.example/stream?x=1', search: '' },
      localStorage: this.storage,
      performance: { now: () => this.#now, timeOrigin: 1_700_000_000_000 },
      setTimeout: (call, ms) => add(call, ms),
      setInterval: (call, ms) => add(call, ms, ms),
      requestAnimationFrame: (call) => add(call),
      clearTimeout: (id) => this.#timers.delete(id),
      clearInterval: (id) => this.#timers.delete(id),
    };
    this.open();
  }

  // Anew: nothing is left of a test before, but for what the storage keeps.
  open() {
    this.#timers.clear();
    this.document = Object.assign(new EventTarget(), { hidden: false, elements: {}, getElementById: (id) => this.document.elements[id] ?? null });
    this.window = new EventTarget();
    this.navigator = { onLine: true, languages: ['en-GB'] };
    const { document, window, navigator } = this;
    for (const [name, value] of Object.entries({ ...this.globals, document, window, navigator })) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
  }

  get now() { return this.#now; }

  // The page stands still for so long: its timers go off when it is over, late, as time passes.
  stand(ms) { this.#now += ms; }

  // Lets so much time pass: each timer goes off at its time, and what it starts comes before the next.
  async pass(ms) {
    await settled();
    const ends = this.#now + ms;
    for (;;) {
      const [id, next] = [...this.#timers].reduce((best, one) => (!best || one[1].at < best[1].at ? one : best), null) ?? [];
      if (!next || next.at > ends) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.every) next.at += next.every;
      else this.#timers.delete(id);
      next.call();
      await settled();
    }
    this.#now = ends;
  }
}
