// A camera's page: the picture, live or as stills, by the address; what is said over it; the bar; the panels.
import { createButton, createMenu, createPace, hideWhileUnused, listen, setPressed } from './bar.js';
import { byId, h, put } from './element.js';
import { Panels } from './panels.js';
import { Stills } from './stills.js';
import { StreamHistory } from './stream-history.js';
import { text, translatePage } from './text.js';
import { View } from './view.js';

const kCaptionMs = 500;

translatePage();
const streamHistory = new StreamHistory();
let controls = null; // once they were asked for
let mode = null; // live or stills, once its modules are there
let paused = false;
let showBar; // once it is there
let asked = false; // for the controls, since the newest connection
let meeting = null; // a promise, once it was asked whether who looks is an operator
let met = false; // it was answered

// What is wrong, or what is said of a picture that comes, with what to do; a pause stands behind what there is to do.
let fault = { sentence: '', remedy: '' };
function say(sentence, remedy = '') {
  fault = { sentence, remedy };
  tell();
}

function tell() {
  const { sentence, remedy } = paused && !fault.remedy ? { sentence: text.paused, remedy: '' } : fault;
  put(byId('message'), 'textContent', sentence);
  byId('notice').hidden = byId('message').hidden = sentence === '';
  if (sentence) showBar?.();
  const button = byId('remedy');
  if (remedy === 'details') {
    meeting ??= offerControls().then(() => {
      asked = false; // the camera has none yet
      met = true;
      tell();
    });
  }
  button.hidden = remedy === '' || sentence === '' || (remedy === 'details' && !met); // no button becomes another one under a finger
  if (button.hidden) return;
  const offered = remedy === 'details' && !controls?.mayChange ? 'retry' : remedy; // they are for operators
  put(button, 'textContent', text.remedies[offered]);
  button.onclick = remedies[offered];
}

const tellCaption = () => put(byId('caption'), 'textContent', mode?.caption ?? '');
const shown = (by, other) => () => {
  if (mode !== by()) return;
  other()?.hide();
  if (mode === stills || !byId('caption').textContent) tellCaption();
  if (!asked) offerControls();
  if (!foreseen) loadLive(); // soon wanted, perhaps
  foreseen = true;
};
const video = document.querySelector('video');
const videos = [video, video.cloneNode()];
video.after(videos[1]);
let rate = 0;
let live = null; // once it is wanted: its painter is a thread
let coming = null; // its modules, which a still does not wait for; null, too, after a network that failed
let foreseen = false;
const loadLive = () => coming ??= import('./live.js').catch(() => { coming = null; });
const createLive = (Live) => Object.assign(new Live({ canvas: byId('picture'), videos, history: streamHistory }, {
  onShown: shown(() => live, () => stills),
  onFault: say,
  onConnected: () => { asked = false; },
}), { rate });
const stills = new Stills(byId('still'), { onShown: shown(() => stills, () => live), onFault: say });
const view = new View(byId('stage'), [byId('picture'), ...videos, byId('still')]);

const panels = new Panels({
  controls: {
    aside: 'controls', button: 'adjust', get offered() { return controls?.allowed ?? false; },
    create: async (aside, onClose) => (await import('./panel.js')).createPanel({ aside, controls, view, onClose }),
  },
  figures: {
    aside: 'figures-panel', button: 'charts', offered: true,
    create: async (aside, onClose) => (await import('./figures.js')).createFigures({ aside, history: streamHistory, about, onClose }),
  },
});
const about = () => ({ codec: live?.codec, size: live?.size, mode: mode === stills ? 'stills' : 'live', stillAgeMs: stills.ageMs, every: stills.every });

const remedies = {
  retry: () => (mode ? mode.retry() : location.reload()),
  signIn: () => location.reload(),
  stills: () => go('index.html'),
  details: () => panels.open('figures', true),
};

// After the first picture, which does not wait for the controls.
async function offerControls() {
  asked = true;
  controls ??= await import('./controls.js').then(({ Controls }) => new Controls(), () => null);
  if (!controls) return void (asked = false); // no network, say
  if (byId('controls').hidden) await controls.load();
  byId('adjust').hidden = !controls.allowed;
  panels.resume();
}

