// Plays H.264 where there are no WebCodecs, as without TLS: appends fragments of MP4, one frame each, to a <video> as they
// come. Never seeks, since the last key frame may be far back: the playback rate keeps it near the newest frame.
const kDeadMs = 1500; // frames come, and none is shown
const kLateMs = 300; // so late a timer goes off on a page that stood still
const kMayWait = 3; // of the last frames may be shown only when another one comes
const kMaxUnseen = 300; // frames that wait to be shown: the display may give no refresh for as long as it likes
const kMaxLag = 2; // seconds; what is further behind begins anew
const kWindow = 30; // frames that the slack is the least of
const kPauseMs = 250; // without frames the element stops; what was left before it says nothing of after it
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

function empty(video) {
  if (!video.src) return;
  video.removeAttribute('src');
  video.load(); // lets go of its buffer
}

export class MsePlayer {
  #videos; // the run's first
  #handlers;
  #run = null; // from an init segment to the next; none: it failed
  #pending = false; // the first of the elements has shown nothing of its run

  static get supported() { return Source?.isTypeSupported(typeOf('42E01F')) && 'requestVideoFrameCallback' in HTMLVideoElement.prototype; }

  // Two elements: one stays visible until the other shows its first frame. Handlers as Painter's; a frame is "decoded" when
  // it is appended. onVideoFailed(hopeless): it is not allowed to play; onVideoLate(): it has to begin anew.
  constructor(videos, handlers) {
    this.#videos = videos;
    this.#handlers = handlers;
  }

  // REQUIRES: the first frame, also after these two, `begins`: it has an init segment.
  show(frame) {
    if (frame.begins) this.#begin(codecOf(frame.video));
    const run = this.#run;
    if (!run) return this.#handlers.onSkipped(frame);
    frame.moment = momentOf(frame.video);
    run.frames.push(frame);
    run.queue.push({ frame });
    if (run.frames.length === 1) this.#watch(run);
    this.#work(run);
  }

  // Something newer is shown elsewhere.
  hide() {
    for (const video of this.#videos) {
      video.hidden = true;
      if (!this.#run) empty(video);
    }
    this.#skipAll();
  }

  // A player that shows nothing of what it has fails; where nobody could see it, it begins anew. What stood still with the
  // page, or with the display, has its time once more.
  #watch(run, again = false) {
    clearTimeout(run.watch);
    const due = performance.now() + kDeadMs;
    const timer = setTimeout(() => {
      run.unseen ||= document.hidden;
      if (document.hidden) this.#judge(run);
      else requestAnimationFrame(() => { if (run.watch === timer) this.#judge(run, !again && performance.now() > due + kLateMs); });
    }, kDeadMs);
    run.watch = timer;
  }

  #judge(run, stood = false) {
    if (this.#run !== run || !run.frames.length) return;
    const dead = !document.hidden && (run.queue.length > 0 || run.frames.length > kMayWait);
    if (dead && !stood) this.#late(run);
    else this.#watch(run, dead);
  }

  #late(run) {
    if (!run.unseen) return this.#fail();
    this.#skipAll();
    this.#run = null;
    this.#handlers.onVideoLate();
  }

  #skipAll() { this.#run?.frames.splice(0).forEach((frame) => this.#handlers.onSkipped(frame)); }

  #fail(hopeless = false) {
    this.#skipAll();
    this.#run = null;
    this.#handlers.onVideoFailed(hopeless);
  }

  #begin(codec) {
    this.#skipAll();
    if (!this.#pending) this.#videos.reverse();
    this.#pending = true;
    const [video] = this.#videos;
    const source = new Source();
    const run = { video, buffer: null, queue: [], frames: [], keys: [], slack: [], presented: 0, unseen: false, busy: false, cameMs: -Infinity, stopped: false };
    this.#run = run;
    source.onsourceopen = () => this.#try(run, () => {
      URL.revokeObjectURL(video.src);
      run.buffer = source.addSourceBuffer(typeOf(codec));
      run.buffer.onupdateend = () => this.#worked(run);
      this.#work(run);
    });
    URL.revokeObjectURL(video.src);
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
    if (!next || !buffer || run.busy) return; // one thing at a time; `updating` ends before its event comes
    run.busy = true;
    this.#try(run, () => {
      if (!next.frame) return buffer.remove(0, next.until);
      const { receivedMs } = next.frame;
      run.stopped ||= receivedMs - run.cameMs > kPauseMs;
      run.cameMs = receivedMs;
      if (run.stopped && run.video.readyState > 2) { // it goes on
        run.stopped = false;
        slack.length = 0;
      }
      slack.push(Math.max(0, endOf(buffer) - run.video.currentTime));
      if (slack.length > kWindow) slack.shift();
      buffer.appendBuffer(next.frame.video);
    });
  }

  #worked(run) {
    run.busy = false;
    const { frame } = run.queue.shift();
    if (frame) this.#try(run, () => this.#appended(run, frame));
    this.#work(run);
  }

  #appended(run, frame) {
    const { video, keys } = run;
    this.#handlers.onDecoded(frame);
    if (run.frames.length > kMaxUnseen) this.#handlers.onSkipped(run.frames.shift());
    if (frame.key) keys.push(frame.moment);
    run.unseen ||= document.hidden;
    if (document.hidden) return;
    const interval = Math.max(endOf(run.buffer) - frame.moment, 0.001);
    if (frame.moment - video.currentTime > Math.max(kMaxLag, 3 * interval)) return this.#late(run);
    video.playbackRate = rateFor(run.slack, interval);
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
    this.#watch(run);
    this.#pending = false;
    run.video.hidden = false;
    const [, old] = this.#videos;
    if (old.src) {
      requestAnimationFrame(() => { // when this one is on the display
        if (old !== this.#videos[1]) return;
        old.hidden = true;
        empty(old);
      });
    }
    frames.forEach((frame, i) => this.#handlers[i < frames.length - count ? 'onSkipped' : 'onPainted'](frame));
  }
}
