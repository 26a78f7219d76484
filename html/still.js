// The still page: a picture that refreshes, its time and age, and why there is none.
import { byId, clockTime, rememberedChoice, saveBlob, say, setPaused, toggleFullscreen, wire } from './page.js';
import { StillRefresher } from './still-refresher.js';
import { text } from './text.js';
import { View } from './view.js';

const picture = byId('picture');
let shown = null; // {blob, captured, ageMs, at}: what the page shows, and since when

async function show(still) {
  // Decoded before it is shown: the old picture stays until the new one is whole.
  const next = new Image();
  const url = URL.createObjectURL(still.blob);
  next.src = url;
  await next.decode();
  const old = picture.src;
  picture.src = url;
  picture.hidden = false;
  if (old) URL.revokeObjectURL(old);
  shown = { ...still, at: performance.now() };
  say('');
  caption();
}

function caption() {
  if (!shown) return;
  const age = (shown.ageMs + performance.now() - shown.at) / 1000;
  byId('caption').textContent = text.captured(clockTime(shown.captured), text.seconds(age));
}

function fail(why) {
  if (why === 'offline') say(text.offline);
  else say(why || text.noServer);
}

const refresher = new StillRefresher({
  everyMs: 1000 * rememberedChoice('every', '1.5', (every) => { refresher.everyMs = 1000 * every; }),
  onPicture: show,
  onFailure: fail,
});

function pause() {
  refresher.paused = !refresher.paused;
  setPaused(refresher.paused);
  say(refresher.paused ? text.paused : '');
}

const view = new View(byId('stage'), [picture]);
wire({
  pause: { key: ' ', action: pause },
  save: { key: 's', action: () => shown && saveBlob(shown.blob, shown.captured) },
  ...view.actions,
  fullscreen: { key: 'f', action: toggleFullscreen },
}, view.keys);
setInterval(() => { if (!document.hidden) caption(); }, 500);
refresher.start();
