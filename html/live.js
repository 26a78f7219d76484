// The live picture: H.264 or JPEGs painted on a canvas, without WebCodecs H.264 in a <video>; the multipart stream and then
// stills where WebSockets do not get through. Closes when hidden, comes back when seen.
import { Connection } from './connection.js';
import { Painter } from './painter.js';
import { text } from './text.js';

const kHiddenMs = 4000;        // a glance at another page does not end the stream
const kFallbackFailures = 4;   // attempts that never once opened
const kFallbackPauseMs = 30000; // between further ones
const kForgivenFrames = 300;   // of H.264 painted in between: a decoder that fails again earlier is not tried again
const kSaidMs = 6000;
const kJudgeMs = 2000;
const kSlowJudgements = 4;     // one behind the other
const kSlowFps = 5;
const kFreshMs = 3000;         // what is older is not live

export class Live {
  #canvas;
  #videos;
  #history;
  #handlers;
  #painter;
  #player = null;  // of H.264, where the painter cannot
  #connection;
  #running = false;
  #away = false;   // something else is shown
  #paused = false;
  #rate = 0;       // 0: every frame
  #camera = {};    // its state, as the server says it
  #shown = null;   // the newest frame that is
  #fallback = null; // a promise, once WebSockets did not get through
  #fallen = false;
  #sinceFailure = Infinity; // frames of H.264, painted since the decoder failed
  #notice = '';    // what stands over a picture that comes, and what to do about it
  #remedy = '';
  #slow = 0;       // judgements that found it so
  #usualPauseMs;
  #hidden = 0;     // a timer

