// The page of several cameras: its grid on every screen, what it asks for and when, a tile that opens in place, the wall.
// The site is real; what the cameras answer is the page's own making, so there may be any number of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Site, waitFor } from '../integration/harness.mjs';
import { hide, kBrowsers, launch, message, shots } from './browser.mjs';

const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const kScreens = {
  desktop: { width: 1280, height: 800 },
  tablet: { width: 1024, height: 768 },
  phone: { width: 390, height: 844 },
  lying: { width: 844, height: 390 },
};
const kFinger = { isMobile: true, hasTouch: true };
const kLoads = 3;
const kMinWidth = 220; // of a tile, as grid.js has it

// In the page, before its scripts: cameras c1, c2, … by a fetch of our own, and a screen's wake lock. `window.asked` has
// each request {name, what, at}; `window.broken` the sentences of stills that fail; `window.held` stills not answered yet.
function cameras({ count, size: [width, height], hold }) {
  window.asked = [];
  window.broken = {};
  window.held = [];
  window.hold = hold;
  window.locks = [];
  const kNames = ['Front door', 'Garage', 'Garden', 'Driveway', 'Kitchen', 'Workshop', 'Greenhouse', 'Attic', 'Cellar', 'Yard', 'Stairs', 'Hall', 'Balcony', 'Nursery', 'Office', 'Roof'];
  const kStates = ['streaming', 'idle', 'streaming', 'starting'];
  Object.defineProperty(navigator, 'wakeLock', { configurable: true, value: { request: async (type) => {
    const lock = { type, released: false, release: async () => { lock.released = true; } };
    window.locks.push(lock);
    return lock;
  } } });
  const picture = (index) => new Promise((resolve) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, 0, height);
    sky.addColorStop(0, `hsl(${190 + index * 17} 45% ${index % 3 === 2 ? 22 : 62}%)`);
    sky.addColorStop(0.6, `hsl(${30 + index * 9} 50% ${index % 3 === 2 ? 30 : 84}%)`);
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    context.fillStyle = `hsl(${90 + index * 25} 22% 34%)`;
    context.fillRect(0, height * 0.62, width, height);
    context.fillStyle = `hsl(${10 + index * 40} 28% 48%)`;
    context.fillRect(width * (0.12 + 0.05 * (index % 6)), height * 0.3, width * 0.34, height * 0.42);
    context.fillStyle = '#e8e6df';
    context.fillRect(width * (0.2 + 0.05 * (index % 6)), height * 0.42, width * 0.08, height * 0.3);
    context.strokeStyle = '#fff'; // the edge of what the camera sees
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    context.font = `${height / 20}px monospace`;
    context.fillStyle = '#fff';
    context.fillText(new Date().toISOString(), height / 20, height / 12);
    canvas.toBlob(resolve, 'image/jpeg');
  });
  const { fetch: real } = window;
  window.fetch = async (target, options) => {
    const [, index, what] = /^c(\d+)\/(pi\.jpg|status)$/.exec(target) ?? [];
    if (target === 'cameras') {
      window.asked.push({ name: '', what: target, at: performance.now() });
      return Response.json(Array.from({ length: count }, (_, i) => ({ name: `c${i + 1}`, title: kNames[i], path: `c${i + 1}/` })));
    }
    if (!what) return real(target, options);
    window.asked.push({ name: `c${index}`, what, at: performance.now() });
    const wrong = window.broken[`c${index}`];
    if (what === 'status') {
      const camera = wrong ? { state: 'unavailable', reason: wrong } : { state: kStates[(index - 1) % 4] };
      return Response.json({ title: kNames[index - 1], camera });
    }
    if (window.hold) await new Promise((resolve) => { window.held.push(resolve); });
    if (wrong) return new Response(`${wrong}\n`, { status: 503 });
    return new Response(await picture(Number(index)), { headers: { 'X-Picam-Captured': new Date().toISOString(), 'X-Picam-Age-Ms': '3' } });
  };
}

