// Plays H.264 where there are no WebCodecs, as without TLS: appends fragments of MP4, one frame each, to a <video> as they
// come. Never seeks, since the last key frame may be a minute back: the playback rate keeps it near the newest frame.
const kDeadMs = 1500; // frames are appended, and none is shown
const kMaxLag = 2; // seconds; what is further behind begins anew
const kWindow = 30; // frames that the slack is the least of
// What may be left to play when a frame comes: with less Chromium stops and starts with each one.
const kSlack = 0.75; // of the interval
const kMaxSlack = 0.025; // seconds

const Source = window.MediaSource ?? window.ManagedMediaSource;
const typeOf = (codec) => `video/mp4; codecs="avc1.${codec}"`;
const endOf = ({ buffered }) => (buffered.length ? buffered.end(buffered.length - 1) : 0);

// Where a box's content begins.
const contentOf = (bytes, name) => new TextDecoder('latin1').decode(bytes.subarray(0, 2000)).indexOf(name) + name.length;

// Of an init segment.
export function codecOf(bytes) {
  const at = contentOf(bytes, 'avcC') + 1;
  return [...bytes.subarray(at, at + 3)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// When the frame of a fragment is to be shown, seconds.
export function momentOf(bytes) {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(contentOf(bytes, 'tfdt') + 4)) / 1e6;
}

// The playback rate. `slack`: what was left to play when each frame came; seconds.
export function rateFor(slack, interval) {
  const spare = Math.min(...slack) - Math.min(kSlack * interval, kMaxSlack);
  return spare > 0 ? Math.min(2, 1 + Math.ceil(10 * spare / interval) / 20) : 1;
}

export class MsePlayer {
  #videos; // the run's first
  #handlers;
  #run = null; // from an init segment to the next; none: it failed

  static get supported() { return Source?.isTypeSupported(typeOf('42E01F')) && 'requestVideoFrameCallback' in HTMLVideoElement.prototype; }

  // Two elements: one stays visible until the other shows its first frame. Handlers as Painter's; a frame is "decoded" when
  // it is appended. onVideoFailed(hopeless): it will not do better.
  constructor(videos, handlers) {
    this.#videos = videos;
    this.#handlers = handlers;
  }

  // REQUIRES: the first frame, also after onVideoFailed(), `begins`: it has an init segment.
  show(frame) {
    if (frame.begins) this.#begin(codecOf(frame.video));
    const run = this.#run;
    if (!run) return this.#handlers.onSkipped(frame);
    const now = performance.now();
    if (!run.frames.length || now - run.came > kDeadMs / 2) run.since = now; // none was to be shown
    run.came = now;
    frame.moment = momentOf(frame.video);
    run.frames.push(frame);
    run.queue.push({ frame });
    if (now - run.since > kDeadMs && !document.hidden) this.#fail();
    else this.#work(run);
  }

  // Something newer is shown elsewhere.
  hide() {
    for (const video of this.#videos) video.hidden = true;
    this.#skipAll();
  }

  #skipAll() { this.#run?.frames.splice(0).forEach((frame) => this.#handlers.onSkipped(frame)); }

  #fail(hopeless = false) {
    this.#skipAll();
    this.#run = null;
    this.#handlers.onVideoFailed(hopeless);
  }

  #begin(codec) {
    this.#skipAll();
    const [video] = this.#videos.reverse();
    const source = new Source();
    const run = { video, buffer: null, queue: [], frames: [], keys: [], slack: [], since: 0, came: 0, presented: 0 };
    this.#run = run;
    source.onsourceopen = () => this.#try(run, () => {
      URL.revokeObjectURL(video.src);
      run.buffer = source.addSourceBuffer(typeOf(codec));
      run.buffer.onupdateend = () => this.#worked(run);
      this.#work(run);
    });
    video.onerror = () => { if (this.#run === run) this.#fail(); };
    video.src = URL.createObjectURL(source);
    video.hidden = false; // and empty, over what is there
    this.#follow(run);
  }

  #follow(run) {
    run.video.requestVideoFrameCallback((now, { mediaTime, presentedFrames }) => {
      if (this.#run !== run) return;
      this.#follow(run);
      this.#painted(run, mediaTime, presentedFrames - run.presented); // Firefox does not call for each
      run.presented = presentedFrames;
    });
  }

  #try(run, call) {
    if (this.#run !== run) return;
    try {
      call();
    } catch {
      this.#fail();
    }
  }

  #work(run) {
    const { buffer, queue: [next], slack } = run;
    if (!next || !buffer || buffer.updating) return; // one thing at a time
    this.#try(run, () => {
      if (!next.frame) return buffer.remove(0, next.until);
      slack.push(Math.max(0, endOf(buffer) - run.video.currentTime));
      if (slack.length > kWindow) slack.shift();
      buffer.appendBuffer(next.frame.video);
    });
  }

  #worked(run) {
    const { frame } = run.queue.shift();
    if (frame && this.#run === run) this.#appended(run, frame);
    this.#work(run);
  }

  #appended(run, frame) {
    const { video, keys } = run;
    this.#handlers.onDecoded(frame);
    const end = endOf(run.buffer);
    if (frame.key) keys.push(frame.moment);
    if (document.hidden) return;
    if (end - video.currentTime > kMaxLag) return this.#fail();
    video.playbackRate = rateFor(run.slack, end - frame.moment);
    if (keys[1] < video.currentTime - 1) {
      keys.shift();
      run.queue.unshift({ until: keys[0] });
    }
    if (video.paused) video.play().catch(({ name }) => { if (name === 'NotAllowedError' && this.#run === run) this.#fail(true); });
  }

  // Up to this moment, the newest `count` one by one.
  #painted(run, moment, count) {
    const frames = run.frames.splice(0, run.frames.filter((frame) => frame.moment < moment + 0.0005).length);
    if (!frames.length) return;
    run.since = performance.now();
    run.video.hidden = false;
    const old = this.#videos[1];
    if (old.src) {
      old.hidden = true;
      old.removeAttribute('src');
      old.load(); // lets go of its buffer
    }
    frames.forEach((frame, i) => this.#handlers[i < frames.length - count ? 'onSkipped' : 'onPainted'](frame));
  }
}