function pause() {
  if (!mode) return;
  paused = !paused;
  mode.paused = paused;
  setPressed('pause', paused, paused ? 'play' : 'pause');
  tell();
}

async function save() {
  const picture = await mode?.save().catch((error) => say(error.message, 'retry'));
  if (!picture) return;
  const link = h('a', { href: URL.createObjectURL(picture.blob), download: `picam-${picture.captured.toISOString().replace(/[:.]/g, '-')}.jpg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const inFullscreen = () => Boolean(document.fullscreenElement);
function toggleFullscreen() {
  if (inFullscreen()) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

// Live or as stills, as the address says, which both have had since there were two pages.
const wantsLive = () => /\/stream(\.html)?$/.test(location.pathname);
async function choose() {
  for (const link of document.querySelectorAll('nav a')) {
    if ((link.getAttribute('href') === 'stream') === wantsLive()) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  byId('rate').parentElement.hidden = !wantsLive();
  byId('every').parentElement.hidden = wantsLive();
  if (wantsLive() && !live) {
    if (!mode) say(text.connecting);
    const module = await loadLive();
    if (!wantsLive()) return;
    if (!module) return void say(text.noServer, 'retry');
    live ??= createLive(module.Live);
  }
  const next = wantsLive() ? live : stills;
  if (next === mode) return;
  if (paused) pause();
  mode?.stop();
  mode = next;
  say('');
  mode.start();
}

function go(address) {
  if ((address === 'stream') !== wantsLive()) history.pushState(null, '', address + location.hash);
  choose();
}

const modeLink = (address, words) => h('a', { href: address, onclick: (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(address);
} }, words);

const { page } = text;
const actions = {
  pause: { key: ' ', pressed: true, action: pause },
  save: { key: 's', action: save },
  adjust: { key: 'o', hidden: '', action: () => panels.toggle('controls') },
  charts: { key: 'i', action: () => panels.toggle('figures') },
  fullscreen: { key: 'f', pressed: true, hidden: document.fullscreenEnabled ? undefined : '', action: toggleFullscreen },
};
const views = Object.entries(view.actions).map(([id, action]) => createButton(id, { ...action, words: true }));
const button = (id) => createButton(id, actions[id]);
byId('bar').append(
  h('nav', { 'aria-label': page.views }, modeLink('index.html', page.still), modeLink('stream', page.live)),
  createPace('rate', [[0, page.everyFrame], [240, page.everyJpeg], [15, '15 fps'], [5, '5 fps'], [1, '1 fps']], '0', (value) => {
    rate = value;
    if (live) live.rate = value;
  }),
  createPace('every', [0.5, 1, 1.5, 5, 15, 60].map((seconds) => [seconds, text.every(seconds)]), '1.5', (every) => { stills.every = every; }),
  h('div', { class: 'tools' }, button('pause'), button('save'), createMenu('view', views), button('adjust'), button('charts'), button('fullscreen')),
);
byId('scene').append(h('p', { id: 'help', class: 'unseen' }, page.help));
view.tell();
for (const name of ['adjust', 'charts']) byId(name).setAttribute('aria-expanded', false);
listen({ ...Object.fromEntries(Object.values(actions).map(({ key, action }) => [key, action])), ...view.keys });
document.addEventListener('fullscreenchange', () => setPressed('fullscreen', inFullscreen(), inFullscreen() ? 'window' : 'fullscreen'));
const seesFocus = () => CSS.supports('selector(:focus-visible)') && byId('bar').querySelector(':focus-visible');
const finger = () => matchMedia('(hover: none)').matches;
showBar = hideWhileUnused(() => !paused && byId('notice').hidden && byId('view-menu').hidden
  && !seesFocus() && (finger() || !byId('bar').matches(':hover')));
byId('bar').hidden = false;

// What people call what the camera shows, where they have given it a name (camera.title).
async function showTitle() {
  const { title } = await fetch('status', { cache: 'no-store' }).then((answer) => (answer.ok ? answer.json() : {}), () => ({}));
  if (title) document.title = byId('title').textContent = title;
}

navigator.serviceWorker?.register('service-worker.js').catch(() => {}); // only where the site has TLS, or is this machine
window.addEventListener('popstate', choose);
setInterval(() => { if (!document.hidden) tellCaption(); }, kCaptionMs);
choose();
showTitle();
panels.resume();
