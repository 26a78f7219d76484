// The page of several cameras: a tile each, with a fresh still, its name and its state. A tile opens in place, the wall
// shows nothing but tiles; the address says so (#NAME, #wall), and Back leads out of it.
import { byId } from './element.js';
import { gridOf, kGap } from './grid.js';
import { StillRefresher } from './still-refresher.js';
import { text, translatePage } from './text.js';

const kStillMs = { grid: 5000, wall: 2000, one: 1000 };
const kStateMs = 5000;
const kRetryMs = 5000;
const kApartMs = 150; // many cameras woken at once are much for a small machine
const kOldMs = 10000; // a picture from before a pause
const kAwakeMs = 4000;

const { classList } = document.documentElement;
const ask = (address) => fetch(address, { cache: 'no-store', signal: AbortSignal.timeout?.(kStateMs) })
  .then((answer) => (answer.status === 401 ? refuse() : answer.ok ? answer.json() : null)).catch(() => null);
let refused = false;

// A browser may ask its user at each such answer: nothing is asked for until they sign in.
function refuse() {
  refused = true;
  byId('message').firstChild.data = `${text.password} `;
  byId('signin').textContent = text.remedies.signIn;
  byId('signin').hidden = byId('message').hidden = false;
  settle();
  return undefined;
}

class Tile {
  #title;
  #state;
  #picture;
  #refresher;
  #everyMs = 0;
  #wrong = ''; // with the last still
  #status; // null: no answer
  #timer = 0;
  #shownAt = 0;
  element = document.createElement('a');
  shape = 0; // its picture's width by its height
  inView = false;

  // {name, title, path} of /cameras.
  constructor({ name, title, path }) {
    this.path = path;
    this.hash = name === 'wall' ? '#wall.' : `#${name}`;
    this.name = title || name;
    this.element.innerHTML = '<img alt="" hidden><p><span class="title"></span> <span class="state"></span></p>';
    [this.#picture, , this.#title, this.#state] = this.element.querySelectorAll('*');
    this.#title.textContent = this.name;
    this.#refresher = new StillRefresher({
      address: `${path}pi.jpg`,
      onPicture: ({ blob }) => this.#show(blob),
      onFailure: (why, status) => {
        this.#picture.hidden = true; // an old picture is no fresh one
        if (status === 401) refuse();
        this.#wrong = why === 'offline' ? text.offline : why || text.noServer;
        this.#say();
      },
    });
    this.#refresher.paused = true;
  }

  // Asks every so many milliseconds, after a delay if it did not before; 0: not at all. Whether it begins.
  run(everyMs, delay) {
    if (everyMs === this.#everyMs) return false;
    const begins = this.#everyMs === 0;
    this.#everyMs = everyMs;
    if (begins) {
      if (Date.now() - this.#shownAt > kOldMs) this.#picture.hidden = true;
      this.#timer = setTimeout(() => {
        this.#refresher.paused = false;
        this.#ask();
      }, delay);
    }
    if (everyMs > 0) this.#refresher.everyMs = everyMs;
    else {
      clearTimeout(this.#timer);
      this.#refresher.paused = true;
    }
    return begins;
  }

  async #show(blob) {
    const next = new Image();
    next.src = URL.createObjectURL(blob);
    if (!await next.decode().then(() => true, () => false)) return URL.revokeObjectURL(next.src);
    if (this.#picture.src) URL.revokeObjectURL(this.#picture.src);
    this.#picture.src = next.src;
    this.#picture.hidden = false;
    this.#shownAt = Date.now();
    this.#wrong = '';
    this.#say();
    this.shape = next.naturalWidth / next.naturalHeight;
    layOut();
  }

  async #ask() {
    const timer = this.#timer;
    const status = await ask(`${this.path}status`);
    if (this.#everyMs === 0 || this.#timer !== timer || refused) return; // paused meanwhile
    this.#status = status;
    this.name = status?.title || this.name;
    this.#title.textContent = this.name;
    this.#say();
    this.#timer = setTimeout(() => this.#ask(), kStateMs);
  }

  #say() {
    const { state, reason } = this.#status?.camera ?? {};
    let wrong = this.#wrong;
    if (state === 'unavailable') wrong = text.unavailable(reason);
    if (this.#status === null) wrong = navigator.onLine ? text.noServer : text.offline;
    this.#state.textContent = wrong || (text.states[state] ?? '');
    this.element.dataset.state = wrong ? 'wrong' : state;
  }
}

let tiles = [];
let one = null; // that is open
let wall = false;
let lock = null; // a promise of the screen's
let awake = 0;
let leaving = false;

// Who asks now: the tiles in view, or the one that is open.
function settle() {
  const everyMs = kStillMs[one ? 'one' : wall ? 'wall' : 'grid'];
  let delay = 0;
  for (const tile of tiles) {
    const wanted = !refused && !document.hidden && (one ? tile === one : tile.inView);
    if (tile.run(wanted ? everyMs : 0, delay)) delay += kApartMs;
  }
}