// Where the tiles lie, and what is wrong with that.
const geometry = (page) => page.evaluate((least) => {
  const grid = document.getElementById('grid');
  const room = grid.getBoundingClientRect();
  const places = [...document.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect());
  const scrolls = grid.scrollHeight > grid.clientHeight;
  const wrong = [];
  places.forEach((one, i) => {
    if (one.left < 0 || one.right > room.left + grid.clientWidth) wrong.push(`${i} is cut off at a side`);
    if (!scrolls && (one.top < room.top || one.bottom > innerHeight)) wrong.push(`${i} is cut off`);
    if (one.width < least && places.length > 1) wrong.push(`${i} is only ${one.width} wide`);
    for (const other of places.slice(0, i)) {
      if (one.left < other.right - 0.1 && other.left < one.right - 0.1 && one.top < other.bottom - 0.1 && other.top < one.bottom - 0.1) wrong.push(`${i} lies over another`);
    }
    const { naturalWidth, naturalHeight } = document.querySelectorAll('.tile img')[i];
    if (naturalWidth && Math.abs(one.width / one.height - naturalWidth / naturalHeight) > 0.02) wrong.push(`${i} has not its picture's shape`);
  });
  if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight) wrong.push('the page is larger than the window');
  return { wrong, scrolls, columns: new Set(places.map(({ left }) => Math.round(left))).size, width: places[0]?.width, count: places.length };
}, kMinWidth);

const shown = (page) => page.$$eval('.tile img', (all) => all.filter((img) => !img.hidden && img.naturalWidth > 0).length);
const asked = (page, name, what = 'pi.jpg') => page.evaluate((n, w) => window.asked.filter((one) => one.name === n && one.what === w).length, name, what);
const opened = (page) => page.$eval('main', (main) => {
  const tile = main.querySelector('.tile.open');
  if (!tile) return '';
  const [stage, place] = [main, tile].map((e) => JSON.stringify(e.getBoundingClientRect()));
  return stage === place && tile.querySelector('img').naturalWidth > 0 ? tile.querySelector('.title').textContent : 'not all of the stage';
});
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.querySelector('.title')?.textContent);
const hash = (page) => page.evaluate(() => location.hash);
const visible = (page) => page.$$eval('#top, #bar > *', (all) => all.filter((e) => e.checkVisibility({ visibilityProperty: true })).map((e) => e.id));

