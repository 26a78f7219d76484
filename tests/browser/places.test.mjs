// The pages where they are not alone at the root of a site: below a path of another one, behind a server that strips a path,
// and several cameras on one.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Child, freePort, programs, Site, waitFor } from '../integration/harness.mjs';
import { kProxies } from '../integration/stripping-proxies.mjs';
import { kBrowsers, launch, shots, waitChanges } from './browser.mjs';

const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// With the password, and what its WebSockets offer in window.offered.
const prepare = (password) => async (page) => {
  await page.authenticate({ username: 'picam', password });
  await page.evaluateOnNewDocument(() => {
    window.offered = [];
    window.WebSocket = class extends WebSocket {
      constructor(url, protocols) {
        super(url, protocols);
        window.offered.push([String(url), ...protocols]);
      }
    };
  });
};

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let program;
    let port;
    let strips; // another nginx, in front of the port for plain HTTP
    const children = [];
    const open = (url, options) => program.open(url, { prepare: prepare(site.password), ...options });

    before(async () => {
      site = await Site.start(['--camera.title', 'Front "door"', '--stream.linger', '300ms'], { secure: true });
      port = await freePort();
      mkdirSync(path.join(site.folder, 'other'));
      writeFileSync(path.join(site.folder, 'other/index.html'), '<!doctype html><title>other</title><p>A blog.');
      await site.change(['mount', '/webcam/']);
      await site.otherSite(`server {
        listen 127.0.0.1:${port};
        root other;
        include ${site.folder}/etc/nginx/mount-webcam.con[f];
      }`);
      strips = await freePort();
      await site.change(['proxy', 'add', '127.0.0.1']);
      const folder = path.join(site.folder, 'strips');
      mkdirSync(folder);
      copyFileSync(path.join(site.folder, 'etc/tls/self-signed.pem'), path.join(folder, 'certificate.pem'));
      copyFileSync(path.join(site.folder, 'etc/tls/self-signed.key'), path.join(folder, 'key.pem'));
      children.push(new Child(...kProxies.nginx(site, strips, folder)));
      await waitFor('it', () => {
        if (!children[0].running) throw new Error(`it ended:\n${children[0].log}`);
        return site.ask('/webcam/', { port: strips }).then(() => true, () => false);
      });
      program = await launch(name, { acceptInsecureCerts: true });
    });
    after(async () => {
      await program?.close();
      for (const child of children) await child.end();
      await site?.stop();
    });

    const places = [
      ['below a path of another site', () => `http://127.0.0.1:${port}/webcam/`],
      ['behind a server that strips a path', () => `https://127.0.0.1:${strips}/webcam/`],
    ];
    for (const [where, folder] of places) {
      test(`${where}: still, stream by a ticket, and each page from the other`, async () => {
        const page = await open(`${folder()}?every=0.2`);
        await waitChanges(page, 3);
        await waitFor('the title', () => page.evaluate(() => document.title.includes('Front "door"')));
        await Promise.all([page.waitForNavigation(), page.click('a[href="stream"]')]);
        assert.equal(page.url(), `${folder()}stream`);
        await waitChanges(page, 3);
        const [[url, ...protocols]] = await waitFor('a WebSocket', () => page.evaluate(() => window.offered.length > 0 && window.offered));
        assert.equal(url, `${folder().replace('http', 'ws')}stream`);
        assert.ok(protocols.includes('picam.v1'));
        assert.match(protocols.at(-1), /^picam\.ticket\.[0-9a-f]{32}$/);
        assert.deepEqual(page.errors, []);
        await page.close();
      });
    }

    test('its service worker has its folder, and what is the other site\'s stays', async () => {
      const page = await open(`http://127.0.0.1:${port}/index.html`);
      await page.evaluate(async () => { await (await caches.open('blog')).put('/kept', new Response('kept')); });
      await page.goto(`http://127.0.0.1:${port}/webcam/stream`);
      await waitChanges(page, 2);
      const scope = await page.evaluate(() => navigator.serviceWorker.ready.then((r) => r.scope));
      assert.equal(scope, `http://127.0.0.1:${port}/webcam/`);
      await waitFor('the shell', () => page.evaluate(async () => (await caches.keys()).includes('picam-shell /webcam/')));
      assert.ok(await page.evaluate(async () => (await caches.keys()).includes('blog')));
      await page.goto(`http://127.0.0.1:${port}/index.html`);
      assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
      await page.close();
    });

    test('it can be installed, with an identity of its own', { skip: name !== 'chrome' && 'chromium tells' }, async () => {
      const page = await open(`http://127.0.0.1:${port}/webcam/stream`);
      await waitChanges(page, 2);
      const client = await page.createCDPSession();
      const { url, errors } = await client.send('Page.getAppManifest');
      assert.equal(url, `http://127.0.0.1:${port}/webcam/manifest.webmanifest`);
      assert.deepEqual(errors, []);
      assert.deepEqual((await client.send('Page.getInstallabilityErrors')).installabilityErrors, []);
      const { appId } = await client.send('Page.getAppId');
      assert.equal(appId, `http://127.0.0.1:${port}/webcam/stream`);
      await page.close();
    });

    test('several cameras: a tile each, which opens in place and leads to its pages', async () => {
      await site.change(['camera', 'add', 'garage']);
      const flags = ['--camera.source', 'pattern', '--instance', 'garage', '--runtime-dir', site.run, '--state_dir', site.state];
      for (const binary of [programs.snapshot, programs.streamd]) {
        children.push(new Child(binary, flags, { env: site.env }));
        await site.ready(children.at(-1));
      }
      const page = await open(`${site.url}/`);
      const tiles = () => page.$$eval('.tile', (all) => all.map((tile) => ({
        name: tile.querySelector('.title').textContent, state: tile.querySelector('.state').textContent, shown: tile.querySelector('img').naturalWidth > 0,
      })));
      await waitFor('two pictures', async () => (await tiles()).filter(({ shown }) => shown).length === 2);
      await waitFor('names and states', async () => JSON.stringify((await tiles()).map(({ name: n, state }) => [n, state])) === '[["Front \\"door\\"","Idle"],["garage","Idle"]]');
      await page.evaluate(kAxe);
      const found = await page.evaluate(async () => (await window.axe.run()).violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 200)}`));
      assert.deepEqual(found.filter((line) => /^(serious|critical)/.test(line)), []);
      await page.click('.tile[href="garage/"]');
      await waitFor('the tile', () => page.$eval('.tile.open .title', (e) => e.textContent === 'garage').catch(() => false));
      assert.equal(await page.evaluate(() => location.href), `${site.url}/#garage`);
      await Promise.all([page.waitForNavigation(), page.click('#live')]);
      assert.equal(page.url(), `${site.url}/garage/stream`);
      await waitChanges(page, 3);
      await page.goto(`${site.url}/garage/`);
      await waitChanges(page, 2);
      await page.goto(`${site.url}/garage/stream`);
      await waitChanges(page, 3);
      if (name === 'chrome') {
        // All cameras of a site are one app, which begins at its root.
        const client = await page.createCDPSession();
        assert.deepEqual((await client.send('Page.getAppManifest')).errors, []);
        assert.equal((await client.send('Page.getAppId')).appId, `${site.url}/stream`);
      }
      assert.deepEqual(page.errors, []);
      // One of them is gone: the other does not mind.
      for (const child of children.splice(-2)) await child.end();
      await page.goto(`${site.url}/`);
      await waitFor('what is wrong', async () => (await tiles()).some(({ name: n, state }) => n === 'garage' && /does not answer/.test(state)));
      await waitFor('the other', async () => (await tiles())[0].shown);
      await page.close();
      if (name !== 'chrome') return;
      for (const [device, viewport] of [['phone', { width: 390, height: 844, isMobile: true, hasTouch: true }], ['desktop', { width: 1280, height: 800 }]]) {
        for (const scheme of ['light', 'dark']) {
          const shot = await open(`${site.url}/`, { viewport, prepare: async (fresh) => {
            await prepare(site.password)(fresh);
            await fresh.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
          } });
          await waitFor('a picture', () => shot.$$eval('.tile img', (all) => all.some((img) => img.naturalWidth > 0)));
          assert.ok(await shot.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
          await shot.screenshot({ path: path.join(shots, `overview-${device}-${scheme}.png`) });
          await shot.close();
        }
      }
    });
  });
}
