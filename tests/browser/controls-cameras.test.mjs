// The panel with the controls of cameras that are not here, as the server would list them: all of them are there, named for
// people in both languages, and lie well on a phone and a desktop.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, shots } from './browser.mjs';
import { documentOf, kCameras } from './camera-lists.mjs';
import { layoutFaults, seriousFaults } from './panel-layout.mjs';

const kLanguages = { en: 'Camera controls', de: 'Kamera einstellen' };
const kViewports = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let program;
    before(async () => {
      site = await Site.start(['--stream.size', '640x480'], { controls: true });
      program = await launch(name);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
    });

    // The page, where the server's document is this one; what is changed stands in window.changes.
    async function open(document, language) {
      const page = await program.open(`${site.url}/stream#controls`, { prepare: (fresh) => fresh.evaluateOnNewDocument((answered, first) => {
        Object.defineProperty(navigator, 'languages', { get: () => [first] });
        const { fetch: real } = window;
        window.changes = [];
        window.fetch = async (target, options) => {
          if (target !== 'controls') return real(target, options);
          if (options?.method === 'PATCH') window.changes.push(JSON.parse(options.body));
          return new Response(JSON.stringify(answered), { headers: { ETag: '"1-a"' } });
        };
      }, document, language) });
      await page.waitForSelector('#controls .group');
      await waitFor('the picture', () => page.$eval('#picture', (e) => !e.hidden));
      await page.$$eval('#controls details', (all) => all.forEach((e) => { e.open = true; }));
      return page;
    }
    async function done(page) {
      assert.deepEqual(page.errors, []);
      await page.evaluate(() => localStorage.clear());
      await page.close();
    }

    for (const camera of Object.keys(kCameras)) {
      test(camera, async () => {
        const document = documentOf(camera);
        for (const [language, title] of Object.entries(kLanguages)) {
          const page = await open(document, language);
          assert.equal(await page.$eval('#controls-title', (e) => e.textContent), title);
          const shown = await page.$$eval('#controls [data-name]', (all) => all.map((e) => e.dataset.name));
          // AfWindows is set by pointing at the picture.
          assert.deepEqual(shown.toSorted(), Object.keys(document.controls).filter((control) => control !== 'AfWindows').toSorted());
          const said = await page.$$eval('#controls label, #controls legend, #controls .label, #controls option, #controls .choice span', (all) => all.map((e) => e.textContent));
          assert.deepEqual(said.filter((words) => /v4l2|_|[a-z][A-Z]|undefined|NaN/.test(words)), [], language);
          // What has no effect says so, in words of the page.
          for (const [control, { locked }] of Object.entries(document.controls)) {
            if (!locked) continue;
            const words = await page.$eval(`[data-name="${control}"]`, (e) => e.textContent);
            assert.match(words, language === 'de' ? /Ohne Wirkung: / : /No effect while /, control);
            assert.doesNotMatch(words, /v4l2|_/, control);
          }
          for (const [device, viewport] of Object.entries(kViewports)) {
            await page.setViewport(viewport);
            await waitFor('the viewport', () => page.evaluate((width) => innerWidth === width, viewport.width));
            assert.deepEqual(await layoutFaults(page), [], `${language}, ${device}`);
            await page.screenshot({ path: path.join(shots, `controls-${camera.replaceAll(' ', '-')}-${device}-${language}-${name}.png`) });
          }
          if (language === 'de') assert.deepEqual(await seriousFaults(page), []);
          await done(page);
        }
      });
    }

    test('a change is sent by the name that the camera has for it', async () => {
      const page = await open(documentOf('C920'), 'en');
      await page.focus('[data-name="v4l2.pan_absolute"] input[type=range]');
      await page.keyboard.press('ArrowRight');
      await waitFor('the change', () => page.evaluate(() => window.changes.length > 0));
      assert.deepEqual(await page.evaluate(() => window.changes[0]), { 'v4l2.pan_absolute': 3600 });
      await done(page);
    });
  });
}
