// The panel of the camera's controls: built from what the server says there is. What a change does is controls.js's.
import { kAutomatic } from './controls.js';
import { h, named, put } from './element.js';
import { remember, remembered } from './memory.js';
import { from, nameOf, sentence, spoken, text, valueOf } from './panel-text.js';

const kGroups = ['Image', 'Exposure', 'Colour', 'Focus', 'Zoom'];
const kUnits = { ExposureTime: 'ms', AeFlickerPeriod: 'ms', ColourTemperature: 'K', LensPosition: 'dpt' };
const factorOf = (name) => (kUnits[name] === 'ms' ? 1000 : 1); // to the unit that people read
const kHints = ['ExposureTime', 'LensPosition']; // whose value says more than its number
const kCurved = 200; // positions of a slider that is not linear
const kWide = 100; // max / min from which on it is logarithmic
const kLopsided = 8; // max / default from which on the default is in its middle
const kUsualGain = 2; // of a colour
const kFirstZoom = 1.5;
const kSaidMs = 4000;

const button = (label, onclick, attributes) => h('button', { type: 'button', onclick, ...attributes }, label);

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

// Where the middle of the zoomed view goes when somebody points at a place of it.
export function pointedCentre(place, zoom, centre) {
  const half = 0.5 / zoom;
  return [place.x, place.y].map((part, i) => {
    const middle = Math.min(1 - half, Math.max(half, centre[i]));
    return Number(Math.min(1, Math.max(0, middle + (part - 0.5) / zoom)).toFixed(3));
  });
}

// A slider and its number. show(value) brings both up to date, but for what is being moved or typed.
function createSlider({ name, id, label, info, send }) {
  const scale = scaleOf(name, info);
  const factor = factorOf(name);
  let held = false;
  let typing = false;
  let shown;
  const release = () => {
    held = false;
    show(shown);
  };
  const typed = ({ type }) => {
    typing = false;
    if (type === 'change' && Number.isFinite(box.valueAsNumber)) send(scale.round(box.valueAsNumber * factor));
    else show(shown);
  };
  const range = h('input', {
    type: 'range', id, min: scale.min, max: scale.max, step: scale.step,
    oninput: () => send(scale.toValue(Number(range.value))),
    onpointerdown: () => {
      held = true;
      for (const kind of ['pointerup', 'pointercancel']) window.addEventListener(kind, release, { once: true });
    },
  });
  const box = h('input', {
    type: 'number', id: `${id}-number`, min: info.min / factor, max: info.max / factor, step: scale.least / factor || 'any',
    'aria-label': label, oninput: () => { typing = true; }, onchange: typed, onblur: typed,
  });
  function show(value) {
    shown = value;
    if (!held && scale.toValue(Number(range.value)) !== value) range.value = scale.toPosition(value);
    range.setAttribute('aria-valuetext', spoken(name, value));
    if (!typing) put(box, 'value', String(Number((value / factor).toFixed(3))));
  }
  return { range, box, show };
}

// One of a few, side by side.
function createChoice(id, names, attributes, chosen) {
  return h('div', { class: 'choice', role: 'radiogroup', ...attributes }, ...Object.entries(names).map(([value, said]) => h('label', {},
    h('input', { type: 'radio', name: id, id: `${id}-${value}`, value, onchange: () => chosen(value) }), h('span', {}, said))));
}
const choose = (choice, value) => { for (const one of choice.querySelectorAll('input')) put(one, 'checked', one.value === value); };

