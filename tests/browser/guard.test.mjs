// The pages behind TLS and a password, as a browser that has been given it sees them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Site, waitFor } from '../integration/harness.mjs';
import { kBrowsers, launch, waitChanges, waitNoMessage } from './browser.mjs';

for (const name of Object.keys(kBrowsers)) {
  describe(name, { skip: !kBrowsers[name] && `${name} is not installed` }, () => {
    let site;
    let browser;
    before(async () => {
      site = await Site.start([], { secure: true });
      browser = await launch(name, { acceptInsecureCerts: true });
    });
    after(async () => {
      await browser?.close();
      await site?.stop();
    });
    const open = (target) => browser.open(site.url + target, {
      prepare: async (page) => {
        await page.authenticate({ username: 'picam', password: site.password });
        await page.evaluateOnNewDocument(() => {
          window.offered = [];
          window.WebSocket = class extends WebSocket {
            constructor(url, protocols) {
              super(url, protocols);
              window.offered.push(protocols);
            }
          };
        });
      },
    });

    test('shows stills', async () => {
      const page = await open('/?every=0.2');
      await waitChanges(page, 3);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('shows the stream, and again after its end, with a ticket each time', async () => {
      const page = await open('/stream');
      await waitChanges(page, 3);
      assert.deepEqual(page.errors, []);
      await site.streamd.end('SIGKILL');
      await site.startStreamd();
      await waitFor('another handshake', () => page.evaluate(() => window.offered.length > 1));
      await waitNoMessage(page);
      await waitChanges(page, 3);
      const offered = await page.evaluate(() => window.offered);
      const tickets = offered.map((protocols) => {
        assert.ok(protocols.includes('picam.v1'));
        return protocols.find((protocol) => protocol.startsWith('picam.ticket.'));
      }).filter(Boolean);
      assert.ok(tickets.length >= 2, JSON.stringify(offered));
      for (const ticket of tickets) assert.match(ticket, /^picam\.ticket\.[0-9a-f]{32}$/);
      assert.equal(new Set(tickets).size, tickets.length);
      await page.close();
    });

    test('shows it again by itself to who may look when another may not any more', async () => {
      await site.change(['user', 'add', 'anna'], { input: 'anna-has-one\n' });
      const page = await open('/stream');
      await waitChanges(page, 3);
      site.picamctl(['user', 'del', 'anna']);
      await waitFor('another handshake', () => page.evaluate(() => window.offered.length > 1));
      await waitChanges(page, 3);
      await waitNoMessage(page);
      await page.close();
    });
  });
}
