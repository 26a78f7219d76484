// The panels beside the picture: one at a time, opened by a button, a key or the address (#controls), kept open across
// reloads. What is in them is loaded when one is opened for the first time.
import { byId } from './element.js';
import { remember, remembered } from './memory.js';

export class Panels {
  #kinds; // by name
  #open = '';
  #wanted; // as soon as it can be

  // By name: {aside, button, create(aside, onClose), offered}: `create` gives a promise of {open(focus), close()}; `offered`:
  // whether it can be opened as yet.
  constructor(kinds) {
    this.#kinds = kinds;
    this.#wanted = this.#named() || (remembered('panel') ?? '');
    window.addEventListener('hashchange', () => { if (this.#named()) this.open(this.#named(), true); });
  }

  #named() {
    const name = location.hash.slice(1);
    return Object.keys(this.#kinds).includes(name) ? name : '';
  }

  // What the address or the browser's memory ask for, if it can be opened now.
  resume() { if (this.#wanted && !this.#open) this.open(this.#wanted, false); }

  toggle(name) {
    if (this.#open === name) this.close();
    else this.open(name, true);
  }

  async open(name, focus) {
    const kind = this.#kinds[name];
    if (!kind || this.#open === name) return;
    this.#wanted = kind.offered ? '' : name;
    if (!kind.offered) return;
    this.close();
    this.#tell(name, `#${name}`);
    kind.panel ??= kind.create(byId(kind.aside), () => this.close());
    try {
      const panel = await kind.panel;
      if (this.#open === name) panel.open(focus); // and not another one meanwhile
    } catch {
      kind.panel = null; // no network, say
      if (this.#open === name) this.#tell('', location.pathname + location.search);
    }
  }

  close() {
    const kind = this.#kinds[this.#open];
    if (!kind) return;
    const inside = byId(kind.aside).contains(document.activeElement);
    this.#tell('', location.pathname + location.search);
    kind.panel?.then((panel) => panel.close(), () => {});
    byId(kind.aside).hidden = true;
    byId(kind.button).hidden = !kind.offered;
    if (inside) byId(kind.button).focus();
  }

  #tell(open, address) {
    this.#open = open;
    remember('panel', open);
    history.replaceState(history.state, '', address);
    document.body.classList.toggle('beside', open !== '');
    for (const [name, { button }] of Object.entries(this.#kinds)) byId(button).setAttribute('aria-expanded', name === open);
  }
}
