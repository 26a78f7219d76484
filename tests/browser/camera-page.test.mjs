// A camera's page as one: live and stills without another page, the bar that goes away and comes back, its menu, the panels
// one at a time, and how all of it lies on each screen. Screenshots go to build/screenshots.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lockIsFree, Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, kDevices, kSchemes, launch, pixels, prefer, shots, tap, tapOn, waitChanges, waitNoMessage } from './browser.mjs';
import { seriousFaults, waitLiesWell } from './panel-layout.mjs';

const kAwayMs = 3500; // as bar.js has it

// The bar goes when the test says, and not when a busy machine comes to press one of its buttons.
const holdBar = (fresh) => fresh.evaluateOnNewDocument((awayMs) => {
  const { setTimeout: real } = window;
  window.setTimeout = (call, ms, ...rest) => {
    if (ms !== awayMs) return real(call, ms, ...rest);
    window.leave = call;
    return 0;
  };
}, kAwayMs);
const isQuiet = (page) => page.evaluate(() => document.body.classList.contains('quiet'));
const waitBar = (page) => waitFor('the bar', async () => !await isQuiet(page));
const leave = (page) => waitFor('the bar to go', async () => {
  await page.evaluate(() => window.leave?.());
  return isQuiet(page);
}, 60000);
// The bar does not go when it is time to.
async function stays(page, why) {
  await waitBar(page);
  await page.evaluate(() => window.leave());
  assert.equal(await isQuiet(page), false, why);
}
const open = (panel) => async (page) => {
  await page.evaluate((name) => { location.hash = name; }, panel);
  await page.waitForSelector(panel === 'figures' ? '#summary' : '#controls .group');
};
const hidden = (page, id) => page.$eval(`#${id}`, (e) => e.hidden);

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let program;
    before(async () => {
      site = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '1s', '--stream.size', '640x480', '--snapshot.size', '640x480'], { controls: true });
      program = await launch(name);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
    });
    const start = async (target, { prepare, ...options } = {}) => {
      const page = await program.open(site.url + target, { ...options, prepare: async (fresh) => {
        await holdBar(fresh);
        await prepare?.(fresh);
      } });
      await waitChanges(page, 2);
      return page;
    };
    const done = async (page) => {
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    };

    test('from live to stills and back: no other page, never without a picture, and the other one ends', async () => {
      const page = await start('/stream');
      await page.evaluate(() => {
        window.same = true;
        window.blank = 0;
        const look = () => {
          if ([...document.querySelectorAll('#stage > *')].every((one) => one.hidden || one.tagName === 'NOSCRIPT')) window.blank += 1;
          requestAnimationFrame(look);
        };
        look();
      });
      await page.click('nav a[href="index.html"]');
      await waitFor('its address', async () => (await page.evaluate(() => location.href)) === `${site.url}/index.html`);
      await waitFor('a still', async () => !(await hidden(page, 'still')) && await hidden(page, 'picture'));
      await waitFor('the stream to end', async () => (await site.status()).viewers.total === 0);
      assert.match(await page.$eval('#caption', (e) => e.textContent), /^(Taken|Live)/);
      await waitFor('when it was taken', () => page.$eval('#caption', (e) => /Taken at .* ago/.test(e.textContent)));
      assert.deepEqual(await page.$$eval('nav a[aria-current]', (all) => all.map((e) => e.textContent)), ['Stills']);
      assert.deepEqual([await page.$eval('#rate', (e) => e.offsetHeight > 0), await page.$eval('#every', (e) => e.offsetHeight > 0)], [false, true]);
      await page.evaluate(() => history.back());
      await waitFor('the live picture', async () => await hidden(page, 'still') && !(await hidden(page, 'picture')));
      assert.equal(await page.evaluate(() => location.href), `${site.url}/stream`);
      await waitChanges(page, 3);
      // Paused it stands; the other one does not begin paused.
      await page.keyboard.press(' ');
      await waitFor('the camera to close', () => lockIsFree(site));
      await page.click('nav a[href="index.html"]');
      await waitChanges(page, 2);
      assert.equal(await page.$eval('#pause', (e) => e.getAttribute('aria-pressed')), 'false');
      assert.deepEqual(await page.evaluate(() => [window.same, window.blank]), [true, 0]);
      await done(page);
    });

    test('the bar goes while nobody uses it, and comes with the mouse and with a key', async () => {
      // By its own time; it may have gone again when a busy machine comes to look.
      const page = await program.open(`${site.url}/stream`);
      await waitChanges(page, 2);
      const opacity = () => page.$eval('#bar', (e) => getComputedStyle(e).opacity);
      const waitGone = () => waitFor('it to fade', async () => await isQuiet(page) && (await opacity()) === '0', 60000);
      let x = 300;
      await page.mouse.move(x, 200);
      await waitGone();
      await waitFor('it to come', async () => {
        if (await isQuiet(page)) await page.mouse.move(x += 1, 200);
        return !await isQuiet(page) && (await opacity()) === '1';
      }, 60000);
      await waitGone();
      await waitFor('it to come', async () => {
        if (await isQuiet(page)) await page.keyboard.press('Tab');
        return !await isQuiet(page);
      });
      await page.evaluate(() => document.activeElement.blur());
      await waitGone();
      await done(page);
    });

    test('reached by Tab the bar stays, for the focus is seen', async () => {
      const page = await start('/stream');
      await page.mouse.move(300, 200);
      await leave(page);
      await page.keyboard.press('Tab');
      await waitBar(page);
      await page.focus('#pause');
      await page.keyboard.press('Shift');
      await stays(page, 'the focus is in it');
      await page.evaluate(() => document.activeElement.blur());
      await leave(page);
      await done(page);
    });

    test('it stays while its menu is open, while the picture is paused, and while something is wrong', async () => {
      const page = await start('/stream');
      await page.click('#view');
      await page.mouse.move(300, 200);
      await stays(page, 'the menu is open');
      await page.mouse.click(300, 200);
      await waitFor('no menu', () => hidden(page, 'view-menu'));
      await page.keyboard.press(' ');
      await waitFor('the pause', () => page.$eval('#pause', (e) => e.getAttribute('aria-pressed') === 'true'));
      await stays(page, 'it is paused');
      await page.keyboard.press(' ');
      await page.evaluate(() => document.activeElement.blur());
      await leave(page);
      await site.streamd.end('SIGKILL');
      try {
        await waitBar(page);
        await stays(page, 'the server is gone');
      } finally {
        await site.startStreamd();
      }
      await waitNoMessage(page);
      await leave(page);
      page.errors = [];
      await done(page);
    });

    test('the view\'s menu: each of its buttons, and the keys beside it', async () => {
      const page = await start('/stream');
      const transform = () => page.$eval('#picture', (e) => e.style.transform);
      await page.click('#view');
      for (const [id, what] of [['turn', /rotate\(90deg\)/], ['mirror', /scaleX\(-1\)/], ['closer', /scale\(1\.25\)/], ['whole', /scale\(1\) /], ['fill', /./]]) {
        await page.click(`#${id}`);
        await waitFor(id, async () => what.test(await transform()));
      }
      assert.equal(await page.$eval('#picture', (e) => e.style.objectFit), 'cover');
      assert.equal(await page.$eval('#view', (e) => e.getAttribute('aria-expanded')), 'true');
      await page.keyboard.press('Escape');
      assert.equal(await page.$eval('#view', (e) => e.getAttribute('aria-expanded')), 'false');
      await done(page);
    });

    test('panels: one at a time, in the address, kept across a reload, gone when they are closed', async () => {
      const page = await start('/stream#figures');
      await page.waitForSelector('#summary');
      const state = async () => [await hidden(page, 'figures-panel'), await hidden(page, 'controls'), new URL(page.url()).hash].join(' ');
      assert.equal(await state(), 'false true #figures');
      await waitFor('the controls\' button', async () => !(await hidden(page, 'adjust')));
      await page.click('#adjust');
      await waitFor('the other one', async () => (await state()) === 'true false #controls');
      await page.goto(`${site.url}/stream`);
      await waitFor('it again', async () => (await state()) === 'true false #controls');
      // As well beside the stills.
      await page.click('nav a[href="index.html"]');
      await waitFor('a still', async () => !(await hidden(page, 'still')));
      assert.equal(await state(), 'true false #controls');
      await page.click('#controls .close');
      await waitFor('none', async () => (await state()) === 'true true ');
      await page.reload();
      await waitChanges(page, 2);
      assert.equal(await state(), 'true true ');
      await done(page);
    });

    test('the figures: drawn, said to a screen reader, right, and for operators what the server does', async (t) => {
      const slow = await Site.start(['--stream.size', '640x480', '--stream.fps', '10'], { controls: true }); // a busy machine keeps up with it
      t.after(() => slow.stop());
      const page = await program.open(`${slow.url}/stream#figures`);
      await page.waitForSelector('#summary');
      await waitFor('the frame rate', () => page.$eval('#summary', (e) => /^(9|10)\.\d fps/.test(e.textContent)), 60000);
      const charts = () => page.$$eval('#figures-panel .plot', (all) => all.map((e) => e.getAttribute('aria-label')));
      await waitFor('four charts that say something', async () => {
        const said = await charts();
        return said.length === 4 && said.every((words) => /\d/.test(words));
      });
      await waitFor('what operators want to know', () => page.$eval('#figures-panel', (e) => /H\.264|JPEG/.test(e.textContent) && /Viewers/i.test(e.textContent) && /640/.test(e.textContent)));
      assert.deepEqual(await seriousFaults(page), []);
      await done(page);
    });

    for (const [device, viewport] of Object.entries(kDevices)) {
      test(`how it lies on a ${device} screen`, async () => {
        // One after the other, each from what the one before has left.
        const states = {
          live: () => {},
          view: (page) => page.click('#view'),
          figures: open('figures'),
          controls: open('controls'),
          stills: async (page) => {
            await page.click('#controls .close');
            await page.click('nav a[href="index.html"]');
            await waitFor('a still', async () => !(await hidden(page, 'still')));
          },
          // The longest sentence there is, with what to do.
          fault: async (page) => {
            await page.evaluate(() => { window.WebSocket = class { close() {} }; });
            await page.click('nav a[href="stream"]');
            await waitFor('a sentence', async () => !(await hidden(page, 'notice')));
            await page.evaluate(() => {
              document.getElementById('message').textContent = 'The camera is not available: no camera is connected to this machine. The picture comes back as soon as it is.';
              document.getElementById('remedy').hidden = false;
              document.getElementById('remedy').textContent = 'Details';
            });
          },
        };
        for (const scheme of kSchemes[name]) {
          const page = await start('/stream', { viewport, prepare: (fresh) => (kSchemes[name].length > 1 ? prefer(fresh, scheme) : null) });
          await waitFor('the controls\' button', () => page.$eval('#adjust', (e) => !e.hidden));
          for (const [state, make] of Object.entries(states)) {
            await page.mouse.move(10, 100 + state.length);
            await make(page);
            await waitFor('the picture', () => pixels(page));
            await waitLiesWell(page, `${state}, ${scheme}`);
            if (device !== 'small' && (name === 'chrome' || device === 'desktop')) await page.screenshot({ path: path.join(shots, `page-${state}-${device}-${scheme}-${name}.png`) });
          }
          await done(page);
        }
      });
    }
  });
}

