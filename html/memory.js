// What this browser remembers of one camera, by the folder of its pages: an origin may have several, and another site's
// pages. Where the browser keeps nothing (private mode, say) nothing is remembered.
const folder = new URL('.', location.href).pathname;
const key = (name) => (folder === '/' ? `picam.${name}` : `picam.${folder}.${name}`);

// null: nothing.
export function remembered(name) {
  try { return localStorage.getItem(key(name)); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(key(name), value); } catch { /* it is forgotten, then */ }
}
