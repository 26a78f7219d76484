// What both pages share: the message over the picture, keys, saving, full screen. Knows nothing of where pictures come
// from.
import { remember, remembered } from './memory.js';
import { text, translatePage } from './text.js';

export const byId = (id) => document.getElementById(id);

export function say(sentence) {
  const message = byId('message');
  if (message.textContent !== sentence) message.textContent = sentence;
  message.hidden = sentence === '';
}

export function setPaused(paused) {
  const button = byId('pause');
  button.setAttribute('aria-pressed', paused);
  button.textContent = paused ? text.resume : text.pause;
}

export function saveBlob(blob, date) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `picam-${date.toISOString().replace(/[:.]/g, '-')}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function clockTime(date) {
  return date.toLocaleTimeString(undefined, { hour12: false });
}

// The choice of a <select>: from the address, else as remembered, else as given; remembered when changed.
export function rememberedChoice(id, fallback, changed) {
  const select = byId(id);
  const wanted = new URLSearchParams(location.search).get(id) ?? remembered(id) ?? fallback;
  const number = Number(wanted);
  const value = Number.isFinite(number) && number >= 0 && wanted !== '' ? String(number) : fallback;
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
  select.addEventListener('change', () => {
    remember(id, select.value);
    changed(Number(select.value));
  });
  return Number(value);
}

// What people call what the camera shows, where they have given it a name (camera.title).
async function showTitle() {
  const { title } = await fetch('status', { cache: 'no-store' }).then((answer) => (answer.ok ? answer.json() : {}), () => ({}));
  if (!title) return;
  document.title = title;
  document.querySelector('h1').textContent = title;
}

// Whether a field makes something of a key itself: what is typed, a slider's arrows, a button's space.
function takes(field, key) {
  if (field.closest('select, input:not([type=range], [type=radio], [type=checkbox])')) return true;
  return field.closest('input') ? key === ' ' || key.length > 1 : key === ' ' && field.closest('button, a, summary');
}

// Buttons by id with their key, and keys without a button. The bar is shown only now: without scripts they would do
// nothing. With it the page becomes an app where the browser can have one.
export function wire(actions, keys = {}) {
  translatePage();
  navigator.serviceWorker?.register('service-worker.js').catch(() => {}); // only where the site has TLS, or is this machine
  for (const [id, { action }] of Object.entries(actions)) byId(id).addEventListener('click', action);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takes(event.target, event.key)) return;
    const action = keys[event.key] ?? Object.values(actions).find(({ key }) => key === event.key)?.action;
    if (!action) return;
    event.preventDefault();
    action();
  });
  byId('bar').hidden = false;
  showTitle();
}

export function toggleFullscreen() {
  const stage = byId('stage');
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  else byId('picture').webkitEnterFullscreen?.();
}