async function axe(page) {
  await page.evaluate(kAxe);
  const found = await page.evaluate(async () => (await window.axe.run()).violations
    .map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 200)}`));
  assert.deepEqual(found.filter((line) => /^(serious|critical)/.test(line)), []);
}

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let program;
    before(async () => {
      site = await Site.start();
      program = await launch(name);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
    });
    const open = async (count, { hash: at = '', viewport = kScreens.desktop, size = [640, 480], hold = false, scheme = 'light', language } = {}) => {
      const page = await program.open(`${site.url}/overview.html${at}`, { viewport, prepare: async (fresh) => {
        await fresh.evaluateOnNewDocument(cameras, { count, size, hold });
        if (language) await fresh.evaluateOnNewDocument((tag) => Object.defineProperty(navigator, 'languages', { get: () => [tag] }), language);
        if (name === 'chrome') await fresh.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      } });
      return page;
    };
    const done = async (page) => {
      assert.deepEqual(page.errors, []);
      await page.close();
    };
    const pictures = (page, count) => waitFor(`${count} pictures`, async () => (await shown(page)) >= count);

    for (const count of [1, 3, 9, 16]) {
      test(`${count} cameras: as large as they can be, none cut off, on every screen`, async () => {
        for (const size of [[640, 480], [640, 360]]) {
          const page = await open(count, { size });
          await pictures(page, count);
          for (const [screen, viewport] of Object.entries(kScreens)) {
            await page.setViewport(viewport);
            let last;
            const right = async () => {
              last = await geometry(page);
              const columns = screen !== 'phone' || last.columns === 1;
              const whole = !/desktop|tablet/.test(screen) || !last.scrolls;
              return last.count === count && last.wrong.length === 0 && columns && whole && await page.evaluate((width) => innerWidth === width, viewport.width);
            };
            await waitFor('a grid', right).catch((error) => { throw new Error(`${screen}, ${size}: ${JSON.stringify(last)}`, { cause: error }); });
            if (screen === 'phone') assert.equal(last.width, viewport.width - 12 - await page.$eval('#grid', (e) => e.offsetWidth - e.clientWidth));
          }
          await done(page);
        }
      });
    }

    test('what is out of view asks for nothing, and nor does a hidden page', async () => {
      const page = await open(16, { viewport: kScreens.phone, hash: '#wall' });
      await waitFor('the first again', async () => await asked(page, 'c1') >= 2 && await asked(page, 'c1', 'status') >= 1);
      assert.deepEqual([await asked(page, 'c16'), await asked(page, 'c16', 'status')], [0, 0]);
      await page.$eval('#grid', (grid) => grid.scrollTo(0, grid.scrollHeight));
      await waitFor('the last', async () => await asked(page, 'c16') >= 1);
      const before = [await asked(page, 'c1'), await asked(page, 'c1', 'status')];
      await waitFor('the last again', async () => await asked(page, 'c16') >= 3 && await asked(page, 'c16', 'status') >= 2);
      assert.deepEqual([await asked(page, 'c1'), await asked(page, 'c1', 'status')], before);
      await hide(page, true);
      const count = () => page.evaluate(() => window.asked.length);
      const atHiding = await count();
      const begun = Date.now();
      await waitFor('more than both intervals', () => Date.now() - begun > 5500);
      assert.equal(await count(), atHiding);
      await hide(page, false);
      await waitFor('requests', async () => (await count()) > atHiding);
      await done(page);
    });

    test('first pictures are asked for one after the other, each once until it has come', async () => {
      let page;
      const stills = () => page.evaluate(() => window.asked.filter(({ what }) => what === 'pi.jpg'));
      // Fifteen times 150 ms, of one page that did not stand still meanwhile.
      const spans = [];
      while (!spans.some((ms) => ms > 1000)) {
        assert.ok(spans.length < kLoads, `${spans} ms`);
        await page?.close();
        page = await open(16, { hold: true });
        await waitFor('all', async () => (await stills()).length >= 16);
        const all = await stills();
        assert.equal(new Set(all.map((one) => one.name)).size, 16);
        spans.push(all[15].at - all[0].at);
      }
      const begun = Date.now();
      await waitFor('more than an interval', () => Date.now() - begun > 5500);
      assert.equal((await stills()).length, 16);
      await done(page);
    });

    test('a tile opens in place by mouse and keyboard; close, Escape and Back close it', async () => {
      const page = await open(3);
      await pictures(page, 3);
      await page.click('.tile:nth-child(2)');
      await waitFor('the tile', async () => (await opened(page)) === 'Garage');
      assert.equal(await hash(page), '#c2');
      assert.equal(await focused(page), 'close');
      assert.equal(await page.title(), 'Garage');
      assert.equal(await page.$eval('#live', (e) => new URL(e.href).pathname), '/c2/stream');
      const small = await page.$$eval('#bar > *', (all) => all.filter((e) => e.offsetHeight < 44 || e.offsetWidth < 44).map((e) => e.id));
      assert.deepEqual(small, []);
      // It is fresher, and the others rest.
      const [other, begun] = [await asked(page, 'c1'), await asked(page, 'c2')];
      await waitFor('three more', async () => await asked(page, 'c2') >= begun + 3);
      const at = await page.evaluate(() => window.asked.filter((one) => one.name === 'c2' && one.what === 'pi.jpg').map((one) => one.at).slice(-2));
      assert.ok(at[1] - at[0] > 900, `${at}`);
      assert.equal(await asked(page, 'c1'), other);
      await axe(page);
      await page.keyboard.press('ArrowRight');
      await waitFor('the next', async () => (await opened(page)) === 'Garden');
      await page.keyboard.press('ArrowRight');
      await waitFor('the first', async () => (await opened(page)) === 'Front door');
      await page.keyboard.press('ArrowLeft');
      await page.click('#previous');
      await waitFor('the tile', async () => (await opened(page)) === 'Garage');
      await page.focus('#close');
      await page.keyboard.press('Escape');
      await waitFor('the grid', async () => (await opened(page)) === '');
      assert.equal(await focused(page), 'Garage');
      assert.equal(await hash(page), '');
      // By Enter, as a link is followed.
      await page.keyboard.press('Enter');
      await waitFor('the tile', async () => (await opened(page)) === 'Garage');
      await page.evaluate(() => history.back());
      await waitFor('the grid', async () => (await opened(page)) === '');
      await page.evaluate(() => history.forward());
      await waitFor('the tile', async () => (await opened(page)) === 'Garage');
      await page.click('#close');
      await waitFor('the grid', async () => (await opened(page)) === '');
      await waitFor('the others', async () => await asked(page, 'c1') > other);
      assert.deepEqual((await geometry(page)).wrong, []);
      // What is not a plain click is the browser's.
      assert.equal(await page.evaluate(() => {
        const click = new MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey: true });
        let taken;
        document.addEventListener('click', (event) => {
          taken = event.defaultPrevented;
          event.preventDefault();
        }, { once: true });
        document.querySelector('.tile').dispatchEvent(click);
        return taken;
      }), false);
      assert.equal(await page.$eval('.tile', (e) => e.getAttribute('href')), 'c1/');
      await done(page);
    });

    test('a tile opens by its address, and by a finger', async () => {
      const page = await open(3, { hash: '#c3', viewport: name === 'chrome' ? { ...kScreens.phone, ...kFinger } : kScreens.phone });
      await waitFor('the tile', async () => (await opened(page)) === 'Garden');
      await page.keyboard.press('Escape');
      await waitFor('the grid', async () => (await opened(page)) === '');
      assert.equal(await page.evaluate(() => location.href), `${site.url}/overview.html`);
      await pictures(page, 3);
      // WebDriver's touch wants a display that has one.
      const tap = async (selector) => (name === 'chrome' ? (await page.$(selector)).tap() : page.click(selector));
      await tap('.tile');
      await waitFor('the tile', async () => (await opened(page)) === 'Front door');
      await tap('#next');
      await waitFor('the next', async () => (await opened(page)) === 'Garage');
      await tap('#close');
      await waitFor('the grid', async () => (await opened(page)) === '');
      await done(page);
    });

    test('the wall: pictures alone, the screen kept on, until Escape', async () => {
      const page = await open(3);
      await pictures(page, 3);
      const locks = () => page.evaluate(() => window.locks.map(({ type, released }) => `${type}${released ? ' released' : ''}`));
      assert.deepEqual(await locks(), []);
      await page.click('#wall');
      await waitFor('full screen', () => page.evaluate(() => document.fullscreenElement === document.documentElement));
      assert.deepEqual(await locks(), ['screen']);
      await waitFor('no controls', async () => (await visible(page)).length === 0);
      assert.equal(await page.$eval('.tile', (e) => getComputedStyle(e).cursor), 'none');
      assert.ok(await page.evaluate(() => document.querySelector('main').offsetHeight === innerHeight));
      await hide(page, true);
      await waitFor('no lock', async () => (await locks())[0] === 'screen released');
      await hide(page, false);
      await waitFor('another', async () => (await locks()).join() === 'screen released,screen');
      const begun = await asked(page, 'c2');
      await waitFor('two more', async () => await asked(page, 'c2') >= begun + 3);
      const at = await page.evaluate(() => window.asked.filter((one) => one.name === 'c2' && one.what === 'pi.jpg').map((one) => one.at).slice(-2));
      assert.ok(at[1] - at[0] > 1900, `${at}`);
      await page.keyboard.press('Escape');
      await waitFor('the grid', async () => (await visible(page)).join() === 'top');
      await waitFor('no full screen', () => page.evaluate(() => !document.fullscreenElement));
      assert.equal(await hash(page), '');
      assert.equal(await focused(page), 'wall');
      await waitFor('no lock', async () => (await locks()).every((lock) => lock === 'screen released'));
      await done(page);
    });

    test('the wall by its address: a tap shows how to leave; what is wrong stays in view', async () => {
      const page = await open(3, { hash: '#wall' });
      await pictures(page, 3);
      assert.deepEqual(await visible(page), []);
      assert.deepEqual(await page.evaluate(() => window.locks.length), 1);
      await page.evaluate(() => { window.broken = { c2: 'the cable is unplugged' }; });
      const tile = () => page.$eval('.tile:nth-child(2)', (e) => [e.querySelector('img').hidden, e.querySelector('.state').textContent].join());
      await waitFor('the reason', async () => (await tile()) === 'true,The camera is not available: the cable is unplugged.');
      await page.evaluate(() => { window.broken = {}; });
      await waitFor('the picture', async () => (await tile()) === 'false,Idle');
      // It is shown for some seconds only.
      await waitFor('how to leave', async () => {
        await page.mouse.click(600, 400);
        return (await visible(page)).join() === 'close';
      });
      assert.equal(await opened(page), '', 'the wall\'s tiles do not open');
      await axe(page);
      await page.click('#close');
      await waitFor('the grid', async () => (await visible(page)).join() === 'top');
      await done(page);
    });

    test('axe finds nothing serious; in German', async () => {
      const page = await open(9, { language: 'de-AT' });
      await pictures(page, 9);
      await axe(page);
      assert.equal(await page.$eval('#wall', (e) => e.getAttribute('aria-label')), 'Wandanzeige');
      assert.equal(await page.$eval('#close', (e) => e.getAttribute('aria-label')), 'Schließen');
      assert.equal(await message(page), '');
      await done(page);
    });

    test('screenshots', { skip: name !== 'chrome' && 'one browser\'s are enough' }, async () => {
      const take = async (label, count, screen, { scheme = 'dark', broken = {}, ...rest } = {}) => {
        const viewport = /phone|lying/.test(screen) ? { ...kScreens[screen], ...kFinger } : kScreens[screen];
        const page = await open(count, { viewport, scheme, ...rest });
        await pictures(page, rest.hash?.startsWith('#c') ? 1 : Math.min(count, 2));
        await page.evaluate((wrong) => { window.broken = wrong; }, broken);
        await waitFor('all in view', () => page.$$eval('.tile', (all) => all.every((tile) => tile.querySelector('.state').textContent
          || !tile.checkVisibility({ visibilityProperty: true }) || tile.getBoundingClientRect().top > innerHeight)));
        if (Object.keys(broken).length) await waitFor('what is wrong', () => page.$$eval('.state', (all) => all.some((e) => /unplugged/.test(e.textContent))));
        await page.screenshot({ path: path.join(shots, `overview-${label}.png`) });
        await page.close();
      };
      await take('1-desktop-light', 1, 'desktop', { scheme: 'light' });
      await take('3-desktop-dark', 3, 'desktop', { size: [640, 360] });
      await take('9-desktop-light', 9, 'desktop', { scheme: 'light', broken: { c5: 'the cable is unplugged' } });
      await take('16-desktop-dark', 16, 'desktop', { size: [640, 360] });
      await take('3-phone-light', 3, 'phone', { scheme: 'light' });
      await take('9-lying-dark', 9, 'lying');
      await take('open-desktop-dark', 3, 'desktop', { hash: '#c2' });
      await take('open-phone-dark', 3, 'phone', { hash: '#c2' });
      await take('wall-tablet', 9, 'tablet', { hash: '#wall' });
    });
  });
}
