// The page of a site with several cameras: a tile each, with a fresh still, its name and its state, that leads to its pages.
import { byId, say } from './page.js';
import { StillRefresher } from './still-refresher.js';
import { text, translatePage } from './text.js';

const kStillMs = 5000;
const kStateMs = 5000;
const kRetryMs = 5000;

class Tile {
  #path;
  #name;
  #title = document.createElement('span');
  #state = document.createElement('span');
  #picture = new Image();

  // {name, title, path} of /cameras.
  constructor({ name, title, path }) {
    this.#path = path;
    this.#name = title || name;
    this.element = document.createElement('a');
    this.element.href = path;
    this.element.className = 'tile';
    this.#title.className = 'title';
    this.#title.textContent = this.#name;
    this.#state.className = 'state';
    this.#picture.alt = '';
    this.#picture.hidden = true;
    const stage = document.createElement('div');
    stage.append(this.#picture);
    this.element.append(stage, this.#title, this.#state);
  }

  start() {
    new StillRefresher({
      address: `${this.#path}pi.jpg`,
      everyMs: kStillMs,
      onPicture: ({ blob }) => this.#show(blob),
      onFailure: (why) => {
        this.#picture.hidden = true; // an old picture is no fresh one
        this.#state.textContent = why === 'offline' ? text.offline : why || text.noServer;
      },
    }).start();
    this.#ask();
  }

  async #show(blob) {
    const next = new Image();
    next.src = URL.createObjectURL(blob);
    await next.decode();
    const old = this.#picture.src;
    this.#picture.src = next.src;
    this.#picture.hidden = false;
    if (old) URL.revokeObjectURL(old);
  }

  async #ask() {
    if (!document.hidden) {
      const status = await fetch(`${this.#path}status`, { cache: 'no-store' }).then((answer) => (answer.ok ? answer.json() : null), () => null);
      this.#title.textContent = status?.title || this.#name;
      if (!status) this.#state.textContent = text.noServer;
      else if (status.camera.state === 'unavailable') this.#state.textContent = text.unavailable(status.camera.reason);
      else this.#state.textContent = text.states[status.camera.state] ?? '';
    }
    setTimeout(() => this.#ask(), kStateMs);
  }
}

async function list() {
  const cameras = await fetch('cameras', { cache: 'no-store' }).then((answer) => (answer.ok ? answer.json() : null), () => null);
  if (!cameras) {
    say(navigator.onLine ? text.noServer : text.offline);
    setTimeout(list, kRetryMs);
    return;
  }
  say('');
  const tiles = cameras.map((camera) => new Tile(camera));
  byId('cameras').append(...tiles.map((tile) => tile.element));
  for (const tile of tiles) tile.start();
}

translatePage();
list();
