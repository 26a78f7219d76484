// Both pages in Debian's browsers: a picture that changes, no error on the console, and what happens when things break.
// Screenshots go to build/screenshots.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lockIsFree, Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, message, shots, waitChanges, waitNoMessage } from './browser.mjs';

for (const [browserName, executablePath] of Object.entries(kBrowsers)) {
  describe(browserName, { skip: !executablePath && `${browserName} is not installed` }, () => {
    let site;
    let program;
    before(async () => {
      // With more time for each frame than at 30 fps: acknowledgements are batched where it is quick enough.
      site = await Site.start(['--stream.linger', '300ms', '--snapshot.linger', '2s', '--stream.fps', '20']);
      program = await launch(browserName);
    });
    after(async () => {
      await program?.close();
      await site?.stop();
    });

    const open = (target) => program.open(site.url + target);

    test('the still page refreshes', async () => {
      const page = await open('/?every=0.5');
      await waitChanges(page, 4);
      await waitNoMessage(page);
      assert.match(await page.$eval('#caption', (e) => e.textContent), /Taken at .* ago/);
      await page.screenshot({ path: path.join(shots, `still-${browserName}.png`) });
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('the stream page moves, shows its figures, pauses and resumes by key', async () => {
      const page = await open('/stream');
      await waitChanges(page, 10);
      await page.keyboard.press('i');
      await waitFor('figures', () => page.evaluate(() => /fps · delay \d+ ms/.test(document.getElementById('summary')?.textContent)));
      await waitNoMessage(page);
      await page.screenshot({ path: path.join(shots, `stream-${browserName}.png`) });
      await page.keyboard.press(' ');
      await waitFor('the camera to close', () => lockIsFree(site));
      await page.keyboard.press(' ');
      await waitChanges(page, 5);
      await page.keyboard.press('i');
      assert.ok(await page.$eval('#figures-panel', (e) => e.hidden));
      assert.deepEqual(page.errors, []);
      await page.close();
      await waitFor('the camera to close', () => lockIsFree(site));
    });

    test('without WebCodecs and Media Source Extensions the stream page agrees with the server on fewer acknowledgements', async () => {
      const page = await program.open(`${site.url}/stream`, { prepare: (fresh) => fresh.evaluateOnNewDocument(() => {
        delete window.VideoDecoder;
        delete window.MediaSource;
        delete window.Worker; // it has one of its own
        window.acks = [];
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (text) {
          const said = JSON.parse(text);
          if (said.type === 'ack') window.acks.push(said);
          return send.call(this, text);
        };
      }) });
      // A machine that has other things to do paints some frames quickly all the same.
      await waitFor('one acknowledgement for several frames', () => page.evaluate(() => window.acks.some(
        (ack, i) => i > 0 && window.acks[i - 1].batch > 1 && ack.sequence - window.acks[i - 1].sequence > 1)), 60000);
      await waitChanges(page, 5);
      await waitNoMessage(page);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('on a phone', async () => {
      const page = await open('/stream');
      await page.setViewport({ width: 390, height: 800 });
      await waitChanges(page, 3);
      await page.screenshot({ path: path.join(shots, `stream-phone-${browserName}.png`) });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      await page.close();
    });

    test('streamd killed and started again: the picture comes back without a reload', async () => {
      const page = await open('/stream');
      await waitChanges(page, 3);
      await site.streamd.end('SIGKILL');
      await waitFor('a word about it', async () => (await message(page)) !== '');
      await site.startStreamd();
      await waitChanges(page, 5);
      await waitNoMessage(page);
      await page.close();
    });

    test('the still page says why there is no picture, and comes back', async () => {
      const page = await open('/?every=0.5');
      await waitChanges(page, 2);
      await site.snapshot.end('SIGKILL');
      await waitFor('the reason', async () => /camera program does not answer/.test(await message(page)));
      await site.startSnapshot();
      await waitNoMessage(page);
      await waitChanges(page, 2);
      await page.close();
    });

    test('somebody else\'s page with the multipart stream in an <img>', async () => {
      const page = await open('/');
      await page.evaluate(() => {
        const img = document.createElement('img');
        img.id = 'foreign';
        img.src = '/stream.mjpg';
        document.body.append(img);
      });
      await waitChanges(page, 5, ['foreign']);
      await page.close();
      await waitFor('the camera to close', () => lockIsFree(site));
    });
  });
}

test('without scripts both pages show a picture', { skip: !kBrowsers.chrome && 'chromium is not installed' }, async () => {
  const site = await Site.start();
  const { browser, close } = await launch('chrome');
  try {
    for (const target of ['/', '/stream']) {
      const page = await browser.newPage();
      await page.setJavaScriptEnabled(false);
      await page.goto(site.url + target, { waitUntil: 'domcontentloaded' });
      await waitFor('the picture', () => page.$eval('noscript img, main img', (img) => img.naturalWidth > 0));
      await page.close();
    }
  } finally {
    await close();
    await site.stop();
  }
});
