// The panel of the camera's controls beside the live picture, with the test card's: what a slider does to the picture and
// how soon; two people at once; undo, reset and presets; pointing; where it lies; who sees it; who can use it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Site, slowness, waitFor } from '../integration/harness.mjs';
import { hear, kBrowsers, launch, shots, waitChanges, waitHeard } from './browser.mjs';
import { layoutFaults, seriousFaults } from './panel-layout.mjs';

const kSeenMs = 500; // from a key to the changed picture, beside what the camera takes
const kCameraMs = 200; // the test card's: the frames that are on their way
const kChangesPerSecond = 4;
const kPhone = { width: 390, height: 844 };

// The colours of the bars, at an eighth of the picture's height: nothing moves there by itself.
const bars = (page) => waitFor('the pixels', () => page.evaluate(() => {
  const canvas = document.getElementById('picture');
  const copy = document.createElement('canvas');
  copy.width = 80;
  copy.height = 1;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, canvas.height / 8, canvas.width, 1, 0, 0, 80, 1);
  const { data } = context.getImageData(0, 0, 80, 1);
  return data[3] === 0 ? null : [...data].filter((_, i) => i % 40 === 20 || i % 40 === 21 || i % 40 === 22);
}));
const differ = (one, other) => one.some((value, i) => Math.abs(value - other[i]) > 8);

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let program;
    before(async () => {
      site = await Site.start(['--stream.size', '640x480', '--snapshot.size', '640x480'], { controls: true });
      program = await launch(name);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
    });

    const ask = () => fetch(`${site.url}/controls`).then((answer) => answer.json());
    const post = (target, method, body) => fetch(site.url + target, {
      method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', 'If-Match': '*' },
    });
    const wanted = async (control) => (await ask()).controls[control].wanted;
    const waitWanted = (control, value) => waitFor(`${control} to be ${value}`, async () => JSON.stringify(await wanted(control)) === JSON.stringify(value));

    // A page with the panel open, as the address says.
    const open = async (options = {}, by = program) => {
      const page = await by.open(`${site.url}/stream#controls`, options);
      await page.waitForSelector('#controls .group');
      await waitFor('the picture', () => page.$eval('#picture', (e) => !e.hidden));
      return page;
    };
    const done = async (page) => {
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    };
    // The slider of a control, with its group's rest unfolded.
    const slider = async (page, control) => {
      await page.$eval(`[data-name="${control}"]`, (e) => { for (let up = e; up; up = up.parentElement) if (up.tagName === 'DETAILS') up.open = true; });
      await page.focus(`[data-name="${control}"] input[type=range]`);
    };
    // In place of what a number's field has, as a person does it: what comes of the server meanwhile is not put there.
    const type = async (page, control, words) => {
      await page.$eval(`#control-${control}-number`, (e) => {
        e.value = '';
        e.dispatchEvent(new Event('input'));
      });
      await page.type(`#control-${control}-number`, words);
      await page.keyboard.press('Enter');
    };
    const shown = (page, control) => page.$eval(`[data-name="${control}"] input[type=number]`, (e) => Number(e.value));

    beforeEach(async () => {
      await waitFor('a reset', async () => (await post('/controls/reset', 'POST', {})).status === 200);
      const { presets } = await ask();
      for (const preset of Object.keys(presets)) {
        await waitFor('no preset', async () => (await post('/controls', 'PATCH', { presets: { [preset]: null } })).status === 200);
      }
    });

    test('a slider by key changes the picture, and how soon', async (t) => {
      const page = await open();
      const begun = Date.now();
      const took = [];
      await slider(page, 'Brightness');
      // As a person sees it, by a picture of the screen. Firefox leaves the canvas out of it now and then: that is none.
      const stage = await (await page.$('#stage')).boundingBox();
      const shot = async () => Buffer.from(await page.screenshot({ clip: { x: stage.x + stage.width / 2 - 8, y: stage.y + stage.height / 3, width: 16, height: 4 } }));
      await page.$eval('#picture', (e) => { e.style.visibility = 'hidden'; });
      const nothing = await shot();
      await page.$eval('#picture', (e) => { e.style.visibility = ''; });
      const look = () => waitFor('a picture', async () => {
        const seen = await shot();
        return seen.equals(nothing) ? null : seen;
      });
      // White, and as it was: black would look like nothing.
      for (const key of ['End', 'Delete', 'End', 'Delete']) {
        const before = await look();
        const pressed = performance.now();
        await page.keyboard.press(key);
        await waitFor('another picture', async () => !(await look()).equals(before));
        took.push(performance.now() - pressed);
        await waitWanted('Brightness', key === 'End' ? 1 : 0);
        await new Promise((resolve) => { setTimeout(resolve, 400); }); // each is the first change for a while
      }
      t.diagnostic(`from the key to the changed picture, with the time that the screen's picture takes: ${took.map((ms) => ms.toFixed(0)).join(', ')} ms`);
      const slower = slowness(begun);
      assert.ok(took.sort((a, b) => a - b)[1] <= (kSeenMs + kCameraMs) * slower, `${took} ms, on a machine that is ${slower.toFixed(1)} times slower`);
      assert.equal(await page.$eval('#control-Brightness', (e) => e.getAttribute('aria-valuetext')), '0');
      await done(page);
    });

    test('a slider that is dragged: a few changes a second, the last of them where it is let go', async () => {
      const page = await open();
      const changes = [];
      page.on('request', (request) => { if (request.method() === 'PATCH') changes.push(Date.now()); });
      const box = await (await page.$('#control-Brightness')).boundingBox();
      const middle = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width / 2, middle);
      await page.mouse.down();
      const begun = Date.now();
      for (let i = 0; changes.length < 3 || Date.now() - begun < 1500; ++i) {
        assert.ok(Date.now() - begun < 20000, `${changes.length} changes`);
        await page.mouse.move(box.x + box.width * (0.5 + 0.2 * Math.sin(i / 5)), middle);
        await new Promise((resolve) => { setTimeout(resolve, 15); });
      }
      await page.mouse.move(box.x + box.width * 0.75, middle);
      const held = await waitFor('where it is held', () => page.$eval('#control-Brightness', (e) => e.value > 0.47 && Number(e.value))); // the moves before went to 0.44
      const seconds = (Date.now() - begun) / 1000;
      await page.mouse.up();
      await waitWanted('Brightness', held);
      assert.equal(await page.$eval('#control-Brightness', (e) => Number(e.value)), held);
      assert.ok(changes.length <= kChangesPerSecond * (seconds + 0.5) + 2, `${changes.length} in ${seconds} s`);
      await done(page);
    });

    test('numbers, choices and switches; what has no effect says why, and what the camera refuses', async () => {
      const page = await open();
      await type(page, 'Brightness', '0.25');
      await waitWanted('Brightness', 0.25);
      await type(page, 'Brightness', '7');
      await waitFor('the reason', () => page.$eval('[data-name=Brightness] .note', (e) => e.textContent.startsWith('Allowed')));
      await waitFor('what is wanted', async () => (await shown(page, 'Brightness')) === 0.25);
      page.errors = page.errors.filter((error) => !/422/.test(error)); // the browser's own line about it

      const time = '[data-name=ExposureTime]';
      assert.equal(await page.$eval(`${time} input[type=range]`, (e) => e.disabled), true);
      assert.match(await page.$eval(`${time} .note`, (e) => e.textContent), /Exposure mode is Auto/);
      assert.equal(await page.$eval(`${time} input[type=range]`, (e) => document.getElementById(e.getAttribute('aria-describedby')).className), 'note');
      await page.focus('#control-ExposureTimeMode-Auto');
      await page.keyboard.press('ArrowRight');
      await waitWanted('ExposureTimeMode', 'Manual');
      await waitFor('it to be free', () => page.$eval(`${time} input[type=range]`, (e) => !e.disabled));
      // What is allowed is said in what the field shows.
      await type(page, 'ExposureTime', '100000');
      await waitFor('the reason', () => page.$eval(`${time} .note`, (e) => e.textContent === 'Allowed: 0.1 to 4000'));
      page.errors = page.errors.filter((error) => !/422/.test(error));
      await type(page, 'ExposureTime', '50');
      await waitWanted('ExposureTime', 50000);
      // Somebody else locks what has the focus: it stays there, at the reason, and comes back to what is free again.
      await page.focus(`${time} input[type=range]`);
      await post('/controls', 'PATCH', { ExposureTimeMode: 'Auto' });
      await waitFor('the focus at the reason', () => page.$eval(`${time} .note`, (e) => e === document.activeElement && /Auto/.test(e.textContent)));
      await post('/controls', 'PATCH', { ExposureTimeMode: 'Manual' });
      await waitFor('the focus at the slider', () => page.$eval(`${time} input[type=range]`, (e) => e === document.activeElement));
      await page.$eval('#control-AwbEnable', (e) => e.focus());
      await page.keyboard.press(' ');
      await waitWanted('AwbEnable', false);
      // Delete is as nobody wished.
      await page.keyboard.press('Delete');
      await waitFor('no wish', async () => !(await ask()).controls.AwbEnable.set);
      await page.focus('[data-name=Brightness] .reset');
      await page.keyboard.press('Enter');
      await waitFor('no wish', async () => !(await ask()).controls.Brightness.set);
      await done(page);
    });

    test('two people at once: both changes hold, and both see them', async () => {
      const page = await open();
      const second = await launch(name);
      try {
        const other = await open({}, second);
        await Promise.all([slider(page, 'Brightness'), slider(other, 'Saturation')]);
        await Promise.all([page.keyboard.press('End'), other.keyboard.press('Home')]);
        await Promise.all([waitWanted('Brightness', 1), waitWanted('Saturation', 0)]);
        for (const one of [page, other]) {
          await waitFor('both values', async () => (await shown(one, 'Brightness')) === 1 && (await shown(one, 'Saturation')) === 0);
        }
        // The same control: one of them is the last, and both say so.
        await slider(other, 'Brightness');
        await Promise.all([page.keyboard.press('Home'), other.keyboard.press('ArrowLeft')]);
        await waitFor('one value', async () => {
          const value = await wanted('Brightness');
          return value !== 1 && (await shown(page, 'Brightness')) === value && (await shown(other, 'Brightness')) === value;
        });
        await other.close();
      } finally {
        await second.close();
      }
      page.errors = page.errors.filter((error) => !/412|429/.test(error));
      await done(page);
    });

    test('undo by key, reset of all, presets by name, what auto found', async () => {
      const page = await open();
      await slider(page, 'Brightness');
      await page.keyboard.press('End');
      await waitWanted('Brightness', 1);
      await page.evaluate(hear, '#controls [role=status]');
      await page.keyboard.press('z');
      await waitFor('no wish', async () => !(await ask()).controls.Brightness.set);
      await waitHeard(page, /Taken back: Brightness/);

      await slider(page, 'Brightness');
      await page.keyboard.press('Home');
      await waitWanted('Brightness', -1);
      await page.$eval('#controls .presets', (e) => { e.open = true; });
      await page.type('#preset-name', 'Night');
      await page.keyboard.press('Enter');
      await waitFor('the preset', async () => (await ask()).presets.night?.Brightness === -1);
      // The server counts bytes, and says so.
      await page.type('#preset-name', 'ü'.repeat(20));
      await page.keyboard.press('Enter');
      await waitHeard(page, /1 to 32 bytes/);
      page.errors = page.errors.filter((error) => !/422/.test(error));
      const chip = (words) => page.evaluate((wantedWords) => [...document.querySelectorAll('#controls .chips button')].find((e) => e.textContent === wantedWords)?.click() ?? false, words);
      await page.$eval('#controls .all', (e) => {
        e.open = true;
        e.querySelector('button').click();
      });
      await waitFor('no wish', async () => Object.values((await ask()).controls).every(({ set }) => !set));
      await chip('Night');
      await waitWanted('Brightness', -1);
      await chip('Delete Night');
      await waitFor('no preset', async () => Object.keys((await ask()).presets).length === 0);
      await chip('Keep what auto found');
      await waitWanted('ExposureTimeMode', 'Manual');
      const { controls } = await ask();
      assert.ok(controls.ExposureTime.set && controls.AnalogueGain.set && controls.ColourGains.set);
      assert.deepEqual([controls.AnalogueGainMode.wanted, controls.AwbEnable.wanted, controls.AfMode.wanted], ['Manual', false, 'Manual']);
      await page.focus('#controls h2');
      await page.keyboard.press('z');
      await waitWanted('ExposureTimeMode', 'Auto');
      await done(page);
    });

    test('pointing at the picture zooms there, also when it is turned', async () => {
      const page = await open();
      const before_ = await bars(page);
      const press = (value) => page.$eval(`#point-${value}`, (e) => e.click());
      await press('zoom');
      // Whole on the stage, 4:3: where a quarter of its width and height is.
      const place = (x, y, turned = false) => page.$eval('#stage', (e, u, v, sideways) => {
        const box = e.getBoundingClientRect();
        const scale = Math.min(box.width / (sideways ? 3 : 4), box.height / (sideways ? 4 : 3));
        return [box.left + box.width / 2 + (u - 0.5) * scale * (sideways ? 3 : 4), box.top + box.height / 2 + (v - 0.5) * scale * (sideways ? 4 : 3)];
      }, x, y, turned);
      const near = async (centre) => (await wanted('ZoomCentre')).every((value, i) => Math.abs(value - centre[i]) < 0.02);
      await page.mouse.click(...await place(0.25, 0.75));
      await waitWanted('Zoom', 1.5);
      await waitFor('the middle', () => near([0.25, 0.75]));
      await waitFor('another picture', async () => differ(before_, await bars(page)));
      await post('/controls/reset', 'POST', {});
      await waitFor('the whole picture', async () => (await shown(page, 'Zoom')) === 1);
      await page.keyboard.press('r');
      // Turned clockwise, what is seen at the top right was at the top left.
      await page.mouse.click(...await place(0.75, 0.25, true));
      await waitFor('the middle', () => near([0.25, 0.25]));
      // Without a hand on the picture: its ninths are the keys'. The focus goes there, too.
      await page.focus('#controls h2');
      await page.keyboard.press('9');
      await waitFor('the middle', () => near([0.556, 0.111]));
      await press('focus');
      await page.evaluate(() => {
        const real = window.fetch;
        window.fetch = (target, options) => {
          if (String(target).endsWith('controls/focus')) window.focused = options.body;
          return real(target, options);
        };
      });
      await page.keyboard.press('1');
      const focused = JSON.parse(await waitFor('the focus', () => page.evaluate(() => window.focused)));
      assert.ok(Math.abs(focused.x - 1 / 6) < 0.01 && Math.abs(focused.y - 5 / 6) < 0.01, JSON.stringify(focused));
      await press('view');
      const there = await wanted('ZoomCentre');
      await page.keyboard.press('5');
      await page.mouse.click(...await place(0.5, 0.5, true));
      await page.focus('#controls h2');
      await page.keyboard.press('Escape');
      assert.deepEqual(await wanted('ZoomCentre'), there, 'neither a tap nor a key points any more');
      await done(page);
    });

    test('by keyboard: o opens, Escape closes and gives the focus back; open or not is remembered', async () => {
      const page = await program.open(`${site.url}/stream`);
      await waitFor('the button', () => page.$eval('#adjust', (e) => !e.hidden));
      const state = () => page.evaluate(() => [document.getElementById('adjust').getAttribute('aria-expanded'), document.getElementById('controls').hidden]);
      assert.deepEqual(await state(), ['false', true]);
      assert.ok(!(await page.evaluate(() => performance.getEntriesByType('resource').some((e) => e.name.endsWith('/panel.js')))), 'loaded when it is opened');
      await page.keyboard.press('o');
      await waitFor('the panel', async () => (await state()).join() === 'true,false');
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H2');
      await page.keyboard.press('Escape');
      await waitFor('no panel', async () => (await state()).join() === 'false,true');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'adjust');
      await page.keyboard.press('Enter');
      await waitFor('the panel', async () => (await state()).join() === 'true,false');
      await page.$eval('[data-group=Image] details', (e) => { e.open = true; });
      await waitFor('it to be kept', () => page.evaluate(() => Object.entries(localStorage).some(([key, value]) => key.endsWith('controls.Image') && value === 'open')));
      await page.reload();
      await page.waitForSelector('#controls .group');
      assert.ok(await page.$eval('[data-group=Image] details', (e) => e.open));
      // Letters that are typed are no keys of the page.
      await page.$eval('#controls .presets', (e) => { e.open = true; });
      await page.type('#preset-name', 'or mz');
      assert.deepEqual(await state(), ['true', false]);
      assert.ok(!/rotate\(90deg\)/.test(await page.$eval('#picture', (e) => e.style.transform)));
      await done(page);
    });

    test('live values at the groups, and what they tell a screen reader', async () => {
      const page = await open();
      await waitFor('the exposure', () => page.$eval('[data-group=Exposure] .live', (e) => /\d s/.test(e.textContent)));
      assert.equal(await page.$$eval('#controls [aria-live], #controls output', (all) => all.length), 0);
      const spoken = await page.$eval('#control-ExposureTime', (e) => e.getAttribute('aria-valuetext'));
      assert.match(spoken, /s$/);
      await done(page);
    });

    for (const [device, viewport] of Object.entries({ phone: kPhone, desktop: { width: 1280, height: 800 } })) {
      test(`where it lies on a ${device}: nothing overlaps, nothing is cut off, all large enough`, async () => {
        for (const scheme of ['light', 'dark']) {
          const page = await open({ viewport, prepare: (fresh) => (name === 'chrome' ? fresh.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]) : null) });
          await page.screenshot({ path: path.join(shots, `controls-${device}-${scheme}-${name}.png`) });
          await page.$$eval('#controls details', (all) => all.forEach((e) => { e.open = true; }));
          assert.deepEqual(await layoutFaults(page), [], scheme);
          await done(page);
        }
      });
    }

    test('no panel for whom nothing is allowed, nor of a camera without controls', async () => {
      for (const change of [{ may_change: false }, { controls: {} }]) {
        const page = await program.open(`${site.url}/stream#controls`, { prepare: (fresh) => fresh.evaluateOnNewDocument((other) => {
          const { fetch: real } = window;
          window.fetch = async (target, options) => {
            const answer = await real(target, options);
            if (target !== 'controls') return answer;
            window.asked = true;
            return new Response(JSON.stringify({ ...await answer.json(), ...other }), { headers: { ETag: '"1-a"' } });
          };
        }, change) });
        await waitChanges(page, 3);
        await waitFor('the question', () => page.evaluate(() => window.asked));
        await page.keyboard.press('o');
        assert.deepEqual(await page.evaluate(() => [document.getElementById('adjust').hidden, document.getElementById('controls').hidden]), [true, true]);
        await done(page);
      }
    });

    test('what happens to the right to change, and to the server, is said in the panel', async () => {
      const page = await open();
      await page.evaluate(() => {
        const { fetch: real } = window;
        window.fetch = (target, options) => (target === 'controls' && window.status_ ? Promise.resolve(new Response('{"error": "no"}', { status: window.status_ })) : real(target, options));
      });
      const says = (words) => waitFor(words, () => page.$eval('#controls [role=status]', (e, part) => e.textContent.includes(part), words));
      await page.evaluate(() => { window.status_ = 503; });
      await says('do not answer');
      await page.evaluate(() => { window.status_ = 403; });
      await says('may not change');
      assert.ok(await page.$eval('#controls .body', (e) => e.hidden));
      await page.evaluate(() => { window.status_ = 0; });
      await waitFor('the controls', () => page.$eval('#controls .body', (e) => !e.hidden));
      await done(page);
    });

    test('axe finds nothing serious, all unfolded', async () => {
      const page = await open();
      await page.$$eval('#controls details', (all) => all.forEach((e) => { e.open = true; }));
      assert.deepEqual(await seriousFaults(page), []);
      await done(page);
    });

    test('in German', async () => {
      const page = await open({ prepare: (fresh) => fresh.evaluateOnNewDocument(() => {
        Object.defineProperty(navigator, 'languages', { get: () => ['de-CH', 'en'] });
      }) });
      assert.equal(await page.$eval('#controls-title', (e) => e.textContent), 'Kamera einstellen');
      assert.deepEqual(await page.$$eval('#controls legend', (all) => all.map((e) => e.textContent)), ['Bild', 'Belichtung', 'Farbe', 'Fokus', 'Zoom']);
      assert.equal(await page.$eval('[for=control-Brightness]', (e) => e.textContent), 'Helligkeit');
      assert.match(await page.$eval('[data-name=ExposureTime] .note', (e) => e.textContent), /^Ohne Wirkung: Belichtungsmodus ist Auto/);
      await done(page);
    });
  });
}