// A phone, as each browser can be told to be one.
const kPhone = {
  chrome: { viewport: { ...kDevices.phone, isMobile: true, hasTouch: true } },
  firefox: { viewport: kDevices.phone, prefs: { 'dom.w3c_touch_events.enabled': 1, 'ui.primaryPointerCapabilities': 1, 'ui.allPointerCapabilities': 1 } },
};
for (const [name, { viewport, prefs }] of Object.entries(kPhone)) {
  test(`fingers, ${name}: a tap brings the bar, and presses nothing of it that was not seen`, { skip: !kBrowsers[name] && `${name} is not installed` }, async () => {
    const site = await Site.start();
    const program = await launch(name, { prefs });
    try {
      const page = await program.open(`${site.url}/stream`, { viewport, prepare: holdBar });
      assert.equal(await page.evaluate(() => matchMedia('(hover: none)').matches), true);
      await waitChanges(page, 2);
      const pressed = () => page.$eval('#pause', (e) => e.getAttribute('aria-pressed'));
      await leave(page);
      await tapOn(page, '#pause');
      await waitBar(page);
      assert.equal(await pressed(), 'false');
      await tapOn(page, '#pause');
      await waitFor('the pause', async () => (await pressed()) === 'true');
      await tapOn(page, '#pause');
      await waitFor('no pause', async () => (await pressed()) === 'false');
      // The menu, by taps alone; while it is open the bar stays.
      await tapOn(page, '#view');
      await waitFor('the menu', async () => !(await hidden(page, 'view-menu')));
      await stays(page, 'the menu is open');
      await tapOn(page, '#turn');
      await waitFor('the turn', () => page.$eval('#picture', (e) => e.style.transform.includes('rotate(90deg)')));
      await tap(page, 200, 100);
      await waitFor('no menu', () => hidden(page, 'view-menu'));
      // What is in a panel is seen all the time.
      await open('figures')(page);
      await leave(page);
      await tapOn(page, '#figures-panel .close');
      await waitFor('no panel', () => hidden(page, 'figures-panel'));
      assert.deepEqual(page.errors, []);
    } finally {
      await program.close();
      await site.stop();
    }
  });
}