// A control's part of the panel: {element, update(control)}.
function createRow(name, info, controls) {
  const id = `control-${name}`;
  const called = nameOf(name);
  const send = (value) => controls.change({ [name]: value });
  const reset = button('↺', () => send(null), { class: 'reset', ...named(text.reset(called)) });
  const note = h('p', { class: 'note', id: `${id}-note`, tabindex: -1 });
  const hint = h('span', { class: 'hint' });
  let fields; // what the row holds beside its label
  let label = h('label', { class: 'label', for: id }, called, kUnits[name] && ' ', h('span', { class: 'unit' }, kUnits[name]));
  let show;
  if (info.type === 'bool') {
    const box = h('input', { type: 'checkbox', role: 'switch', id, onchange: () => send(box.checked) });
    fields = [box];
    show = (value) => put(box, 'checked', value);
  } else if (info.type === 'enum' && info.values.length <= 3) {
    const choice = createChoice(id, Object.fromEntries(info.values.map((value) => [value, valueOf(name, value)])), { 'aria-labelledby': id }, send);
    label = h('span', { class: 'label', id }, called);
    fields = [choice];
    show = (value) => choose(choice, value);
  } else if (info.type === 'enum') {
    const select = h('select', { id, onchange: () => send(select.value) }, ...info.values.map((value) => new Option(valueOf(name, value), value)));
    fields = [select];
    show = (value) => put(select, 'value', value);
  } else if (info.type === 'numbers') {
    const parts = Array.from({ length: info.size }, (_, i) => text.parts[name]?.[i] ?? i + 1);
    const sliders = parts.map((part, i) => createSlider({
      name, id: `${id}-${i}`, label: `${called}: ${part}`, info: { ...info, default: info.default?.[i] },
      send: (value) => send(shownValue(controls.get(name)).map((one, at) => (at === i ? value : one))),
    }));
    label = h('span', { class: 'label', id }, called);
    fields = sliders.flatMap(({ range, box }, i) => [h('label', { class: 'part', for: `${id}-${i}` }, h('span', { class: 'unseen' }, `${called}: `), parts[i]), range, box]);
    show = (value) => sliders.forEach((one, i) => one.show(value[i]));
  } else {
    const slider = createSlider({ name, id, label: called, info, send });
    fields = [slider.range, slider.box];
    show = (value) => {
      slider.show(value);
      if (kHints.includes(name)) put(hint, 'textContent', spoken(name, value).replace(/^.*\((.*)\)$/, '$1'));
    };
  }
  const element = h('div', {
    class: `control ${info.type === 'numbers' ? 'numbers' : info.max === undefined ? '' : 'single'}`,
    'data-name': name,
    ondblclick: ({ target }) => target.matches('[type=range]') && send(null),
    onkeydown: (event) => {
      if (event.key !== 'Delete' || event.target.matches('[type=number]')) return;
      event.preventDefault();
      send(null);
    },
  }, label, hint, ...fields, reset, note);
  const inputs = element.querySelectorAll('input, select');
  for (const field of inputs) field.setAttribute('aria-describedby', note.id);
  return {
    element,
    update(control, problem) {
      show(shownValue(control));
      for (const field of inputs) put(field, 'disabled', Boolean(control.locked));
      element.classList.toggle('set', control.set);
      put(reset, 'hidden', !control.set);
      const { error } = control;
      put(note, 'textContent', error?.allowed ? text.allowed(error.allowed.replace(/^a .*, /, '').replace(/[\d.]+/g, (each) => each / factorOf(name))) : sentence(error?.error ?? problem ?? control.locked ?? ''));
      note.classList.toggle('wrong', Boolean(error ?? problem));
      // The focus stays here.
      const focused = document.activeElement;
      if (element.contains(focused) && focused.matches(':disabled, [hidden], p:empty')) ([...inputs].find((field) => !field.disabled) ?? note).focus();
    },
  };
}

// What the camera does by itself at the moment, by group.
export function liveLine(group, { controls, state = {} }) {
  const actual = (name) => (controls[name]?.actual === undefined ? '' : spoken(name, controls[name].actual));
  return {
    Exposure: [text.state[state.exposure], actual('ExposureTime'), actual('AnalogueGain')],
    Colour: [text.state[state.white_balance], actual('ColourTemperature')],
    Focus: [text.state[state.focus], actual('LensPosition')],
  }[group]?.filter(Boolean).join(' · ') ?? '';
}

