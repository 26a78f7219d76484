// The panel of the camera's controls beside the live picture: built from what the server says there is, and kept as it
// says it is. What a change does is controls.js's.
import { remember, remembered } from './memory.js';
import { nameOf, sentence, spoken, text, valueOf } from './panel-text.js';

const kGroups = ['Image', 'Exposure', 'Colour', 'Focus', 'Zoom'];
const kAutomatic = ['ExposureTimeMode', 'AnalogueGainMode', 'AwbEnable', 'AfMode'];
const kUnits = { ExposureTime: 'ms', AeFlickerPeriod: 'ms', ColourTemperature: 'K', LensPosition: 'dpt' };
const kFactors = { ExposureTime: 1000, AeFlickerPeriod: 1000 }; // of the unit that people read
const kHints = ['ExposureTime', 'LensPosition']; // whose value says more than its number
const kCurved = 200;     // positions of a slider that is not linear
const kWide = 100;       // max / min from which on a slider is logarithmic
const kLopsided = 8;     // max / default from which on it is drawn out around the default
const kUsualGain = 2;    // of a colour, where no default says it
const kFirstZoom = 1.5;

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}
const button = (label, onclick, attributes = {}) => h('button', { type: 'button', onclick, ...attributes }, label);
// Only what differs is written: a screen reader is not told the same again.
function put(element, property, value) { if (element[property] !== value) element[property] = value; }

// Between a control's values and a slider's positions.
export function scaleOf(name, { type, min, max, step = 0, default: usual }) {
  const least = step || (type === 'integer' ? 1 : 0);
  const limit = (value) => Math.min(max, Math.max(min, value));
  const round = (value) => Number((least ? Math.round(value / least) * least : Number(value.toPrecision(3))).toFixed(6));
  const curved = (toPosition, toValue) => ({
    min: 0, max: kCurved, step: 1, least, round, toPosition: (value) => kCurved * toPosition(limit(value)), toValue: (at) => limit(round(toValue(at / kCurved))),
  });
  if (min > 0 && max / min > (name === 'AnalogueGain' ? 4 : kWide)) {
    return curved((value) => Math.log(value / min) / Math.log(max / min), (at) => min * (max / min) ** at);
  }
  const middle = name === 'ColourGains' ? kUsualGain : usual;
  if (min === 0 && type !== 'integer' && middle > 0 && max / middle > kLopsided) {
    const power = Math.log(middle / max) / Math.log(0.5);
    return curved((value) => (value / max) ** (1 / power), (at) => max * at ** power);
  }
  const each = least || Number(((max - min) / kCurved).toPrecision(1));
  return { min, max, step: each, least, round, toPosition: limit, toValue: (at) => limit(round(at)) };
}

// What a control shows: what is wanted; while that has no effect, what the camera has made of it.
export function shownValue(control) {
  const { wanted, actual, locked, type, min, size } = control;
  return (locked ? actual ?? wanted : wanted ?? actual) ?? control.default ?? { numbers: Array(size).fill(Math.max(min, 1)), bool: false, enum: '' }[type] ?? min;
}

// Where the middle of the view goes when somebody points at a place of the picture, which shows the view zoomed.
export function pointedCentre(place, zoom, centre) {
  const half = 0.5 / zoom;
  return [place.x, place.y].map((part, i) => {
    const middle = Math.min(1 - half, Math.max(half, centre[i]));
    return Number(Math.min(1, Math.max(0, middle + (part - 0.5) / zoom)).toFixed(3));
  });
}

// A slider and its number. show(value) brings both up to date, but for what is being moved or typed.
function createSlider({ name, id, label, info, describedBy, send }) {
  const scale = scaleOf(name, info);
  const factor = kFactors[name] ?? 1;
  const range = h('input', { type: 'range', id, min: scale.min, max: scale.max, step: scale.step, 'aria-describedby': describedBy });
  const box = h('input', {
    type: 'number', id: `${id}-number`, min: info.min / factor, max: info.max / factor, step: scale.least / factor || 'any',
    'aria-label': text.numberOf(label), 'aria-describedby': describedBy,
  });
  let held = false;
  let typing = false;
  let shown;
  const show = (value) => {
    shown = value;
    if (!held && scale.toValue(Number(range.value)) !== value) range.value = scale.toPosition(value);
    range.setAttribute('aria-valuetext', spoken(name, value));
    if (!typing) put(box, 'value', String(Number((value / factor).toFixed(3))));
  };
  range.addEventListener('input', () => send(scale.toValue(Number(range.value))));
  range.addEventListener('pointerdown', () => {
    held = true;
    const release = () => {
      held = false;
      show(shown);
    };
    for (const kind of ['pointerup', 'pointercancel']) window.addEventListener(kind, release, { once: true });
  });
  box.addEventListener('input', () => { typing = true; });
  for (const kind of ['change', 'blur']) {
    box.addEventListener(kind, () => {
      typing = false;
      if (kind === 'change' && Number.isFinite(box.valueAsNumber)) send(scale.round(box.valueAsNumber * factor));
      else show(shown);
    });
  }
  return { range, box, show };
}

