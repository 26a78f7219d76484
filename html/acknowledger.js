// When picam.v1's frames are acknowledged: each one when it is done; where picture and acknowledgement get through in
// well under a frame's interval, only every few. Each acknowledgement says how many frames the next one may cover.
const kMaxMs = 100; // that an acknowledgement is put off

export class Acknowledger {
  #send;
  #offered = 1;     // the server's ack_batch
  #fps = 0;         // the stream's; 0: unknown
  #rate = 0;        // what this viewer asked for; 0: all
  #roundTrip = Infinity; // of the newest ping, ms
  #agreed = 1;      // what our last acknowledgement said
  #owed = 0;        // frames that are done and not acknowledged
  #last = 0;        // the newest of all that are done
  #timer = 0;

  // send(message): to the server.
  constructor(send) { this.#send = send; }

  // A new connection: nothing is known, nothing owed and nothing agreed.
  reset() {
    this.restart();
    this.#offered = 1;
    this.#roundTrip = Infinity;
    this.#last = 0;
  }

  // A pause: what was agreed before does not count after it.
  restart() {
    clearTimeout(this.#timer);
    this.#agreed = 1;
    this.#owed = 0;
  }

  set offered(batch) { this.#offered = Number.isInteger(batch) ? batch : 1; }
  set fps(fps) { this.#fps = fps; }
  set rate(fps) { this.#rate = fps; }
  set roundTrip(ms) { this.#roundTrip = ms; }

  // The frame is painted, or dropped for a newer one, so long after it came. Frames may be done out of order.
  done(sequence, tookMs) {
    this.#last = Math.max(this.#last, sequence);
    this.#owed += 1;
    const fps = this.#rate > 0 ? Math.min(this.#rate, this.#fps) : this.#fps;
    const interval = fps > 0 ? 1000 / fps : 0; // between two frames, ms; 0: unknown
    const quick = this.#roundTrip + tookMs < interval / 2;
    clearTimeout(this.#timer);
    if (this.#owed >= this.#agreed || !quick) {
      this.#acknowledge(quick ? Math.max(1, Math.min(this.#offered, Math.floor(kMaxMs / interval))) : 1);
    } else {
      this.#timer = setTimeout(() => {
        this.#roundTrip = Infinity; // the next frame is late: none is put off till the next ping
        this.#acknowledge(1);
      }, Math.min(kMaxMs, 2 * interval));
    }
  }

  #acknowledge(batch) {
    clearTimeout(this.#timer);
    this.#owed = 0;
    this.#agreed = batch;
    this.#send({ type: 'ack', sequence: this.#last, ...(batch > 1 ? { batch } : {}) });
  }
}
