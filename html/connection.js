// picam.v1 or picam.v2 over one WebSocket after another: fetches a ticket for each, reconnects with growing, jittered
// pauses, notices a stream that stands still and a chain of frames that is broken, and keeps the difference between the
// server's clock and ours. Knows nothing of pictures but their bytes.
import { Acknowledger } from './acknowledger.js';

const kFrozenMs = 3000;
const kOpenMs = 5000;
const kSilentMs = 30000; // without an answer to a ping: a large frame on a thin link may be before it
const kPingMs = 5000;
const kFirstPings = 8; // closer together: one alone may have met a busy moment, and the clocks would seem apart
const kFirstPingMs = 150;
const kHeaderBytes = { 'picam.v1': 16, 'picam.v2': 40 };
const kH264 = 2; // as the header has it

export class Connection {
  #handlers;
  #video;
  #container; // what frames of H.264 are packed in, as `take` says it; of access units nothing
  #chain = null; // the last frame of H.264; none: a key frame has to come
  #begun = false; // the container's stream, that one after `key`
  #socket = null;
  #attempt = null; // which of several connects is the last
  #wanted = false;
  #failures = 0;
  #retry = 0;
  #watch = 0;
  #ping = 0;
  #lastFrame = 0;
  #frozenMs = kFrozenMs;
  #streaming = false;
  #greeted = false;
  #pongAt = 0;
  #acknowledger = new Acknowledger((message) => this.send(message));
  #offsets = []; // the newest measurements: {roundTrip, offset}, ms
  everOpened = false;
  blocked = 0; // attempts running that did not open although the server answered
  maxPauseMs = 10000; // between two attempts

