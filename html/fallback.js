// Where WebSockets do not get through: the multipart stream; where that does not come or stands still, stills, and the
// stream again now and then. Hands frames on as connection.js does; asks for nothing while it is stopped.
import { StillRefresher } from './still-refresher.js';

const kFrozenMs = 5000;
const kFailures = 2; // streams that ended, one behind the other, until stills are shown
const kRetryMs = 1000;
const kAgainMs = 60000;
const kStillEveryMs = 1500;
const kMaxHead = 1000; // bytes
const kBlankLine = [13, 10, 13, 10];

// The parts of a multipart body, each with its head.
async function* parts(reader) {
  let rest = new Uint8Array();
  const more = async () => {
    const { done, value } = await reader.read();
    if (done) throw new Error('the stream has ended');
    const both = new Uint8Array(rest.length + value.length);
    both.set(rest);
    both.set(value, rest.length);
    rest = both;
  };
  for (;;) {
    let end = -1;
    while ((end = rest.findIndex((_, at) => kBlankLine.every((byte, i) => rest[at + i] === byte))) < 0) {
      if (rest.length > kMaxHead) throw new Error('no multipart stream');
      await more();
    }
    const head = new TextDecoder().decode(rest.subarray(0, end));
    rest = rest.subarray(end + kBlankLine.length);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1]);
    if (!(length > 0)) throw new Error('a part without a length');
    while (rest.length < length) await more();
    yield { head, body: rest.slice(0, length) };
    rest = rest.subarray(length);
  }
}

export class Fallback {
  #handlers;
  #address;
  #request = null; // of the stream
  #stills;
  #timer = 0;
  #failures = 0;
  running = false;

  // `address`: of the stream, asked for at each beginning. onFrame({capturedMs, receivedMs, jpeg, bytes}, 'stream' or
  // 'stills'), onFailure(why, status) where there are no stills either; status 401: who asks may not look.
  constructor(address, handlers) {
    this.#address = address;
    this.#handlers = handlers;
    this.#stills = new StillRefresher({
      everyMs: kStillEveryMs,
      onPicture: async ({ blob, captured }) => this.#show(new Uint8Array(await blob.arrayBuffer()), captured.getTime(), 'stills'),
      onFailure: (why, status) => { if (!this.#stills.paused) handlers.onFailure(why, status); },
    });
    this.#stills.paused = true;
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.#failures = 0;
    this.#stream();
  }

  stop() {
    this.running = false;
    this.#rest();
  }

  // Begins again, from another address.
  restart() {
    if (this.running && this.#request) this.#stream();
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#stills.paused = true;
    this.#request?.abort();
    this.#request = null;
  }

  #show(jpeg, capturedMs, from) {
    if (this.running) this.#handlers.onFrame({ capturedMs, receivedMs: performance.now(), jpeg, bytes: jpeg.length }, from);
  }

  async #stream() {
    this.#rest();
    const request = new AbortController();
    this.#request = request;
    const watch = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => request.abort(), kFrozenMs);
    };
    try {
      watch();
      const answer = await fetch(this.#address(), { cache: 'no-store', signal: request.signal });
      if (answer.status === 401) this.#handlers.onFailure('', 401);
      if (!answer.ok) throw new Error(answer.status);
      let first = true;
      for await (const { head, body } of parts(answer.body.getReader())) {
        if (this.#request !== request) return;
        watch();
        if (!first) this.#failures = 0; // one picture is no stream
        first = false;
        this.#show(body, 1000 * Number(/^x-timestamp: *([\d.]+)/im.exec(head)?.[1]), 'stream');
      }
    } catch {
      if (this.#request !== request) return; // stopped, or begun again
      request.abort();
      this.#request = null;
      clearTimeout(this.#timer);
      this.#failures += 1;
      const hopeless = this.#failures >= kFailures;
      this.#stills.paused = !hopeless;
      this.#timer = setTimeout(() => this.#stream(), hopeless ? kAgainMs : kRetryMs);
    }
  }
}
