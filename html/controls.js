// What both pages share: the message over the picture, keys, saving, full screen. Knows nothing of where pictures come
// from.
import { text } from './text.js';

export const byId = (id) => document.getElementById(id);

export function say(sentence) {
  const message = byId('message');
  if (message.textContent !== sentence) message.textContent = sentence;
  message.hidden = sentence === '';
}

export function setPaused(paused) {
  const button = byId('pause');
  button.setAttribute('aria-pressed', String(paused));
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
  const remembered = () => { try { return localStorage.getItem(`picam.${id}`); } catch { return null; } };
  const wanted = new URLSearchParams(location.search).get(id) ?? remembered() ?? fallback;
  const number = Number(wanted);
  const value = Number.isFinite(number) && number >= 0 && wanted !== '' ? String(number) : fallback;
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
  select.addEventListener('change', () => {
    try { localStorage.setItem(`picam.${id}`, select.value); } catch { /* private mode keeps nothing */ }
    changed(Number(select.value));
  });
  return Number(value);
}

// Buttons by id with their key. The controls are shown only now: without scripts they would do nothing.
export function wire(actions) {
  for (const [id, { action }] of Object.entries(actions)) byId(id).addEventListener('click', action);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select, button, a')) return;
    for (const { key, action } of Object.values(actions)) {
      if (event.key === key) {
        event.preventDefault();
        action();
      }
    }
  });
  byId('controls').hidden = false;
}

export function toggleFullscreen() {
  const stage = byId('stage');
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  else byId('picture').webkitEnterFullscreen?.();
}
