// What the last two minutes of the live picture were, a bucket a second. Times are performance.now()'s and never go back.
export const kSeconds = 120;
const kNewest = 60; // frames that the figures of now are made of
const kFew = 5; // of them at least, where they are further apart
const kNowMs = 2000;
const kStalled = 3; // times as long without a frame as between two of them: the rate falls

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const known = (delay) => delay !== undefined;

export class StreamHistory {
  #seconds = Array(kSeconds + 1).fill(null); // oldest first; the last is not over
  #second = 0; // which one that is
  #delays = []; // in it
  #newest = []; // frames
  #skipped = 0;

  // `delay`: ms, undefined where it is not known.
  painted({ at, bytes, delay }) {
    this.#advance(at);
    const second = (this.#seconds[kSeconds] ??= this.#empty());
    second.fps += 1;
    second.bitrate += bytes * 8;
    const late = known(delay) ? Math.max(0, delay) : undefined; // clocks are compared to a few ms only
    if (known(late)) this.#delays.push(late);
    this.#newest.push({ at, bytes, delay: late });
    if (this.#newest.length > kNewest) this.#newest.shift();
  }

  skipped(at) {
    this.#advance(at);
    this.#skipped += 1;
    if (this.#seconds[kSeconds]) this.#seconds[kSeconds].skipped += 1;
  }

  // The last 120 complete seconds, oldest first: {fps, delay, bitrate, skipped}; null before the first frame.
  seconds(now) {
    this.#advance(now);
    return this.#seconds.slice(0, kSeconds);
  }

  // The same of the last two seconds, or of a few frames where they are rare; `skipped` since the beginning.
  now(at) {
    const frames = this.#newest.filter((frame, i, { length }) => i >= length - kFew || at - frame.at <= kNowMs);
    const delay = median(frames.map((frame) => frame.delay).filter(known));
    const [first, last, gaps] = [frames[0]?.at, frames[frames.length - 1]?.at, frames.length - 1];
    const stalled = at - last > Math.max(kNowMs / 2, (kStalled * (last - first)) / gaps);
    const seconds = ((stalled ? at : last) - first) / 1000 || Infinity;
    const bytes = frames.slice(1).reduce((sum, frame) => sum + frame.bytes, 0); // how long the first took is not known
    return { fps: Math.max(0, gaps) / seconds, delay, bitrate: (bytes * 8) / seconds, skipped: this.#skipped };
  }

  #empty() { return { fps: 0, delay: undefined, bitrate: 0, skipped: 0 }; }

  // Up to the second of this time; those between were without a frame.
  #advance(at) {
    const second = Math.floor(at / 1000);
    const gone = Math.min(second - this.#second, kSeconds + 1);
    if (gone <= 0) return;
    if (this.#seconds[kSeconds]) this.#seconds[kSeconds].delay = median(this.#delays);
    this.#delays = [];
    for (let i = 0; i < gone; ++i) this.#seconds.push(this.#newest.length ? this.#empty() : null);
    this.#seconds.splice(0, gone);
    this.#second = second;
  }
}
