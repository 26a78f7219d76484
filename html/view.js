// How the picture lies on the stage: turned, mirrored, filling it or whole, zoomed and moved, by keys, buttons, wheel
// and fingers. Turning, mirroring and filling are remembered. Knows nothing of where pictures come from.
import { remember, remembered } from './memory.js';

const kMostZoom = 8;
const kTapZoom = 2.5;
const kStep = 1.25;
const kMove = 0.15; // of the stage, for each arrow
const kTapMs = 300;
const kTapPixels = 30;

export class View {
  #stage;
  #pictures;
  #turn = 0; // degrees
  #mirror = false;
  #fill = false;
  #zoom = 1;
  #x = 0; // pixels that the picture is moved by
  #y = 0;
  #fingers = new Map(); // pointer id to its last place
  #tap = { at: -Infinity, x: 0, y: 0 }; // the last one, while it may become a double tap
  #point = null;

  constructor(stage, pictures) {
    this.#stage = stage;
    this.#pictures = pictures;
    try {
      const kept = JSON.parse(remembered('view') ?? '{}');
      this.#turn = [90, 180, 270].includes(kept.turn) ? kept.turn : 0;
      this.#mirror = kept.mirror === true;
      this.#fill = kept.fill === true;
    } catch { /* it is none of ours */ }
    new ResizeObserver(() => this.#apply()).observe(stage);
    stage.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.#zoomAt(this.#zoom * kStep ** -Math.sign(event.deltaY), event);
    }, { passive: false });
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#moved(event));
    stage.addEventListener('pointerup', (event) => this.#up(event));
    stage.addEventListener('pointercancel', (event) => this.#fingers.delete(event.pointerId));
    this.#apply();
  }

  // What each button does, with its key.
  get actions() {
    return {
      turn: { key: 'r', action: () => this.#set(() => { this.#turn = (this.#turn + 90) % 360; }) },
      mirror: { key: 'm', action: () => this.#set(() => { this.#mirror = !this.#mirror; }), pressed: () => this.#mirror },
      fill: { key: 'c', action: () => this.#set(() => { this.#fill = !this.#fill; }), pressed: () => this.#fill },
      closer: { key: '+', action: () => this.#zoomAt(this.#zoom * kStep) },
      farther: { key: '-', action: () => this.#zoomAt(this.#zoom / kStep) },
      whole: { key: '0', action: () => this.#zoomAt(1) },
    };
  }

  // What each key does, also those without a button.
  get keys() {
    const move = (x, y) => () => this.#moveBy(x * kMove * this.#stage.clientWidth, y * kMove * this.#stage.clientHeight);
    return {
      ...Object.fromEntries(Object.values(this.actions).map(({ key, action }) => [key, action])),
      '=': () => this.#zoomAt(this.#zoom * kStep),
      ArrowLeft: move(1, 0),
      ArrowRight: move(-1, 0),
      ArrowUp: move(0, 1),
      ArrowDown: move(0, -1),
    };
  }

  // Where taps go, as places of the picture, in place of zooming; null: nowhere.
  set point(call) {
    this.#point = call;
    this.#tap.at = -Infinity;
    this.#stage.classList.toggle('pointing', call !== null);
  }

  // The place of the served picture, {x, y} from 0 to 1, under one of the window; null beside it.
  toPicture({ clientX, clientY }) {
    const picture = this.#pictures.find((one) => !one.hidden);
    const width = picture?.videoWidth ?? picture?.naturalWidth ?? picture?.width ?? 0;
    const height = picture?.videoHeight ?? picture?.naturalHeight ?? picture?.height ?? 0;
    if (!width || !height) return null;
    const box = this.#stage.getBoundingClientRect();
    // Back through the transform of #apply(), from its left to its right.
    const left = ((clientX - box.left - box.width / 2 - this.#x) / this.#zoom) * (this.#mirror ? -1 : 1);
    const down = (clientY - box.top - box.height / 2 - this.#y) / this.#zoom;
    const [x, y] = { 0: [left, down], 90: [down, -left], 180: [-left, -down], 270: [-down, left] }[this.#turn];
    const sideways = this.#turn % 180 !== 0;
    const ratios = [(sideways ? box.height : box.width) / width, (sideways ? box.width : box.height) / height];
    const scale = this.#fill ? Math.max(...ratios) : Math.min(...ratios);
    const place = { x: x / (scale * width) + 0.5, y: y / (scale * height) + 0.5 };
    return Object.values(place).every((part) => part >= 0 && part <= 1) ? place : null;
  }

  #set(change) {
    change();
    this.#apply();
    remember('view', JSON.stringify({ turn: this.#turn, mirror: this.#mirror, fill: this.#fill }));
  }

  // Zooms so that what lies under the place (the middle without one) stays there.
  #zoomAt(zoom, place) {
    const next = Math.min(kMostZoom, Math.max(1, zoom));
    const box = this.#stage.getBoundingClientRect();
    const x = place ? place.clientX - box.left - box.width / 2 : 0;
    const y = place ? place.clientY - box.top - box.height / 2 : 0;
    this.#x = x - (x - this.#x) * (next / this.#zoom);
    this.#y = y - (y - this.#y) * (next / this.#zoom);
    this.#zoom = next;
    this.#apply();
  }

  #moveBy(x, y) {
    this.#x += x;
    this.#y += y;
    this.#apply();
  }

  #down(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    this.#fingers.set(event.pointerId, event);
    this.#stage.setPointerCapture(event.pointerId);
    if (this.#fingers.size > 1) {
      this.#tap.at = -Infinity; // a pinch is no tap
      return;
    }
    const { timeStamp: at, clientX: x, clientY: y } = event;
    if (!this.#point && at - this.#tap.at < kTapMs && Math.hypot(x - this.#tap.x, y - this.#tap.y) < kTapPixels) {
      this.#zoomAt(this.#zoom > 1 ? 1 : kTapZoom, event);
      this.#tap.at = -Infinity;
    } else {
      this.#tap = { at, x, y };
    }
  }

  #up(event) {
    const alone = this.#fingers.delete(event.pointerId) && this.#fingers.size === 0;
    if (!this.#point || !alone || this.#tap.at === -Infinity) return;
    this.#tap.at = -Infinity;
    const place = this.toPicture(event);
    if (place) this.#point(place);
  }

  #moved(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const others = [...this.#fingers.values()].filter((finger) => finger.pointerId !== event.pointerId);
    this.#fingers.set(event.pointerId, event);
    if (Math.hypot(event.clientX - this.#tap.x, event.clientY - this.#tap.y) > kTapPixels) this.#tap.at = -Infinity; // a drag
    if (others.length === 0) {
      if (this.#zoom > 1) this.#moveBy(event.clientX - before.clientX, event.clientY - before.clientY);
      return;
    }
    const [other] = others;
    const distance = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY) || 1;
    this.#x += (event.clientX - before.clientX) / 2; // kept on the stage only as the new zoom has it
    this.#y += (event.clientY - before.clientY) / 2;
    this.#zoomAt(this.#zoom * (distance(event) / distance(before)), {
      clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2,
    });
  }

  #apply() {
    const width = this.#stage.clientWidth;
    const height = this.#stage.clientHeight;
    const sideways = this.#turn % 180 !== 0;
    // The stage stays covered.
    const limit = (value, side) => Math.max(-side, Math.min(side, value));
    this.#x = limit(this.#x, (width * (this.#zoom - 1)) / 2);
    this.#y = limit(this.#y, (height * (this.#zoom - 1)) / 2);
    for (const picture of this.#pictures) {
      const { style } = picture;
      style.width = `${sideways ? height : width}px`;
      style.height = `${sideways ? width : height}px`;
      style.objectFit = this.#fill ? 'cover' : 'contain';
      style.transform = `translate(-50%, -50%) translate(${this.#x}px, ${this.#y}px) scale(${this.#zoom}) `
        + `scaleX(${this.#mirror ? -1 : 1}) rotate(${this.#turn}deg)`;
    }
    this.#stage.classList.toggle('zoomed', this.#zoom > 1);
    this.tell();
  }

  // The buttons, which may be made later.
  tell() {
    for (const [id, { pressed }] of Object.entries(this.actions)) {
      if (pressed) document.getElementById(id)?.setAttribute('aria-pressed', String(pressed()));
    }
  }
}
