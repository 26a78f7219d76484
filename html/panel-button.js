// The button of the camera's controls: there where who looks may change something. Opens the panel, which is loaded then;
// that it was open is remembered.
import { Controls } from './controls.js';
import { remember, remembered } from './memory.js';

const kHash = '#controls';

export class PanelButton {
  #button;
  #aside = document.getElementById('controls');
  #view;
  #controls = new Controls();
  #panel = null; // a promise
  #wanted;       // open, as soon as it can be

  constructor(button, view) {
    this.#button = button;
    this.#view = view;
    this.#wanted = location.hash === kHash || remembered('controls') === 'open';
    window.addEventListener('hashchange', () => { if (location.hash === kHash && this.#aside.hidden) this.#open(); });
  }

  // Asks the server what there is and who may change it.
  async refresh() {
    if (!this.#aside.hidden) return;
    await this.#controls.load();
    this.#button.hidden = !this.#controls.allowed;
    if (this.#wanted) this.#open(false);
  }

  toggle() {
    if (!this.#aside.hidden) this.#close();
    else this.#open();
  }

  async #open(focus = true) {
    if (!this.#controls.allowed) return;
    this.#wanted = false;
    this.#panel ??= import('./panel.js').then(({ createPanel }) => createPanel({
      aside: this.#aside, controls: this.#controls, view: this.#view, onClose: () => this.#close(),
    }));
    const panel = await this.#panel.catch(() => null);
    if (!panel) {
      this.#panel = null;
      return;
    }
    panel.open(focus);
    this.#show(true);
  }

  async #close() {
    const inside = this.#aside.contains(document.activeElement);
    (await this.#panel).close();
    this.#show(false);
    this.#button.hidden = !this.#controls.allowed;
    if (inside) this.#button.focus();
  }

  #show(open) {
    remember('controls', open ? 'open' : 'closed');
    this.#button.setAttribute('aria-expanded', String(open));
  }
}
