// What the browser tests share: the browsers there are, and what a page shows.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { children, residentMegabytes, top, waitFor } from '../integration/harness.mjs';

export const kBrowsers = {
  chrome: ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync),
  firefox: ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync),
};
export const kDevices = {
  phone: { width: 390, height: 844 }, lying: { width: 844, height: 390 }, small: { width: 320, height: 568 }, tablet: { width: 820, height: 1180 }, desktop: { width: 1280, height: 800 },
};
export const kSchemes = { chrome: ['light', 'dark'], firefox: ['light'] }; // as each can be told
export const prefer = (page, scheme) => page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
export const shots = path.join(top, 'build/screenshots');
mkdirSync(shots, { recursive: true });

// A digest of what the page's picture shows; empty while there is none.
export const pixels = (page, ids = ['picture', 'still']) => page.evaluate((wanted) => {
  const shown = wanted.map((id) => document.getElementById(id)).find((e) => e && !e.hidden);
  const width = shown?.naturalWidth ?? shown?.width ?? 0;
  if (!width) return '';
  const copy = document.createElement('canvas');
  copy.width = 64;
  copy.height = 48;
  copy.getContext('2d').drawImage(shown, 0, 0, 64, 48);
  const { data } = copy.getContext('2d').getImageData(0, 0, 64, 48);
  return data[3] === 0 ? '' : String(data.reduce((sum, v, i) => (sum * 31 + v * (i % 7)) % 1e9, 7));
}, ids);
// Their panel, whether it is open or not; the next page does not remember it.
export async function showFigures(page) {
  await page.evaluate(() => { location.hash = '#figures'; });
  await page.waitForSelector('#summary');
  await page.evaluate(() => Object.keys(localStorage).filter((key) => key.endsWith('.panel')).forEach((key) => localStorage.removeItem(key)));
}
export const message = (page) => page.$eval('#message', (e) => (e.hidden ? '' : e.textContent));
// A busy machine has the page say something now and then.
export const waitNoMessage = (page) => waitFor('no message', async () => (await message(page)) === '', 60000);

// Each sentence that an element has had since, as `window.said`; also one that is gone when the test looks.
export function hear(selector) {
  window.said = [];
  const listen = () => {
    const element = document.querySelector(selector);
    if (!element) return;
    new MutationObserver(() => window.said.push(element.textContent)).observe(element, { childList: true, characterData: true, subtree: true });
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', listen);
  else listen();
}
export const waitHeard = (page, pattern, ms) => waitFor(`${pattern} to be said`, () => page.evaluate(
  (source) => window.said.some((sentence) => new RegExp(source).test(sentence)), pattern.source), ms);

export async function waitChanges(page, count, ids) {
  const seen = new Set();
  await waitFor(`${count} different pictures`, async () => {
    const now = await pixels(page, ids);
    if (now) seen.add(now);
    return seen.size >= count;
  }, 60000);
}

// A browser with a profile of its own; close() removes it.
export async function launch(name, { args = [], prefs = {}, acceptInsecureCerts = false } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'picam-browser.'));
  const browser = await puppeteer.launch({
    browser: name,
    executablePath: kBrowsers[name],
    headless: true,
    userDataDir: profile,
    acceptInsecureCerts,
    // Firefox asks a canvas's worker for its pixels while the worker may be waiting for the page: after ten seconds it
    // takes an empty picture for them, as a test looks again at.
    extraPrefsFirefox: { 'gfx.offscreencanvas.snapshot-timeout-ms': 250, ...prefs },
    args: name === 'chrome'
      ? ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', ...args]
      : [],
  });
  return {
    browser,
    // A page whose complaints are kept.
    async open(url, { viewport = { width: 1100, height: 760 }, prepare } = {}) {
      const page = await browser.newPage();
      await page.setViewport(viewport);
      page.errors = [];
      page.on('console', (entry) => { if (entry.type() === 'error') page.errors.push(entry.text()); });
      page.on('pageerror', (error) => page.errors.push(error.message));
      await page.evaluateOnNewDocument(hear, '#message');
      if (prepare) await prepare(page);
      await page.goto(url);
      return page;
    },
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

// What a browser's processes hold, MB: `before`, and how much more those have by now that there were then. What leaks never
// comes back, and the rest may: to be looked at again.
export function watchMemory({ browser }) {
  const descendants = (pid) => [pid, ...children(pid).flatMap(descendants)];
  const pids = descendants(browser.process().pid);
  const whole = () => pids.reduce((sum, pid) => sum + residentMegabytes(pid), 0);
  const before = whole();
  return { before, grown: () => whole() - before };
}

// A finger. The library's own has a size in fractions, over which Firefox stumbles.
export async function tap(page, x, y) {
  const context = page.mainFrame().browsingContext; // Firefox's
  if (!context) return page.touchscreen.tap(x, y);
  await context.performActions([{
    type: 'pointer', id: 'finger', parameters: { pointerType: 'touch' },
    actions: [{ type: 'pointerMove', x: Math.round(x), y: Math.round(y) }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }],
  }]);
  return context.releaseActions();
}
export async function tapOn(page, selector) {
  const { x, y, width, height } = await page.$eval(selector, (e) => e.getBoundingClientRect().toJSON());
  return tap(page, x + width / 2, y + height / 2);
}

export async function hide(page, hidden) {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}