  // onFrame({sequence, capturedMs, receivedMs, jpeg or video, key, begins, rung, size}), onHello(hello), onState(state),
  // onLost(failures, why), why: 'closed', 'silent', 'frozen' or 'password'. `video`: a promise of how H.264 can be shown: 'frames', 'mp4' or false.
  constructor(handlers, video = Promise.resolve(false)) {
    this.#handlers = handlers;
    this.#video = video;
  }

  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#drop();
  }

  send(message) {
    if (message.type === 'rate') this.#acknowledger.rate = message.fps;
    if (message.type === 'pause' || message.type === 'resume') this.#acknowledger.restart();
    if (message.type === 'key') this.#restart();
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  // The frame is decoded, or dropped for a newer one: the server may send another in its place. Said twice it counts once.
  done(frame) {
    if (frame.socket !== this.#socket || frame.done) return;
    frame.done = true;
    if (frame.ack) {
      if (frame.socket.readyState === WebSocket.OPEN) frame.socket.send(frame.ack);
    } else this.#acknowledger.done(frame.sequence, performance.now() - frame.receivedMs);
  }

  // Server time minus ours in ms, from the quickest of the last pings; undefined before the first.
  get clockOffset() {
    return this.#offsets.reduce((best, o) => (!best || o.roundTrip < best.roundTrip ? o : best), undefined)?.offset;
  }

  // Not every browser sends the site's password with a WebSocket (Safari does not): a ticket, fetched with it, goes in
  // its place. A site that has no tickets gets none.
  async #connect() {
    const attempt = {};
    this.#attempt = attempt;
    const answer = await fetch('ticket', { cache: 'no-store', signal: AbortSignal.timeout?.(kOpenMs) }).catch(() => null);
    const ticket = answer?.ok ? await answer.json().then((said) => said.ticket, () => undefined) : undefined;
    if (this.#attempt !== attempt) return; // closed meanwhile
    if (answer?.status === 401) return this.#lost('password');
    const video = await this.#video;
    this.#container = video === 'mp4' ? { container: 'mp4' } : {};
    const protocols = video ? ['picam.v2', 'picam.v1'] : ['picam.v1'];
    if (ticket) protocols.push(`picam.ticket.${ticket}`);
    if (this.#attempt !== attempt) return;
    const url = new URL('stream', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#streaming = false;
    this.#greeted = false;
    this.blocked += answer?.status < 500 ? 1 : 0;
    const opened = performance.now();
    this.#pongAt = opened;
    socket.onopen = () => {
      this.everOpened = true;
      this.blocked = 0;
      this.#pingAgain(kFirstPings);
    };
    socket.onmessage = (event) => { if (this.#socket === socket) this.#receive(event.data); };
    socket.onclose = () => { if (this.#socket === socket) this.#lost('closed'); };
    this.#watch = setInterval(() => {
      const now = performance.now();
      if (!this.#greeted && now - opened > kOpenMs) this.#lost('silent');
      else if (now - this.#pongAt > kSilentMs) this.#lost('silent');
      else if (this.#streaming && now - this.#lastFrame > this.#frozenMs) this.#lost('frozen');
    }, 500);
  }

  // A rate or a pause makes frames rare on purpose.
  set expectsFrames(value) {
    this.#lastFrame = performance.now() + (value ? 0 : Number.MAX_SAFE_INTEGER / 2);
    this.#expects = value;
  }
  #expects = true;

  #pingAgain(first) {
    this.send({ type: 'ping', t: performance.now() });
    this.#ping = setTimeout(() => this.#pingAgain(first - 1), first > 1 ? kFirstPingMs : kPingMs);
  }

  #receive(data) {
    if (typeof data !== 'string') {
      const view = new DataView(data);
      if (this.#expects) this.#lastFrame = performance.now();
      this.#failures = 0;
      const v2 = this.#socket.protocol === 'picam.v2';
      const first = v2 ? 8 : 0; // of sequence and time, which both have
      const frame = {
        sequence: Number(view.getBigUint64(first)),
        capturedMs: Number(view.getBigUint64(first + 8)) / 1000,
        receivedMs: performance.now(),
        socket: this.#socket,
      };
      const payload = new Uint8Array(data, kHeaderBytes[v2 ? 'picam.v2' : 'picam.v1']);
      if (v2) {
        // Codec, rung and sequence.
        frame.ack = new Uint8Array([...new Uint8Array(data, 1, 2), ...new Uint8Array(data, 8, 8)]);
        frame.rung = view.getUint8(2);
        frame.size = `${view.getUint16(24)}x${view.getUint16(26)}`;
      }
      if (v2 && view.getUint8(1) === kH264) this.#link(Object.assign(frame, { key: (view.getUint8(3) & 1) === 1, video: payload, bytes: payload.length }));
      else this.#handlers.onFrame(Object.assign(frame, { jpeg: payload, bytes: payload.length }));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === 'hello') {
      this.#greeted = true;
      this.#acknowledger.offered = message.ack_batch;
      this.#handlers.onHello(message); // may set a rate: no encoder is opened in vain
      if (this.#socket.protocol === 'picam.v2') this.send({ type: 'take', codecs: ['h264', 'jpeg'], ...this.#container });
    } else if (message.type === 'state') {
      this.#streaming = message.state === 'streaming';
      if (this.#streaming) this.#acknowledger.fps = message.fps;
      // Three frames, of a camera that exposes for seconds.
      this.#frozenMs = message.fps > 0 ? Math.max(kFrozenMs, 3000 / message.fps) : kFrozenMs;
      if (this.#expects) this.#lastFrame = performance.now();
      this.#handlers.onState(message);
    } else if (message.type === 'pong') {
      this.#pongAt = performance.now();
      const roundTrip = this.#pongAt - message.t;
      this.#acknowledger.roundTrip = roundTrip;
      const middle = performance.timeOrigin + message.t + roundTrip / 2;
      this.#offsets = [...this.#offsets.slice(-9), { roundTrip, offset: message.server_time_us / 1000 - middle }];
    }
  }

  #restart() {
    this.#chain = null;
    this.#begun = false;
  }

  // A frame that continues nothing is not shown: a browser would decode it all the same, and paint rubbish. Of MP4 an init
  // segment, "ftyp", comes first.
  #link(frame) {
    frame.begins = String.fromCharCode(...frame.video.subarray(4, 8)) === 'ftyp';
    this.#begun ||= frame.begins || !this.#container.container;
    if (!this.#begun) return this.done(frame);
    const continues = this.#chain?.rung === frame.rung && this.#chain.sequence + 1 === frame.sequence;
    if (!frame.key && !continues) {
      if (this.#chain) this.send({ type: 'key' });
      return this.done(frame);
    }
    this.#chain = frame;
    this.#handlers.onFrame(frame);
  }

  #lost(why) {
    this.#drop();
    if (!this.#wanted) return;
    this.#failures += 1;
    this.#handlers.onLost(this.#failures, why);
    if (!this.#wanted) return; // the handler chose another way
    const pause = Math.min(this.maxPauseMs, 250 * 2 ** Math.min(this.#failures - 1, 7)) * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => this.#connect(), pause);
  }

  #drop() {
    clearInterval(this.#watch);
    clearTimeout(this.#ping);
    this.#acknowledger.reset();
    this.#restart();
    const socket = this.#socket;
    this.#attempt = null;
    this.#socket = null;
    socket?.close();
  }
}
