// The panel of figures: the last two minutes of the live picture as charts and in words; for operators, who looks and how
// the camera is. Works once a second, while it is open and seen.
import { h, named as labelled, put } from './element.js';
import { text } from './figures-text.js';
import { kSeconds } from './stream-history.js';
import { language, text as pages } from './text.js';

const kEveryMs = 1000;
const kAsked = 2; // times that, the server's status
const kNice = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]; // tops of scales, times a power of ten
const kOver = 1.04; // 31 pictures in one second are still 30 a second
// `least` top of the scale; `per`: of what is kept in the unit that is shown.
const kCharts = { delay: { least: 100, digits: 0 }, fps: { least: 5 }, bitrate: { least: 0.5, per: 1e6 }, skipped: { least: 5, digits: 0, bars: true } };
const kEnd = kSeconds - 1;
const kRare = 5; // pictures a second, below which one second more or less says nothing
const kMean = 10; // seconds that are taken together then

const known = (value) => value !== undefined;
const total = (values) => values.reduce((sum, value) => sum + (value ?? 0), 0);
export const number = (value, digits = 1, to = language) => value?.toLocaleString(to, { minimumFractionDigits: digits, maximumFractionDigits: digits }) ?? '–';
const short = (value) => number(value, value % 1 ? 1 : 0);

// A nice number, which changes only when the greatest value does.
export function topOf(values, least) {
  const most = Math.max(least, ...values.filter(known)) / kOver;
  const power = 10 ** Math.floor(Math.log10(most));
  return Number((kNice.find((nice) => nice * power >= most) * power).toPrecision(2));
}

// Each the mean of those before and it; or, `held`, the last that is known.
export const smoothed = (values, held) => values.map((_, i) => {
  const together = values.slice(Math.max(0, i + 1 - kMean), i + 1).filter(known);
  return held || !together.length ? together[together.length - 1] : total(together) / together.length;
});

const heightOf = (value, top) => Number((100 * (1 - Math.min(1, value / top))).toFixed(1));

// A line through the values and the area below it, with gaps where there are none.
export function linePaths(values, top) {
  let line = '';
  let area = '';
  values.forEach((value, x) => {
    if (!known(value)) return;
    const point = `${x} ${heightOf(value, top)}`;
    const [begins, ends] = [!known(values[x - 1]), !known(values[x + 1])];
    line += `${begins ? 'M' : 'L'}${point}${begins && ends ? 'h.01' : ''}`; // alone: a dot
    area += `${begins ? `M${x} 100` : ''}L${point}${ends ? 'V100Z' : ''}`;
  });
  return { line, area };
}

export const barPath = (values, top) => values.map((value, x) => (value ? `M${x} 100V${heightOf(value, top)}` : '')).join('');

// A chart in words.
export function spoken(name, values, now, table = text, to = language) {
  const [called, unit] = table.charts[name];
  const { digits, bars } = kCharts[name];
  const all = values.filter(known);
  const [shown, least, most] = [now, Math.min(...all), Math.max(...all)].map((value) => number(value, digits, to) + (bars ? '' : ` ${unit}`));
  if (!all.length) return table.nothing(called);
  return bars ? table.counted(called, shown, most) : table.spoken(called, shown, least, most);
}

export function viewersByCodec({ viewers, h264 }) {
  const video = Math.min(viewers.total, total(h264.rungs.map((rung) => rung.viewers)));
  return { 'H.264': video, JPEG: viewers.total - video, paused: viewers.paused, refused: viewers.refused };
}

export function duration(seconds, table = text) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : table.days(Math.floor(minutes / 1440));
}

// What the server's status says to operators: [heading, [[name, value]]].
export function operatorRows(status, table = text) {
  const { camera: { state, state_seconds: since, reason, source, size, fps, starts, failures }, h264, faults } = status;
  const named = (rows) => Object.entries(rows).filter(([, value]) => value !== '').map(([name, value]) => [table.rows[name] ?? name, String(value)]);
  const time = (at) => new Date(at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium', hour12: false });
  const last = faults?.map(({ at, what, times = 1 }) => [time(at), times > 1 ? `${what} (${times} ×)` : what]) ?? (reason ? [['', reason]] : []);
  return [
    ['viewers', named(viewersByCodec(status))],
    ['camera', named({
      state: table.since(table.states[state] ?? state, duration(since, table)), reason, source,
      picture: size.width ? `${size.width} × ${size.height}, ${short(fps)} ${table.charts.fps[1]}` : '', starts, failures,
    })],
    ['encoders', h264.rungs.filter((rung) => rung.viewers).map((rung) => [rung.encoder, table.encoder(number(rung.encode_mean_ms), rung.viewers)])],
    ['faults', last.length ? last : [['', table.none]]],
  ].filter(([, rows]) => rows.length);
}

// {element, show(values, now, pointed)}, `pointed` being the second that somebody points at.
function createChart(name, point) {
  const { least, digits, bars } = kCharts[name];
  const [called, unit, means, each = unit] = text.charts[name];
  const element = h('section', { class: 'chart' });
  element.innerHTML = `<div class="stat"><h3>${called}</h3><span class="when"></span><p><b></b> <span></span></p><span class="top"></span></div>
    <div class="plot" role="img"><svg viewBox="0 -3 ${kEnd} 106" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="M0 0H${kEnd}M0 50H${kEnd}M0 100H${kEnd}"/>
    <path class="area"/><path class="${bars ? 'bars' : 'line'}"/><path class="cursor"/></svg></div>
    <div class="axis" aria-hidden="true"><span>${text.start}</span><span>${text.now}</span></div><p class="means">${means}</p>`;
  const [when, value, of, top, plot, area, line, cursor] = ['.when', 'b', 'p > span', '.top', '.plot', '.area', '.line, .bars', '.cursor'].map((one) => element.querySelector(one));
  plot.onpointerdown = plot.onpointermove = ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    point(Math.min(kEnd, Math.max(0, Math.round(((clientX - left) / width) * kEnd))));
  };
  plot.onpointerleave = plot.onpointercancel = () => point();
  return {
    element,
    show(values, now, pointed) {
      const here = known(pointed);
      const scale = topOf(values, least);
      const paths = bars ? { line: barPath(values, scale), area: '' } : linePaths(values, scale);
      line.setAttribute('d', paths.line);
      area.setAttribute('d', paths.area);
      cursor.setAttribute('d', here ? `M${pointed} 0V100` : '');
      put(value, 'textContent', number(here ? values[pointed] : now, digits));
      put(of, 'textContent', here ? each : unit);
      put(when, 'textContent', here ? text.ago(kSeconds - pointed) : '');
      put(top, 'textContent', short(scale));
      plot.setAttribute('aria-label', spoken(name, values, now));
    },
  };
}