  // `history`: a StreamHistory that gets what is shown. onShown() with each picture, onFault(sentence, remedy); '' when all is
  // well. `videos`: two elements, which follow each other without a gap.
  constructor({ canvas, videos, history }, handlers) {
    this.#canvas = canvas;
    this.#videos = videos;
    this.#history = history;
    this.#handlers = handlers;
    const shows = {
      onPainted: (frame) => this.#painted(frame),
      onSkipped: (frame) => {
        history.skipped(performance.now());
        this.#connection.done(frame);
      },
      onDecoded: (frame) => this.#connection.done(frame), // to wait for the display would look like a slow link
      onVideoLate: () => this.#connection.send({ type: 'key' }),
      onVideoFailed: (hopeless) => this.#videoFailed(hopeless),
    };
    this.#painter = new Painter(canvas, shows);
    this.#connection = new Connection({
      onFrame: (frame) => (frame.video && this.#player ? this.#player : this.#painter).show(frame),
      onHello: () => {
        this.#applyRate();
        if (this.#paused) {
          this.#connection.send({ type: 'pause' });
          this.#say('');
        }
        handlers.onConnected();
      },
      onState: (state) => this.#tellState(state),
      onLost: (failures, why) => this.#lost(failures, why),
    }, this.#shownAs(shows).catch(() => false));
    this.#usualPauseMs = this.#connection.maxPauseMs;
    document.addEventListener('visibilitychange', () => this.#look());
    // A page that the browser froze or kept for "back" may hold a dead connection.
    window.addEventListener('pageshow', (event) => { if (event.persisted && this.#running) this.retry(); });
    setInterval(() => this.#judge(), kJudgeMs);
  }

  start() {
    this.#running = true;
    this.#away = false;
    this.#say(text.connecting);
    if (!document.hidden) this.#open();
  }

  stop() {
    this.#running = false;
    this.#paused = false;
    this.#close();
  }

  // At once, in place of when it would be tried again.
  retry() {
    this.#close();
    this.#open();
  }

  set rate(rate) {
    this.#rate = rate;
    this.#applyRate();
    this.#fallback?.then((shows) => shows?.restart());
  }

  set paused(paused) {
    this.#paused = paused;
    this.#connection.send({ type: paused ? 'pause' : 'resume' });
    this.#expect();
    if (paused) this.#fallback?.then((shows) => shows?.stop());
    else if (this.#fallen) this.#fallBack();
  }

  hide() {
    this.#away = true;
    this.#canvas.hidden = true;
    this.#player?.hide();
  }

  get caption() {
    if (!this.#shown) return '';
    const captured = new Date(this.#shown.capturedMs);
    const age = Math.max(0, this.#age(this.#shown) ?? performance.now() - this.#shown.receivedMs);
    return age < kFreshMs ? text.live(captured) : text.captured(captured, text.seconds(age / 1000));
  }
  get codec() { return this.#shown && (this.#shown.video ? 'H.264' : 'JPEG'); }
  get size() { return this.#shown?.size ?? ''; }

  // {blob, captured} of what is shown; of H.264 a still, which is of now; null: there is none.
  async save() {
    if (!this.#shown) return null;
    const { jpeg, capturedMs } = this.#shown;
    if (jpeg) return { blob: new Blob([jpeg], { type: 'image/jpeg' }), captured: new Date(capturedMs) };
    const answer = await fetch('pi.jpg', { cache: 'no-store' }).catch(() => null);
    if (!answer?.ok) throw new Error(text.noServer);
    return { blob: await answer.blob(), captured: new Date(answer.headers.get('X-Picam-Captured')) };
  }

  async #shownAs(shows) {
    if (await this.#painter.h264) return 'frames';
    const { MsePlayer } = await import('./mse-player.js');
    if (!MsePlayer.supported) return false;
    this.#player = new MsePlayer(this.#videos, shows);
    return 'mp4';
  }

  #painted(frame) {
    this.#connection.done(frame);
    if (!this.#running) return void (this.#away && this.hide()); // it was on its way
    this.#shown = frame;
    if (frame.video) this.#sinceFailure += 1;
    if (this.#fallen && frame.socket) {
      this.#fallen = false;
      this.#notice = '';
      this.#connection.maxPauseMs = this.#usualPauseMs;
      this.#fallback.then((shows) => shows?.stop());
    }
    this.#canvas.hidden = Boolean(this.#player && frame.video);
    if (!this.#canvas.hidden) this.#player?.hide();
    this.#history.painted({ at: performance.now(), bytes: frame.bytes, delay: this.#age(frame) });
    this.#say(this.#notice, this.#remedy);
    this.#handlers.onShown();
  }

  // Milliseconds since it was captured; undefined before the clocks are compared.
  #age({ capturedMs }) {
    const offset = this.#connection.clockOffset;
    return offset === undefined ? undefined : performance.timeOrigin + performance.now() + offset - capturedMs;
  }

  #say(sentence, remedy) { if (this.#running) this.#handlers.onFault(sentence, remedy); }

  // While pictures come; said with the next one.
  #note(sentence, remedy = '') { [this.#notice, this.#remedy] = [sentence, remedy]; }

  // Once may happen; JPEGs always can be shown. Not by the time that has passed: the server may have sent JPEGs meanwhile.
  #videoFailed(hopeless = false) {
    const again = hopeless || this.#sinceFailure < kForgivenFrames;
    this.#sinceFailure = 0;
    this.#connection.send(again ? { type: 'take', codecs: ['jpeg'] } : { type: 'key' });
    if (!again) return;
    this.#note(text.noVideo);
    this.#say(text.noVideo);
    setTimeout(() => { if (this.#notice === text.noVideo) this.#note(''); }, kSaidMs);
  }

  #tellState(state) {
    this.#camera = state;
    if (state.state === 'starting') this.#say(text.starting);
    else if (state.state === 'unavailable') this.#say(`${text.unavailable(state.reason)} ${text.comesBack}`, 'details');
    else if (this.#paused) this.#say('');
  }

  #lost(failures, why) {
    this.#camera = {};
    if (why === 'password') return this.#refused();
    if (this.#connection.blocked >= kFallbackFailures || (!this.#connection.everOpened && failures >= kFallbackFailures)) return this.#fallBack();
    if (!navigator.onLine) this.#say(text.offline);
    else if (why === 'frozen') this.#say(text.frozen, 'stills');
    else this.#say(text.lost, 'retry');
  }

  // A browser asks its user at each such answer: nothing is asked for any more.
  #refused() {
    this.#close();
    this.#say(text.password, 'signIn');
  }

  #expect() { this.#connection.expectsFrames = !this.#paused && (this.#rate === 0 || this.#rate >= 1); }

  #applyRate() {
    this.#connection.send({ type: 'rate', fps: this.#rate });
    this.#expect();
  }

  // Pictures come, and so few of those the camera takes that only the link can be why.
  #judge() {
    const limit = this.#rate > 0 ? Math.min(this.#rate, this.#camera.fps) : this.#camera.fps;
    const { fps } = this.#history.now(performance.now());
    const slow = this.#running && !document.hidden && !this.#paused && !this.#fallen && this.#camera.state === 'streaming' && fps > 0 && fps < kSlowFps && fps < limit / 6;
    this.#slow = slow ? this.#slow + 1 : 0;
    if (this.#slow === kSlowJudgements) this.#note(text.slow, 'stills');
    else if (!slow && this.#notice === text.slow) this.#note('');
  }

  // WebSockets never opened: a proxy in between, most likely; or the server was away for a moment, so they are tried again.
  async #fallBack() {
    this.#connection.maxPauseMs = kFallbackPauseMs;
    this.#fallback ??= import('./fallback.js').then(({ Fallback }) => new Fallback(() => `stream.mjpg${this.#rate ? `?fps=${this.#rate}` : ''}`, {
      onFrame: (frame, from) => {
        this.#note(from === 'stills' ? text.fallbackStills : text.fallbackMultipart);
        this.#painter.show(frame);
      },
      onFailure: (why, status) => {
        if (status === 401) this.#refused();
        else if (why === 'offline') this.#say(text.offline);
        else this.#say(why ? text.goesOn(why) : text.noServer, 'retry');
      },
    })).catch(() => { this.#fallback = null; });
    this.#fallen = true;
    const shows = await this.#fallback;
    if (this.#fallen && this.#running && !this.#paused && !document.hidden) shows?.start();
  }

  #open() {
    this.#connection.open();
    if (this.#fallen) this.#fallBack();
  }

  #close() {
    clearTimeout(this.#hidden);
    this.#camera = {};
    this.#connection.close();
    this.#fallback?.then((shows) => shows?.stop());
  }

  #look() {
    clearTimeout(this.#hidden);
    if (!this.#running) return;
    if (document.hidden) this.#hidden = setTimeout(() => this.#close(), kHiddenMs);
    else this.#open();
  }
}
