// The bar of icons over the picture's lower edge: what is pressed, the menus, the keys; away while nobody uses it.
import { byId, h, named } from './element.js';
import { icon } from './icons.js';
import { remember, remembered } from './memory.js';
import { text } from './text.js';

const kAwayMs = 3500; // after the last sign of somebody

// A button with the icon of its name, or with its name as well: {key, action, pressed, words, hidden}.
export function createButton(id, { key, pressed, words, hidden, action }) {
  const label = text.page[id];
  return h('button', {
    type: 'button', id, hidden, class: words ? 'item' : 'icons', onclick: action, 'aria-pressed': pressed && 'false',
    'aria-keyshortcuts': { ' ': 'Space' }[key] ?? key, ...(words ? {} : named(label)),
  }, icon(id), words && label);
}

export function setPressed(id, pressed, name = id) {
  const button = byId(id);
  button.setAttribute('aria-pressed', pressed);
  button.replaceChildren(icon(name), ...[...button.childNodes].slice(1));
}

// A button that shows other ones above it.
export function createMenu(id, buttons) {
  const menu = h('div', { class: 'menu', id: `${id}-menu`, role: 'group', 'aria-label': text.page[id], hidden: '' }, ...buttons);
  const button = createButton(id, { action: () => show(menu.hidden) });
  const box = h('div', { class: 'menus' }, button, menu);
  function show(open) {
    menu.hidden = !open;
    button.setAttribute('aria-expanded', open);
  }
  button.setAttribute('aria-controls', menu.id);
  show(false);
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || menu.hidden) return;
    event.stopPropagation();
    show(false);
    button.focus();
  });
  box.addEventListener('focusout', ({ relatedTarget }) => { if (relatedTarget && !box.contains(relatedTarget)) show(false); });
  window.addEventListener('pointerdown', ({ target }) => { if (!box.contains(target)) show(false); }, { capture: true });
  return box;
}

// One of several values: from the address, else as remembered, else as given; remembered when changed. `options`: [value,
// words] each. onChange(number) is called for the first, too.
export function createPace(id, options, fallback, onChange) {
  const select = h('select', { id, title: text.page[id] }, ...options.map(([value, words]) => new Option(words, value)));
  const wanted = new URLSearchParams(location.search).get(id) ?? remembered(id) ?? fallback;
  const number = Number(wanted);
  const value = Number.isFinite(number) && number >= 0 && wanted !== '' ? String(number) : fallback;
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
  select.onchange = () => {
    remember(id, select.value);
    onChange(Number(select.value));
  };
  onChange(Number(value));
  return h('label', { class: 'pace' }, icon('pace'), h('span', { class: 'unseen' }, text.page[id]), select);
}

// Whether a field makes something of a key itself: what is typed, a slider's arrows, a button's space.
function takes(field, key) {
  if (field.closest('.panel .body') && (key === ' ' || key.startsWith('Arrow'))) return true; // they scroll it
  if (field.closest('select, input:not([type=range], [type=radio], [type=checkbox])')) return true;
  return field.closest('input') ? key === ' ' || key.length > 1 : key === ' ' && field.closest('button, summary');
}

// Keys to what they do.
export function listen(keys) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || takes(event.target, event.key) || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

// Away, as body's class `quiet`, while nobody points, touches or types; never while `mayHide()` says no. Returns what brings
// it back.
export function hideWhileUnused(mayHide) {
  let timer = 0;
  const hide = () => {
    if (mayHide()) document.body.classList.add('quiet');
    else show();
  };
  function show() {
    document.body.classList.remove('quiet');
    clearTimeout(timer);
    timer = setTimeout(hide, kAwayMs);
  }
  // What was not seen is not pressed.
  let woken = false;
  window.addEventListener('pointerdown', ({ target }) => { woken = document.body.classList.contains('quiet') && byId('scene').contains(target); }, { capture: true });
  for (const press of ['mousedown', 'click']) {
    window.addEventListener(press, (event) => {
      if (!woken || event.detail === 0) return; // by a key
      event.preventDefault();
      event.stopPropagation();
    }, { capture: true });
  }
  for (const sign of ['pointermove', 'pointerdown', 'keydown', 'focusin']) window.addEventListener(sign, show, { capture: true, passive: true });
  show();
  return show;
}