let refused = false; // a browser may ask its user at each such answer
async function get(address) {
  if (refused) return undefined;
  try {
    const answer = await fetch(address, { cache: 'no-store' });
    refused = answer.status === 401;
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

// Builds the panel into the <aside>, with its style: {open(focus), close()}. about(): what is shown now, {codec, size, mode,
// stillAgeMs, every (seconds)}; onClose: by its button or Escape.
export async function createFigures({ aside, history, about, onClose }) {
  await new Promise((resolve) => { document.head.append(h('link', { rel: 'stylesheet', href: 'figures.css', onload: resolve, onerror: resolve })); });
  let timer = 0;
  let ticks = 0;
  let pointed;
  let shape = ''; // of what operators see
  let asking = false;
  let may; // not known: no answer
  const title = h('h2', { id: 'figures-title', tabindex: -1 }, text.title);
  const close = h('button', { type: 'button', class: 'close', ...labelled(text.close), onclick: onClose }, '✕');
  const summary = h('p', { id: 'summary' });
  const onlyLive = h('p', { class: 'means' }, text.onlyLive);
  const point = (second) => {
    if (second === pointed) return;
    pointed = second;
    draw();
  };
  const charts = Object.keys(kCharts).map((name) => ({ name, ...createChart(name, point) }));
  const box = h('div', {}, ...charts.map((chart) => chart.element));
  const away = h('p', { class: 'means' }, text.away);
  const rows = h('div', {});
  const operators = h('section', { class: 'operators', hidden: '' }, h('h3', {}, text.operators), away, rows);

  function draw() {
    const { codec, size, mode, stillAgeMs, every } = about();
    const live = mode !== 'stills';
    put(box, 'hidden', !live);
    put(onlyLive, 'hidden', live);
    if (!live) return put(summary, 'textContent', text.stills(every, known(stillAgeMs) && pages.seconds(stillAgeMs / 1000)));
    const at = performance.now();
    const now = history.now(at);
    const seconds = history.seconds(at);
    put(summary, 'textContent', pages.figures({
      ...now, bytes: now.bitrate / 8, delay: known(now.delay) ? `${Math.round(now.delay)} ms` : pages.unknown, codec: codec === 'H.264' ? `${codec} ${size}` : codec ?? pages.unknown,
    }));
    const any = seconds.some(Boolean);
    const rare = seconds.every((second) => !second || second.fps < kRare);
    for (const { name, show } of charts) {
      const { per = 1, bars } = kCharts[name];
      const values = seconds.map((second) => (known(second?.[name]) ? second[name] / per : undefined));
      show(rare && !bars ? smoothed(values, name === 'delay') : values, bars ? total(values) : any && known(now[name]) ? now[name] / per : undefined, pointed);
    }
  }

  async function ask() {
    if (operators.hidden || aside.hidden || asking) return;
    asking = true;
    const status = await get('status');
    asking = false;
    put(away, 'hidden', Boolean(status));
    if (!status) return;
    const groups = operatorRows(status);
    const now = JSON.stringify(groups.map(([name, { length }]) => [name, length]));
    if (now !== shape) rows.replaceChildren(...groups.flatMap(([name, all]) => [h('h4', {}, text.groups[name]), h('dl', { class: name }, ...all.map(() => h('div', {}, h('dt', {}), h('dd', {}))))]));
    shape = now;
    const cells = groups.flatMap(([, all]) => all.flat());
    rows.querySelectorAll('dt, dd').forEach((cell, i) => put(cell, 'textContent', cells[i]));
  }

  // Those who may change the camera.
  async function meet() {
    may = (await get('controls'))?.may_change;
    put(operators, 'hidden', !may);
    ask();
  }

  function look() {
    clearInterval(timer);
    if (aside.hidden || document.hidden) return;
    timer = setInterval(() => {
      draw();
      if (++ticks % kAsked === 0) known(may) ? ask() : meet();
    }, kEveryMs);
    draw();
    ask();
  }

  aside.append(h('div', { class: 'head' }, title, close), h('div', { class: 'body', tabindex: 0, role: 'region', 'aria-labelledby': title.id }, summary, onlyLive, box, operators)); // keys scroll it
  aside.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || document.fullscreenElement) return;
    event.preventDefault();
    onClose();
  });
  document.addEventListener('visibilitychange', look);
  return {
    open(focus) {
      aside.hidden = false;
      refused = false;
      look();
      meet();
      if (focus) title.focus();
    },
    close() {
      aside.hidden = true;
      look();
    },
  };
}
