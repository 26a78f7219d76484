// When picam.v1's frames are acknowledged: each one when it is done; where picture and acknowledgement get through in
// well under a frame's interval, only every few. Each acknowledgement says how many frames the next one may cover.
const kMostMs = 100; // that an acknowledgement is put off

export class Acknowledger {
  #send;
  #offered = 1;     // the server's ack_batch
  #interval = 0;    // between two frames, ms; 0: unknown
  #roundTrip = Infinity; // of the newest ping, ms
  #agreed = 1;      // what our last acknowledgement said
  #owed = 0;        // frames that are done and not acknowledged
  #last = 0;        // the newest of all that are done
  #timer = 0;

  // send(message): to the server.
  constructor(send) { this.#send = send; }

  // A new connection: nothing is owed and nothing agreed.
  reset() {
    clearTimeout(this.#timer);
    this.#offered = 1;
    this.#roundTrip = Infinity;
    this.#agreed = 1;
    this.#owed = 0;
    this.#last = 0;
  }

  set offered(batch) { this.#offered = Number.isInteger(batch) ? batch : 1; }
  set fps(fps) { this.#interval = fps > 0 ? 1000 / fps : 0; }
  set roundTrip(ms) { this.#roundTrip = ms; }

  // The frame is painted, or dropped for a newer one, so long after it came. Frames may be done out of order.
  done(sequence, tookMs) {
    this.#last = Math.max(this.#last, sequence);
    this.#owed += 1;
    const quick = this.#roundTrip + tookMs < this.#interval / 2;
    if (this.#owed >= this.#agreed || !quick) {
      this.#acknowledge(quick ? Math.max(1, Math.min(this.#offered, Math.floor(kMostMs / this.#interval))) : 1);
    } else if (this.#owed === 1) {
      this.#timer = setTimeout(() => {
        this.#roundTrip = Infinity; // frames come more slowly than the camera gives them: none is put off till the next ping
        this.#acknowledge(1);
      }, kMostMs);
    }
  }

  #acknowledge(batch) {
    clearTimeout(this.#timer);
    this.#owed = 0;
    this.#agreed = batch;
    this.#send({ type: 'ack', sequence: this.#last, ...(batch > 1 ? { batch } : {}) });
  }
}
