// Elements, in few words.
// Attributes that are false or undefined are left out; those that begin with "on" are handlers.
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element[name] = value;
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

// Not told a screen reader again.
export function put(element, property, value) { if (element[property] !== value) element[property] = value; }

export const named = (label) => ({ 'aria-label': label, title: label });
export const byId = (id) => document.getElementById(id);