// In the shape of most pictures.
function layOut() {
  const shapes = tiles.map((tile) => tile.shape).filter(Boolean).sort((a, b) => a - b);
  const shape = shapes[shapes.length >> 1] ?? 4 / 3;
  const room = byId('grid');
  const fit = (width) => gridOf(tiles.length, width - 2 * kGap, room.offsetHeight - 2 * kGap, shape);
  let { columns, width, scrolls } = fit(room.offsetWidth);
  room.classList.toggle('scrolls', scrolls);
  if (scrolls) ({ columns, width } = fit(room.clientWidth)); // beside the scroll bar
  const { style } = byId('tiles');
  style.setProperty('--width', `${width}px`);
  style.width = `${columns * (width + kGap) - kGap}px`;
  style.setProperty('--shape', shape);
}

// The browser lets it go when the page is hidden.
function keepScreenOn() {
  if (wall && !document.hidden) lock ??= navigator.wakeLock?.request('screen').catch(() => { lock = null; });
  else {
    lock?.then((held) => held?.release());
    lock = null;
  }
}

// The wall's cursor and button, for some seconds.
function wake() {
  if (!wall) return;
  clearTimeout(awake);
  classList.add('awake');
  awake = setTimeout(() => classList.remove('awake'), kAwakeMs);
}

// What the address says.
function show() {
  const before = one;
  const focus = one?.element ?? (wall && byId('wall'));
  leaving = false;
  wall = location.hash === '#wall';
  one = tiles.find(({ hash }) => hash === location.hash) ?? null;
  classList.toggle('wall', wall);
  classList.toggle('one', one !== null);
  byId('bar').hidden = !wall && !one;
  document.title = one?.name ?? 'picam';
  for (const tile of tiles) {
    tile.element.className = tile === one ? 'tile open' : 'tile';
    tile.element.href = tile.path;
  }
  if (one) {
    one.element.removeAttribute('href'); // it leads nowhere now
    byId('bar').ariaLabel = one.name;
    byId('live').href = `${one.path}stream`;
    if (!before) byId('close').focus();
  } else if (focus && !wall) focus.focus();
  if (!wall && document.fullscreenElement) document.exitFullscreen();
  keepScreenOn();
  settle();
}

function go(hash) {
  history.pushState({ ours: true }, '', hash);
  show();
}

function leave() {
  if (leaving || (!one && !wall)) return;
  leaving = true; // Back takes a moment, and two would lead too far
  if (history.state?.ours) return history.back();
  history.replaceState(null, '', location.pathname + location.search);
  return show();
}

function step(by) {
  const { hash } = tiles[(tiles.indexOf(one) + by + tiles.length) % tiles.length];
  history.replaceState(history.state, '', hash);
  show();
}

async function list() {
  const cameras = document.hidden ? undefined : await ask('cameras');
  if (refused) return;
  byId('message').firstChild.data = cameras === null ? navigator.onLine ? text.noServer : text.offline : '';
  byId('message').hidden = cameras !== null;
  if (!cameras) {
    setTimeout(list, kRetryMs);
    return;
  }
  tiles = cameras.map((camera) => new Tile(camera));
  byId('tiles').append(...tiles.map(({ element }) => element));
  new ResizeObserver(layOut).observe(byId('grid'));
  const views = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) tiles.find(({ element }) => element === target).inView = isIntersecting;
    settle();
  });
  for (const { element } of tiles) views.observe(element);
  show();
}

const actions = {
  wall: () => {
    document.documentElement.requestFullscreen?.().catch(() => {});
    go('#wall');
    wake();
  },
  close: leave,
  previous: () => step(-1),
  next: () => step(1),
};
const withKeys = (event) => event.ctrlKey || event.metaKey || event.shiftKey || event.altKey; // another tab, or Back

translatePage();
byId('signin').onclick = () => location.reload();
byId('wall').hidden = false;
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener('click', action);
byId('tiles').addEventListener('click', (event) => {
  const tile = tiles.find(({ element }) => element.contains(event.target));
  if (!tile || withKeys(event)) return;
  event.preventDefault();
  if (!wall && !one) go(tile.hash);
});
document.addEventListener('keydown', (event) => {
  if (withKeys(event)) return;
  if (event.key === 'Escape') leave();
  if (one && event.key === 'ArrowLeft') step(-1);
  if (one && event.key === 'ArrowRight') step(1);
});
for (const type of ['pointermove', 'pointerdown', 'keydown']) document.addEventListener(type, wake);
document.addEventListener('fullscreenchange', () => { if (wall && !document.fullscreenElement) leave(); }); // Escape is the browser's
for (const action of [keepScreenOn, settle]) document.addEventListener('visibilitychange', action);
window.addEventListener('popstate', show);
show();
list();
