// The stream page: H.264 or JPEGs painted on a canvas, without WebCodecs H.264 in a <video>; the multipart stream and then
// stills where WebSockets do not get through. Closes when hidden, comes back when seen.
import { Connection } from './connection.js';
import { byId, clockTime, rememberedChoice, saveBlob, say, setPaused, toggleFullscreen, wire } from './page.js';
import { Painter } from './painter.js';
import { StillRefresher } from './still-refresher.js';
import { text } from './text.js';
import { View } from './view.js';

const kHiddenMs = 4000;        // a glance at another page does not end the stream
const kFallbackFailures = 4;   // attempts that never once opened
const kFigureFrames = 60;
const kForgivenMs = 10000;     // a decoder that fails again within it is not tried again
const kSaidMs = 6000;

const canvas = byId('picture');
const video = document.querySelector('video');
const videos = [video, video.cloneNode()];
video.after(videos[1]);
const fallback = byId('fallback');
let shown = null; // the newest frame that is
let paused = false;
let figures = false;
let skipped = 0;
let stills = null;
let asked = false; // for the controls, since the newest connection
let panelButton = null; // a promise
let failedAt = -Infinity; // the decoder
let notice = ''; // what stands over the picture
const painted = []; // the newest frames: {at, bytes, delay}
let player = null; // of H.264, where the painter cannot

const handlers = {
  onPainted(frame) {
    connection.done(frame);
    shown = frame;
    canvas.hidden = Boolean(player && frame.video);
    if (!canvas.hidden) player?.hide();
    const offset = connection.clockOffset;
    const now = performance.timeOrigin + performance.now();
    const delay = offset === undefined ? undefined : now + offset - frame.capturedMs;
    painted.push({ at: performance.now(), bytes: frame.bytes, delay });
    if (painted.length > kFigureFrames) painted.shift();
    if (!paused) say(notice);
    if (!asked) offerControls();
  },
  onSkipped(frame) {
    skipped += 1;
    connection.done(frame);
  },
  onDecoded: (frame) => connection.done(frame), // to wait for the display would look like a slow link
  onVideoLate: () => connection.send({ type: 'key' }),
  // Once may happen; JPEGs always can be shown.
  onVideoFailed(hopeless = false) {
    const again = hopeless || performance.now() - failedAt < kForgivenMs;
    failedAt = performance.now();
    connection.send(again ? { type: 'take', codecs: ['jpeg'] } : { type: 'key' });
    if (!again) return;
    say(notice = text.noVideo);
    setTimeout(() => { notice = ''; }, kSaidMs);
  },
};
const painter = new Painter(canvas, handlers);

async function shownAs() {
  if (await painter.h264) return 'frames';
  const { MsePlayer } = await import('./mse-player.js');
  if (!MsePlayer.supported) return false;
  player = new MsePlayer(videos, handlers);
  return 'mp4';
}

const connection = new Connection({
  onFrame: (frame) => (frame.video && player ? player : painter).show(frame),
  onHello() {
    asked = false;
    applyRate();
    if (paused) connection.send({ type: 'pause' });
  },
  onState(state) {
    if (paused) return;
    if (state.state === 'starting') say(text.starting);
    else if (state.state === 'unavailable') say(text.unavailable(state.reason));
  },
  onLost(failures, why) {
    if (!connection.everOpened && failures >= kFallbackFailures) fallBack();
    else if (!navigator.onLine) say(text.offline);
    else say(why === 'frozen' ? text.frozen : text.lost);
  },
}, shownAs().catch(() => false));

let rate = rememberedChoice('rate', '0', (value) => { rate = value; applyRate(); });

function applyRate() {
  connection.send({ type: 'rate', fps: rate });
  connection.expectsFrames = !paused && (rate === 0 || rate >= 1);
}

// WebSockets never opened: a proxy in between, most likely. An <img> takes the multipart stream; stills always work.
function fallBack() {
  connection.close();
  canvas.hidden = true;
  player?.hide();
  fallback.hidden = false;
  fallback.onload = () => {
    say(text.fallbackMultipart);
    if (!asked) offerControls();
  };
  fallback.onerror = () => {
    fallback.onload = null;
    fallback.onerror = null;
    stills = new StillRefresher({
      everyMs: 1500,
      onPicture: ({ blob }) => {
        const old = fallback.src;
        fallback.src = URL.createObjectURL(blob);
        URL.revokeObjectURL(old);
        say(text.fallbackStills);
      },
      onFailure: (why) => say(why || text.noServer),
    });
    stills.start();
  };
  fallback.src = 'stream.mjpg';
}

// After the first picture, which does not wait for the controls.
function offerControls() {
  asked = true;
  panelButton ??= import('./panel-button.js').then(({ PanelButton }) => new PanelButton(byId('adjust'), view));
  panelButton.then((button) => button.refresh(), () => { panelButton = null; });
}

function caption() {
  if (!shown || !fallback.hidden) return;
  byId('caption').textContent = figures ? figureLine() : text.live(clockTime(new Date(shown.capturedMs)));
}

function figureLine() {
  const first = painted[0];
  const last = painted[painted.length - 1];
  const seconds = (last.at - first.at) / 1000 || 1;
  const delays = painted.map((p) => p.delay).filter((d) => d !== undefined).sort((a, b) => a - b);
  const delay = delays.length ? `${Math.max(0, Math.round(delays[delays.length >> 1]))} ms` : text.unknown;
  const bytes = painted.slice(1).reduce((sum, p) => sum + p.bytes, 0) / seconds;
  return text.figures({ fps: (painted.length - 1) / seconds, delay, bytes, skipped, codec: shown.video ? `H.264 ${shown.size}` : 'JPEG' });
}

function pause() {
  paused = !paused;
  setPaused(paused);
  connection.send({ type: paused ? 'pause' : 'resume' });
  connection.expectsFrames = !paused && (rate === 0 || rate >= 1);
  if (stills) stills.paused = paused;
  say(paused ? text.paused : '');
}

// A still is better than a frame of H.264; it is of now.
async function save() {
  if (!shown) return;
  const { jpeg } = shown;
  if (jpeg) return saveBlob(new Blob([jpeg], { type: 'image/jpeg' }), new Date(shown.capturedMs));
  const answer = await fetch('pi.jpg', { cache: 'no-store' }).catch(() => null);
  if (answer?.ok) saveBlob(await answer.blob(), new Date(answer.headers.get('X-Picam-Captured')));
  else say(text.noServer);
}

function toggleFigures() {
  figures = !figures;
  byId('figures').setAttribute('aria-pressed', figures);
  caption();
}

const view = new View(byId('stage'), [canvas, fallback, ...videos]);
wire({
  pause: { key: ' ', action: pause },
  figures: { key: 'i', action: toggleFigures },
  save: { key: 's', action: save },
  ...view.actions,
  adjust: { key: 'o', action: () => panelButton?.then((button) => button.toggle()) },
  fullscreen: { key: 'f', action: toggleFullscreen },
}, view.keys);

let hiddenTimer = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(() => connection.close(), kHiddenMs);
  else if (fallback.hidden) connection.open();
});
// A page that the browser froze or kept for "back" may hold a dead connection.
window.addEventListener('pageshow', (event) => {
  if (event.persisted && fallback.hidden) {
    connection.close();
    connection.open();
  }
});
setInterval(() => { if (!document.hidden) caption(); }, 500);
say(text.connecting);
if (location.hash === '#controls') offerControls();
if (!document.hidden) connection.open();
