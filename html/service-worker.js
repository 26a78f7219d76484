// Keeps the pages for a device without a network: they open and say so. The network goes first, so nobody sees an
// old page; a camera's picture, the status or any other address is never touched, and never kept. The origin may belong to
// another site, or have several cameras: what is not in this worker's folder, and others' caches, are left alone.
const kShell = ['./', 'index.html', 'stream', 'picam.css', 'icon.svg', 'manifest.webmanifest', 'page.js', 'bar.js', 'element.js',
  'icons.js', 'live.js', 'stills.js', 'panels.js', 'stream-history.js', 'figures.js', 'figures.css', 'figures-text.js', 'overview.js', 'overview.css', 'grid.js',
  'memory.js', 'connection.js', 'acknowledger.js', 'painter.js', 'painter-worker.js', 'draw-jpeg.js', 'draw-video.js', 'full-range.js',
  'mse-player.js', 'fallback.js', 'still-refresher.js', 'text.js', 'view.js', 'controls.js', 'panel.js', 'panel.css', 'panel-text.js']
  .map((name) => new URL(name, location.href).pathname);
const folder = kShell[0];
const kCache = `picam-shell ${folder}`;
const kFormer = folder === '/' ? ['picam-shell'] : []; // as earlier versions called it

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(kCache).then((cache) => cache.addAll(kShell)).then(() => self.skipWaiting()));
});
self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => kFormer.includes(name)).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname, searchParams } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin || !kShell.includes(pathname)) return;
  if (searchParams.has('action')) return; // mjpg-streamer's pictures
  event.respondWith(fromNetwork(request, pathname));
});

async function fromNetwork(request, pathname) {
  const cache = await caches.open(kCache);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) await cache.put(pathname, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(pathname);
    if (kept) return kept;
    throw error;
  }
}
