// What a camera's page says when something is wrong, what it does then by itself, and the one thing that it offers to do.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SlowLink } from '../faults/slow-link.mjs';
import { Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, kDevices, kSchemes, launch, message, pixels, prefer, shots, waitChanges, waitNoMessage } from './browser.mjs';
import { waitLiesWell } from './panel-layout.mjs';

const kNoMoreMs = 3000; // in which a page that went on asking would have asked

const kPatientMs = 60000;

const remedy = (page) => page.$eval('#remedy', (e) => (e.hidden ? '' : e.textContent));
const waitSaid = (page, words) => waitFor(words, async () => (await message(page)).includes(words), kPatientMs);
const waitRemedy = (page, words) => waitFor(words, async () => (await remedy(page)) === words, kPatientMs);
const waitAt = (page, address) => waitFor(address, async () => (await page.evaluate(() => location.href)) === address);
const offline = (page, value) => page.evaluate((now) => {
  Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => !now });
  window.dispatchEvent(new Event(now ? 'offline' : 'online'));
}, value);

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let program;
    before(async () => { program = await launch(name, { acceptInsecureCerts: true }); });
    after(() => program?.close());

    // A page of a site of its own, which the test spoils.
    async function spoiled(flags, options, target, work) {
      const site = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '300ms', ...flags], options);
      try {
        const prepare = options.secure && ((fresh) => fresh.authenticate({ username: 'picam', password: site.password }));
        const page = await program.open(site.url + target, { prepare });
        await work(page, site);
        await page.close();
      } finally {
        await site.stop();
      }
    }
    // How it lies on each screen in each scheme, and a screenshot of it.
    async function look(page, what) {
      const viewport = page.viewport();
      for (const scheme of kSchemes[name]) {
        if (kSchemes[name].length > 1) await prefer(page, scheme);
        for (const device of ['phone', 'lying', 'tablet', 'desktop']) {
          await page.setViewport(kDevices[device]);
          await waitLiesWell(page, `on a ${device} screen`);
          await page.screenshot({ path: path.join(shots, `fault-${what}-${device}-${scheme}-${name}.png`) });
        }
      }
      await page.setViewport(viewport);
    }

    test('no camera: why, and for operators the details', async () => {
      const folder = mkdtempSync('/dev/shm/picam-faults.');
      const file = path.join(folder, 'a.jpg');
      try {
        await spoiled(['--camera.source', 'replay', '--camera.file', file, '--stream.size', '640x480', '--snapshot.size', '640x480'], { controls: true }, '/stream', async (page) => {
          await waitSaid(page, 'not available: ');
          await waitRemedy(page, 'Details');
          await page.click('#remedy');
          await waitFor('the faults', () => page.$eval('#figures-panel', (e) => /No such file/.test(e.textContent)));
          await look(page, 'no-camera');
          execFileSync('convert', ['-size', '640x480', 'gradient:red-blue', '-sampling-factor', '4:2:0', file]);
          await waitFor('the picture', () => page.$eval('#picture', (e) => !e.hidden), kPatientMs);
          await waitNoMessage(page);
        });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    for (const [target, kill, start] of [['/stream', 'streamd', 'startStreamd'], ['/', 'snapshot', 'startSnapshot']]) {
      test(`the server is gone, seen from ${target}: it is tried again, and at once by a press`, async () => {
        await spoiled([], {}, target, async (page, site) => {
          await waitChanges(page, 2);
          await site[kill].end('SIGKILL');
          await waitSaid(page, 'every few seconds');
          await waitRemedy(page, 'Try now');
          await waitFor('the last picture to stay', () => pixels(page));
          await look(page, `gone-${kill}`);
          await site[start]();
          await page.click('#remedy').catch(() => {}); // it may have come back by itself
          await waitChanges(page, 2);
          await waitNoMessage(page);
        });
      });
    }

    for (const target of ['/stream', '/']) {
      test(`the password is another one, seen from ${target}: nothing is asked for until somebody signs in`, async () => {
        await spoiled([], { secure: true }, target, async (page, site) => {
          await waitChanges(page, 2);
          await site.change(['passwd'], { input: 'another-password-of-theirs\n' });
          await waitSaid(page, 'password');
          await waitRemedy(page, 'Sign in');
          await look(page, target === '/' ? 'password-stills' : 'password-live');
          await page.evaluate(() => {
            window.asked = 0;
            const { fetch: real } = window;
            window.fetch = (...what) => {
              if (/ticket|pi\.jpg/.test(what[0])) window.asked += 1;
              return real(...what);
            };
          });
          const began = Date.now();
          await waitFor('a while', () => Date.now() - began > kNoMoreMs);
          assert.equal(await page.evaluate(() => window.asked), 0);
          // The page is loaded anew, whereupon a browser asks its user; one that is driven does not.
          await page.click('#remedy');
          await waitFor('another document', () => page.evaluate(() => window.asked === undefined).catch(() => false));
        });
      });
    }

    // A page whose scripts have not all come: a network that failed between two of them.
    test('what a live picture needs does not come: stills go on; and it comes later', async () => {
      await spoiled([], {}, '/healthz', async (page, site) => {
        const script = path.join(site.folder, 'html/live.js');
        renameSync(script, `${script}.away`);
        await page.goto(`${site.url}/`);
        await waitChanges(page, 2);
        await page.click('nav a[href="stream"]');
        await waitAt(page, `${site.url}/stream`);
        await waitChanges(page, 2);
        await page.goto(`${site.url}/stream`);
        await waitSaid(page, 'does not answer');
        await waitRemedy(page, 'Try now');
        await page.keyboard.press(' '); // nothing to pause
        await page.keyboard.press('s'); // nor to save
        renameSync(`${script}.away`, script);
        await Promise.all([page.waitForNavigation(), page.click('#remedy')]);
        await waitChanges(page, 2);
        await waitNoMessage(page);
        await page.goto(`${site.url}/`);
        await waitChanges(page, 2);
        await page.click('nav a[href="stream"]');
        await waitFor('the live picture', () => page.$eval('#picture', (e) => !e.hidden));
      });
    });

    test('the device is offline, and comes back', async () => {
      await spoiled([], {}, '/stream', async (page, site) => {
        await waitChanges(page, 2);
        await offline(page, true);
        await site.nginx.end();
        await waitSaid(page, 'offline');
        await look(page, 'offline');
        await site.startNginx();
        await offline(page, false);
        await waitChanges(page, 2);
        await waitNoMessage(page);
      });
    });

    test('a slow network: it says so, and shows stills where that is wished', async () => {
      await spoiled(['--stream.size', '640x480', '--snapshot.size', '640x480', '--stream.video', 'off'], {}, '/healthz', async (page, site) => {
        const link = await SlowLink.to(site.port, { bitsPerSecond: 200e3, roundTripMs: 40 });
        try {
          const slow = await program.open(`http://127.0.0.1:${link.port}/stream`);
          await waitSaid(slow, 'network is slow');
          await waitRemedy(slow, 'Show stills');
          await look(slow, 'slow');
          // What is offered may be another thing for a moment.
          await waitFor('stills to be wished', () => slow.$eval('#remedy', (e) => !e.hidden && e.textContent === 'Show stills' && (e.click() ?? true)), kPatientMs);
          await waitFor('a still', () => slow.$eval('#still', (e) => !e.hidden), kPatientMs);
          await waitAt(slow, `http://127.0.0.1:${link.port}/index.html`);
          await waitNoMessage(slow);
          await slow.close();
        } finally {
          await link.close();
        }
      });
    });
  });
}
