// The button of the camera's controls: there where who looks may change something. Opens the panel, which is loaded then;
// that it was open is remembered.
import { Controls } from './controls.js';
import { remember, remembered } from './memory.js';

export class PanelButton {
  #button;
  #view;
  #aside = document.getElementById('controls');
  #controls = new Controls();
  #panel = null; // a promise
  #wanted = location.hash === '#controls' || remembered('controls') === 'open'; // as soon as it can be

  constructor(button, view) {
    this.#button = button;
    this.#view = view;
  }

  // Asks the server what there is and who may change it.
  async refresh() {
    if (!this.#aside.hidden) return;
    await this.#controls.load();
    this.#button.hidden = !this.#controls.allowed;
    if (this.#wanted) this.#open(false);
  }

  toggle() {
    if (this.#aside.hidden) this.#open(true);
    else this.#close();
  }

  async #open(focus) {
    if (!this.#controls.allowed) return;
    this.#wanted = false;
    this.#panel ??= import('./panel.js').then(({ createPanel }) => createPanel({
      aside: this.#aside, controls: this.#controls, view: this.#view, onClose: () => this.#close(),
    }));
    try {
      (await this.#panel).open(focus);
      this.#say('open');
    } catch {
      this.#panel = null; // no network, say
    }
  }

  async #close() {
    const inside = this.#aside.contains(document.activeElement);
    (await this.#panel).close();
    this.#say('closed');
    this.#button.hidden = !this.#controls.allowed;
    if (inside) this.#button.focus();
  }

  #say(state) {
    remember('controls', state);
    this.#button.setAttribute('aria-expanded', state === 'open');
  }
}