// One of a few, side by side.
function createChoice(attributes, id, values, names, chosen) {
  const inputs = values.map((value) => h('input', { type: 'radio', name: id, id: `${id}-${value}`, value, onchange: () => chosen(value), ...attributes.each }));
  return {
    inputs,
    element: h('div', { class: 'choice', role: 'radiogroup', ...attributes.group }, ...inputs.map((one, i) => h('label', {}, one, h('span', {}, names[i])))),
  };
}

// A control's part of the panel: {element, update(control)}.
function createRow(name, info, controls) {
  const id = `control-${name}`;
  const noteId = `${id}-note`;
  const called = nameOf(name);
  const send = (value) => controls.change({ [name]: value });
  const reset = button('↺', () => send(null), { class: 'reset', 'aria-label': text.reset(called), title: text.reset(called) });
  const note = h('p', { class: 'note', id: noteId });
  const hint = h('span', { class: 'hint' });
  const unit = kUnits[name] ? h('span', { class: 'unit' }, kUnits[name]) : null;
  let fields; // what the row holds beside its label
  let label = h('label', { for: id }, called, unit ? ' ' : null, unit);
  let show;
  if (info.type === 'bool') {
    const box = h('input', { type: 'checkbox', role: 'switch', id, 'aria-describedby': noteId, onchange: () => send(box.checked) });
    fields = [box];
    show = (value) => put(box, 'checked', value);
  } else if (info.type === 'enum' && info.values.length <= 3) {
    const { inputs, element } = createChoice({ group: { 'aria-labelledby': id }, each: { 'aria-describedby': noteId } }, id, info.values, info.values.map((value) => valueOf(name, value)), send);
    label = h('span', { class: 'label', id }, called);
    fields = [element];
    show = (value) => inputs.forEach((one) => put(one, 'checked', one.value === value));
  } else if (info.type === 'enum') {
    const select = h('select', { id, 'aria-describedby': noteId, onchange: () => send(select.value) }, ...info.values.map((value) => new Option(valueOf(name, value), value)));
    fields = [select];
    show = (value) => put(select, 'value', value);
  } else if (info.type === 'numbers') {
    const parts = Array.from({ length: info.size }, (_, i) => text.parts[name]?.[i] ?? String(i + 1));
    const sliders = parts.map((part, i) => createSlider({
      name, id: `${id}-${i}`, label: `${called}: ${part}`, info: { ...info, default: info.default?.[i] }, describedBy: noteId,
      send: (value) => send(shownValue(controls.get(name)).map((one, at) => (at === i ? value : one))),
    }));
    label = h('span', { class: 'label', id }, called);
    fields = sliders.flatMap(({ range, box }, i) => [h('label', { class: 'part', for: `${id}-${i}` }, h('span', { class: 'unseen' }, `${called}: `), parts[i]), range, box]);
    show = (value) => sliders.forEach((one, i) => one.show(value[i]));
  } else {
    const slider = createSlider({ name, id, label: called, info, describedBy: noteId, send });
    fields = [slider.range, slider.box];
    show = (value) => {
      slider.show(value);
      if (kHints.includes(name)) put(hint, 'textContent', spoken(name, value).replace(/^.*\((.*)\)$/, '$1'));
    };
  }
  const element = h('div', {
    class: `control ${info.type}`,
    'data-name': name,
    ondblclick: ({ target }) => { if (target.matches('input[type=range], label, .label')) send(null); },
    onkeydown: (event) => {
      if (event.key !== 'Delete' || event.target.matches('[type=number]')) return;
      event.preventDefault();
      send(null);
    },
  }, label, hint, ...fields, reset, note);
  return {
    element,
    update(control, problem) {
      show(shownValue(control));
      for (const field of element.querySelectorAll('input, select')) put(field, 'disabled', Boolean(control.locked));
      element.classList.toggle('set', control.set);
      if (!control.set && document.activeElement === reset) element.querySelector('input:not(:disabled), select:not(:disabled)')?.focus();
      put(reset, 'hidden', !control.set);
      const { error } = control;
      const said = error ? (error.allowed ? text.allowed(error.allowed) : sentence(error.error)) : problem ?? control.locked;
      put(note, 'textContent', said ? sentence(said) : '');
      note.classList.toggle('wrong', Boolean(error ?? problem));
    },
  };
}

