// The pages' icons: lines on 24 by 24, in the colour of the text. What they mean says the button.
const kPaths = {
  pause: 'M8 5v14M16 5v14',
  play: 'M8 5l11 7-11 7z',
  save: 'M12 4v11m-5-4.5 5 5 5-5M5 20h14',
  view: 'M16 10.5a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0M14.5 14.5 20 20M10.5 8v5M8 10.5h5',
  pace: 'M20 12.5a8 8 0 1 1-16 0 8 8 0 0 1 16 0M12 8v4.5l3 2M9.5 2h5',
  turn: 'M19.5 13a7.5 7.5 0 1 1-2.2-5.8L20 10m0-6v6h-6',
  mirror: 'M12 3v18M9 7 3 17h6zM15 7l6 10h-6z',
  fill: 'M3 6h18v12H3zM9 9.5 6.5 12 9 14.5M15 9.5l2.5 2.5-2.5 2.5',
  closer: 'M12 5v14M5 12h14',
  farther: 'M5 12h14',
  whole: 'M4 7h16v10H4z',
  adjust: 'M4 7h8M18 7h2M4 17h2M12 17h8M18 7a3 3 0 1 1-6 0 3 3 0 0 1 6 0M12 17a3 3 0 1 1-6 0 3 3 0 0 1 6 0',
  charts: 'M4 20h16M7 16v-5M12 16V5M17 16V9',
  fullscreen: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  window: 'M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5',
};

export function icon(name) {
  const kSvg = 'http://www.w3.org/2000/svg';
  const [svg, path] = ['svg', 'path'].map((tag) => document.createElementNS(kSvg, tag));
  for (const [attribute, value] of Object.entries({ viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': true })) svg.setAttribute(attribute, value);
  path.setAttribute('d', kPaths[name]);
  svg.append(path);
  return svg;
}