// Builds the panel into the <aside>, with its style, without which it is not shown: {open(focus), close()}.
export async function createPanel({ aside, controls, view, onClose }) {
  await new Promise((resolve) => { document.head.append(h('link', { rel: 'stylesheet', href: 'panel.css', onload: resolve, onerror: resolve })); });
  const rows = new Map(); // by control
  const lives = new Map(); // by group
  let built = ''; // of which controls
  let presetsBuilt = '';
  let said = ''; // by the panel itself, for a while
  let timer = 0;
  let points, pointed; // what a tap on the picture does
  const body = h('div', { class: 'body' });
  const status = h('p', { class: 'says', role: 'status' });
  const notes = h('p', { class: 'notes' });
  const title = h('h2', { id: 'controls-title', tabindex: -1 }, text.title);
  const undo = button(text.undo, takeBack, { 'aria-keyshortcuts': 'z Control+z' });
  const keep = button(text.keep, () => controls.change(controls.found()));
  const presetBox = h('div', { class: 'chips', role: 'group', 'aria-label': text.presets });
  const eraseBox = h('div', { class: 'chips' });

  // Asks only while somebody looks.
  function look() {
    if (aside.hidden || document.hidden) controls.stop();
    else controls.start();
  }

  function takeBack() {
    const names = controls.undo();
    said = names.length ? text.undone(names.map((name) => nameOf(name)).join(', ')) : '';
    update();
    clearTimeout(timer);
    timer = setTimeout(() => { said = ''; update(); }, kSaidMs);
  }

  function disable(element, disabled) {
    if (disabled && document.activeElement === element) title.focus();
    put(element, 'disabled', disabled);
  }

  function update() {
    const { document: all, state, failure, allowed } = controls;
    if (aside.hidden || !all) return;
    put(body, 'hidden', !allowed);
    const trouble = state !== 'ready' ? text[state] : allowed ? '' : all.may_change ? text.none : text.forbidden;
    put(status, 'textContent', trouble || sentence(failure) || said);
    disable(undo, !controls.canUndo);
    if (!allowed) return;
    const shape = JSON.stringify(all.controls, (key, value) => (['wanted', 'actual', 'set', 'locked'].includes(key) ? undefined : value));
    if (shape !== built) build(all.controls);
    built = shape;
    for (const [name, row] of rows) row.update(controls.get(name), all.problems[name]);
    for (const [group, line] of lives) put(line, 'textContent', liveLine(group, all));
    disable(keep, !Object.keys(controls.found()).length);
    showPresets(Object.keys(all.presets));
    const misfits = Object.keys(all.misfits).map((name) => nameOf(name)).join(', ');
    put(notes, 'textContent', [all.held_back && text.heldBack, !all.kept && text.notKept, misfits && text.misfits(misfits)].filter(Boolean).join(' '));
  }

  function build(all) {
    const focused = document.activeElement?.id;
    rows.clear();
    lives.clear();
    const row = ([name, info]) => {
      rows.set(name, createRow(name, info, controls));
      return rows.get(name).element;
    };
    const isExpert = ([name, { level }]) => level === 'expert' || name === 'ZoomCentre';
    const groups = kGroups.map((group) => {
      const members = Object.entries(all).filter(([name, info]) => info.group === group && name !== 'AfWindows'); // which is set by pointing
      if (!members.length) return null;
      const expert = members.filter(isExpert);
      const called = text.groups[group];
      lives.set(group, h('p', { class: 'live' }));
      const key = `controls.${group}`;
      const more = h('details', { open: remembered(key) === 'open', ontoggle: () => remember(key, more.open ? 'open' : 'closed') },
        h('summary', {}, text.more, h('span', { class: 'unseen' }, `: ${called}`)), ...expert.map(row));
      return h('fieldset', { class: 'group', 'data-group': group }, h('legend', {}, called), lives.get(group),
        ...members.filter((one) => !isExpert(one)).map(row),
        group === 'Focus' && all.AfMode && button(text.focusNow, () => controls.focus(), { class: 'keep' }), expert.length && more);
    });
    body.replaceChildren(...[
      h('div', { class: 'chips' }, presetBox, Object.keys(kAutomatic).some((name) => all[name]) && keep), buildPoints(all), ...groups, notes, buildPresets(), buildReset(),
    ].filter(Boolean));
    point('view');
    if (focused) aside.querySelector(`#${CSS.escape(focused)}`)?.focus();
  }

  function buildPresets() {
    presetsBuilt = '';
    const name = h('input', { type: 'text', id: 'preset-name', list: 'preset-names', maxlength: 32, autocomplete: 'off' });
    const known = Object.entries(text.presetNames);
    const save = (event) => {
      event.preventDefault();
      const typed = name.value.trim();
      // Day and night are called so in every language.
      if (typed) controls.save(known.find((names) => names.some((one) => one.toLowerCase() === typed.toLowerCase()))?.[0] ?? typed);
      name.value = '';
    };
    return h('details', { class: 'presets' }, h('summary', {}, text.editPresets),
      h('form', { onsubmit: save }, h('label', { for: 'preset-name' }, text.presetName), name,
        h('datalist', { id: 'preset-names' }, ...known.map(([, one]) => new Option(one, one))), h('button', { type: 'submit' }, text.save)), eraseBox);
  }

  function showPresets(names) {
    const now = JSON.stringify(names);
    if (now === presetsBuilt) return;
    presetsBuilt = now;
    const called = (name) => from(text.presetNames, name.toLowerCase()) ?? name;
    const lost = [presetBox, eraseBox].some((box) => box.contains(document.activeElement));
    presetBox.replaceChildren(...names.map((name) => button(called(name), () => controls.apply(name))));
    eraseBox.replaceChildren(...names.map((name) => button(text.erase(called(name)), () => controls.erase(name))));
    if (lost) title.focus();
  }

  function buildReset() {
    const summary = h('summary', {}, text.resetAll);
    const all = h('details', { class: 'all' }, summary, h('p', {}, text.sure), button(text.confirm, () => {
      controls.reset();
      all.open = false;
      summary.focus();
    }));
    return all;
  }

  function buildPoints({ Zoom, ZoomCentre, AfMode }) {
    const { view: move, zoom, focus } = text.points;
    points = createChoice('point', { view: move, ...(Zoom && ZoomCentre && { zoom }), ...(AfMode && { focus }) }, { 'aria-label': text.point }, point);
    return points.children.length > 1 && points;
  }

  function point(where) {
    if (points) choose(points, where);
    pointed = view.point = { view: null, zoom: zoomTo, focus: (place) => controls.focus(place) }[where];
  }

  function zoomTo(place) {
    const [zoom, centre] = ['Zoom', 'ZoomCentre'].map((name) => controls.get(name));
    const now = shownValue(zoom);
    controls.change({ ZoomCentre: pointedCentre(place, now, centre.wanted ?? [0.5, 0.5]), ...(now === 1 && { Zoom: Math.min(zoom.max, kFirstZoom) }) });
  }

  function show(open) {
    aside.hidden = !open;
    point('view');
    update();
    look();
  }

  aside.append(h('div', { class: 'head' }, title, undo, button('✕', onClose, { class: 'close', ...named(text.close) })), status, body);
  controls.onChange = update;
  document.addEventListener('visibilitychange', look);
  document.addEventListener('keydown', (event) => {
    const { key, target } = event;
    if (aside.hidden || event.defaultPrevented || event.altKey) return;
    if (key === 'Escape' && (aside.contains(target) || target === document.body) && !document.fullscreenElement) onClose();
    else if (key.toLowerCase() === 'z' && !event.shiftKey && !target.matches('[type=text], [type=number], select')) takeBack();
    // Ninths.
    else if (pointed && key > 0 && !target.matches('input, select')) pointed({ x: (((key - 1) % 3) * 2 + 1) / 6, y: (5 - Math.floor((key - 1) / 3) * 2) / 6 });
    else return;
    event.preventDefault();
  });
  return {
    open(focus) {
      show(true);
      if (focus) title.focus();
    },
    close() { show(false); },
  };
}