// What the camera does by itself at the moment, by group.
export function liveLine(group, { controls, state = {} }) {
  const actual = (name) => (controls[name]?.actual === undefined ? '' : spoken(name, controls[name].actual));
  return {
    Exposure: () => [text.state.exposure[state.exposure], actual('ExposureTime'), actual('AnalogueGain')],
    Colour: () => [text.state.white_balance[state.white_balance], actual('ColourTemperature')],
    Focus: () => [text.state.focus[state.focus], actual('LensPosition')],
  }[group]?.().filter(Boolean).join(' · ') ?? '';
}

class Panel {
  #aside;
  #controls;
  #view;
  #onClose;
  #rows = new Map();
  #lives = new Map();
  #built = '';
  #presets = '';
  #said = ''; // what the panel itself has to say, till the next change
  #body = h('div', { class: 'body' });
  #status = h('p', { class: 'says', role: 'status' });
  #title = h('h2', { tabindex: -1 }, text.title);
  #undo = button(text.undo, () => this.#takeBack(), { 'aria-keyshortcuts': 'z Control+z' });
  #keep;
  #presetBox = h('div', { class: 'chips', role: 'group', 'aria-label': text.presets });
  #eraseBox = h('div', { class: 'chips' });

  constructor({ aside, controls, view, onClose }) {
    this.#aside = aside;
    this.#controls = controls;
    this.#view = view;
    this.#onClose = onClose;
    this.#keep = button(text.keep, () => controls.change(controls.found()));
    aside.append(
      h('div', { class: 'head' }, this.#title, this.#undo, button('✕', onClose, { class: 'close', 'aria-label': text.close, title: text.close })),
      this.#status, this.#body);
    controls.onChange = () => this.#update();
    document.addEventListener('visibilitychange', () => this.#look());
    document.addEventListener('keydown', (event) => this.#key(event));
  }

  open(focus) {
    this.#aside.hidden = false;
    document.body.classList.add('adjusting');
    this.#update();
    this.#look();
    if (focus) this.#title.focus();
  }

  close() {
    this.#aside.hidden = true;
    document.body.classList.remove('adjusting');
    this.#point('view');
    this.#look();
  }

  #look() {
    if (this.#aside.hidden || document.hidden) this.#controls.stop();
    else this.#controls.start();
  }

  #key(event) {
    if (this.#aside.hidden || event.defaultPrevented || event.altKey) return;
    const inside = this.#aside.contains(event.target);
    if (event.key === 'Escape' && (inside || event.target === document.body) && !document.fullscreenElement) {
      event.preventDefault();
      this.#onClose();
    } else if (event.key.toLowerCase() === 'z' && !event.shiftKey && !event.target.matches?.('input[type=text], input[type=number], select')) {
      event.preventDefault();
      this.#takeBack();
    }
  }

  #takeBack() {
    const names = this.#controls.undo();
    this.#say(names.length ? text.undone(names.map((name) => nameOf(name)).join(', ')) : '');
  }

  #say(said) {
    this.#said = said;
    this.#update();
  }

  #update() {
    const { document: all, state, failure } = this.#controls;
    if (this.#aside.hidden || !all) return;
    const allowed = this.#controls.allowed;
    put(this.#body, 'hidden', !allowed);
    const trouble = state === 'ready' ? { true: '', false: all.may_change ? text.none : text.forbidden }[allowed] : text[state];
    put(this.#status, 'textContent', trouble || sentence(failure) || this.#said);
    put(this.#undo, 'disabled', !this.#controls.canUndo);
    if (!allowed) return;
    const shape = JSON.stringify(Object.entries(all.controls).map(([name, { type, group, level, min, max, step, values, size }]) => (
      [name, type, group, level, min, max, step, values, size])));
    if (shape !== this.#built) this.#build(all);
    this.#built = shape;
    for (const [name, row] of this.#rows) row.update(this.#controls.get(name), all.problems?.[name]);
    for (const [group, line] of this.#lives) put(line, 'textContent', liveLine(group, all));
    put(this.#keep, 'disabled', Object.keys(this.#controls.found()).length === 0);
    this.#showPresets(Object.keys(all.presets ?? {}));
    const misfits = Object.keys(all.misfits ?? {}).map((name) => nameOf(name)).join(', ');
    put(this.#body.querySelector('.notes'), 'textContent', [
      all.held_back && text.heldBack, all.kept === false && text.notKept, misfits && text.misfits(misfits),
    ].filter(Boolean).join(' '));
  }

  #build({ controls }) {
    const focused = document.activeElement?.id;
    this.#rows.clear();
    this.#lives.clear();
    const shown = Object.entries(controls).filter(([name]) => name !== 'AfWindows'); // set by pointing alone
    const row = ([name, info]) => {
      const made = createRow(name, info, this.#controls);
      this.#rows.set(name, made);
      return made.element;
    };
    const groups = kGroups.map((group) => {
      const members = shown.filter(([, info]) => info.group === group);
      if (members.length === 0) return null;
      const isExpert = ([name, { level }]) => level === 'expert' || name === 'ZoomCentre';
      const live = h('p', { class: 'live' });
      this.#lives.set(group, live);
      const expert = members.filter(isExpert);
      const key = `controls.${group}`;
      const more = h('details', { open: remembered(key) === 'open', ontoggle: () => remember(key, more.open ? 'open' : 'closed') },
        h('summary', {}, text.more, h('span', { class: 'unseen' }, `: ${text.groups[group]}`)), ...expert.map(row));
      return h('fieldset', { class: 'group', 'data-group': group }, h('legend', {}, text.groups[group]), live,
        ...members.filter((one) => !isExpert(one)).map(row),
        group === 'Focus' && controls.AfMode ? button(text.focusNow, () => this.#controls.focus(), { class: 'keep' }) : null,
        expert.length ? more : null);
    });
    this.#body.replaceChildren(...[
      h('div', { class: 'chips' }, this.#presetBox, kAutomatic.some((name) => controls[name]) ? this.#keep : null), this.#buildPoints(controls),
      ...groups, h('p', { class: 'notes' }), this.#buildPresets(),
      h('details', { class: 'all' }, h('summary', {}, text.resetAll), h('p', {}, text.sure), button(text.confirm, () => this.#controls.reset())),
    ].filter(Boolean));
    this.#point('view');
    if (focused && this.#aside.querySelector(`#${CSS.escape(focused)}`)) document.getElementById(focused).focus();
  }

  #buildPresets() {
    this.#presets = '';
    const name = h('input', { type: 'text', id: 'preset-name', list: 'preset-names', maxlength: 32, autocomplete: 'off' });
    const known = Object.entries(text.presetNames);
    const save = (event) => {
      event.preventDefault();
      const said = name.value.trim();
      if (!said) return name.focus();
      // Day and night are called so in every language.
      this.#controls.save(known.find((names) => names.some((one) => one.toLowerCase() === said.toLowerCase()))?.[0] ?? said);
      name.value = '';
    };
    return h('details', { class: 'presets' }, h('summary', {}, text.editPresets),
      h('form', { onsubmit: save }, h('label', { for: 'preset-name' }, text.presetName), name,
        h('datalist', { id: 'preset-names' }, ...known.map(([, said]) => new Option(said, said))), h('button', { type: 'submit' }, text.save)),
      this.#eraseBox);
  }

  #showPresets(names) {
    const now = JSON.stringify(names);
    if (now === this.#presets) return;
    this.#presets = now;
    const called = (name) => (Object.hasOwn(text.presetNames, name.toLowerCase()) ? text.presetNames[name.toLowerCase()] : name);
    this.#presetBox.replaceChildren(...names.map((name) => button(called(name), () => this.#controls.apply(name))));
    const focused = this.#eraseBox.contains(document.activeElement);
    this.#eraseBox.replaceChildren(...names.map((name) => button(text.erase(called(name)), () => this.#controls.erase(name))));
    if (focused) document.getElementById('preset-name').focus();
  }

  // What a tap on the picture does.
  #buildPoints({ Zoom, ZoomCentre, AfMode }) {
    const points = ['view', Zoom && ZoomCentre && 'zoom', AfMode && 'focus'].filter(Boolean);
    if (points.length < 2) return null;
    return createChoice({ group: { 'aria-label': text.point } }, 'point', points, points.map((point) => text.points[point]), (point) => this.#point(point)).element;
  }

  #point(point) {
    for (const one of this.#aside.querySelectorAll('[name=point]')) one.checked = one.value === point;
    this.#view.point = { view: null, zoom: (place) => this.#zoomTo(place), focus: (place) => this.#controls.focus(place) }[point];
  }

  #zoomTo(place) {
    const [zoom, centre] = ['Zoom', 'ZoomCentre'].map((name) => this.#controls.get(name));
    const now = shownValue(zoom);
    this.#controls.change({
      ZoomCentre: pointedCentre(place, now, centre.wanted ?? [0.5, 0.5]), ...(now === 1 ? { Zoom: Math.min(zoom.max, kFirstZoom) } : {}),
    });
  }
}

// With its style, without which it is not shown.
export async function createPanel(parts) {
  await new Promise((resolve) => {
    const style = h('link', { rel: 'stylesheet', href: 'panel.css', onload: resolve, onerror: resolve });
    document.head.append(style);
  });
  return new Panel(parts);
}
