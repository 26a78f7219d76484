// The guarded site under attack: whoever is in sees nothing of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import { end, ticketOf, view } from '../integration/guarded-viewer.mjs';
import { Child, Site, slowness, waitFor } from '../integration/harness.mjs';

describe('the guarded site under attack', () => {
  test('ten thousand wrong ones disturb nobody who is in', async (t) => {
    const site = await Site.start(['--stream.ack_timeout', '60s'], { secure: true });
    try {
      const viewer = await view(site, { auth: `picam:${site.password}` });
      await waitFor('frames', () => viewer.frames.length > 10);
      const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
      const told = {};
      const refreshes = [];
      let guessing = true;
      const refreshing = (async () => {
        while (guessing) {
          refreshes.push((await site.ask('/pi.jpg')).status);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      })();
      const began = viewer.frames.length;
      const guess = (i) => new Promise((resolve, reject) => {
        https.get({ host: '127.0.0.1', port: site.port, path: '/pi.jpg', auth: `picam:guess-${i}`, agent, rejectUnauthorized: false }, (response) => {
          told[response.statusCode] = (told[response.statusCode] ?? 0) + 1;
          if (response.statusCode === 429) assert.ok(response.headers['retry-after']);
          response.resume().on('end', resolve);
        }).on('error', reject);
      });
      const start = performance.now();
      let next = 0;
      await Promise.all(Array.from({ length: 8 }, async () => { while (next < 10000) await guess(next++); }));
      const seconds = (performance.now() - start) / 1000;
      guessing = false;
      await refreshing;
      agent.destroy();
      const gaps = viewer.frames.slice(began).map((at, i, all) => (i === 0 ? 0 : at - all[i - 1]));
      t.diagnostic(`${JSON.stringify(told)} in ${seconds.toFixed(1)} s; ${gaps.length} frames, ${(gaps.length / seconds).toFixed(1)} a second, at most ${Math.max(...gaps).toFixed(0)} ms apart`);
      assert.equal(told[200] ?? 0, 0);
      // The hash was computed for the burst and six a minute, and for no other.
      assert.ok(told[401] <= 12 + seconds / 10, `${told[401]} hashes`);
      assert.equal(told[401] + told[429], 10000);
      assert.ok(refreshes.length > 0);
      assert.ok(viewer.frames.length > began);
      assert.equal(viewer.readyState, WebSocket.OPEN);
      await end(viewer);
    } finally {
      await site.stop();
    }
  });

  test('slow clients keep nobody out and disturb nobody who is in', { timeout: 200000 }, async (t) => {
    const site = await Site.start(['--stream.ack_timeout', '60s'], { secure: true });
    try {
      const viewer = await view(site, { auth: `picam:${site.password}` });
      await waitFor('frames', () => viewer.frames.length > 10);
      for (const [name, mode] of [['slow headers', '-H'], ['slow bodies', '-B'], ['slow reading', '-X']]) {
        const began = viewer.frames.length;
        const begun = Date.now();
        const attack = new Child('slowhttptest', [mode, '-c', '400', '-r', '200', '-l', '12', '-i', '4', '-p', '3', '-u', `${site.url}/pi.jpg`]);
        const statuses = [];
        while (attack.running) {
          statuses.push((await site.ask('/pi.jpg')).status);
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
        const gaps = viewer.frames.slice(began + 1).map((at, i) => at - viewer.frames[began + i]);
        t.diagnostic(`${name}: ${gaps.length} frames, at most ${Math.max(...gaps).toFixed(0)} ms apart; ${statuses.length} stills between`);
        assert.match(attack.log.replaceAll(/\x1b\[[0-9;]*m/g, ''), /connected: +[1-9]/, attack.log);
        const slower = slowness(begun);
        assert.ok(statuses.length > 10 / slower);
        // The attacker has our address here, and may use its connections up: then we are told so.
        assert.ok(statuses.every((status) => status === 200 || status === 429), `${statuses}`);
        assert.ok(gaps.length > 100 / slower);
        assert.equal(viewer.readyState, WebSocket.OPEN);
      }
      await waitFor('a still', async () => (await site.ask('/pi.jpg')).status === 200);
      await end(viewer);
    } finally {
      await site.stop();
    }
  });

  test('testssl.sh finds nothing of medium or worse, but that the certificate is self-signed', { timeout: 600000 }, async (t) => {
    const site = await Site.start([], { secure: true });
    try {
      const found = path.join(site.folder, 'testssl.json');
      // All it has takes five minutes, of which its vulnerabilities and client simulations are four: tests/run long.
      const all = process.env.TESTSSL === 'all';
      const checks = all ? [] : ['--protocols', '--standard', '--pfs', '--server-defaults', '--headers'];
      const tool = new Child('testssl', [...checks, '--quiet', '--color', '0', '--warnings', 'off', '--ip', 'one', '--jsonfile', found, site.url],
        { env: { ...process.env, TERM: 'dumb' } });
      t.after(() => tool.end()); // it must not go on when its time is up
      await tool.ended;
      const findings = JSON.parse(readFileSync(found, 'utf8'));
      assert.ok(findings.length > (all ? 80 : 40), tool.log);
      assert.ok(findings.some(({ id, severity }) => id === 'TLS1_3' && severity === 'OK'));
      const worse = findings.filter(({ severity }) => ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(severity))
        .map(({ id, severity, finding }) => `${id} ${severity}: ${finding}`);
      t.diagnostic(`${findings.length} findings; of medium or worse: ${worse.join('; ')}`);
      assert.deepEqual(worse.filter((text) => !/^(cert_chain_of_trust|cert_revocation) /.test(text)), []);
    } finally {
      await site.stop();
    }
  });

  test('a ticket that was not used in half a minute is void', async () => {
    const site = await Site.start([], { secure: true });
    try {
      let unused;
      let issued;
      await waitFor('a ticket that was used in time', async () => {
        const asked = performance.now();
        const used = await ticketOf(site);
        unused = await ticketOf(site);
        issued = performance.now();
        await waitFor('15 seconds to pass', () => performance.now() - issued > 15000);
        const viewer = await view(site, { ticket: used });
        // This machine stood still meanwhile: with another one.
        if (viewer === 403 && performance.now() - asked > 29000) return false;
        assert.equal(typeof viewer, 'object', `${viewer}`);
        await end(viewer);
        return true;
      }, 120_000);
      await waitFor('half a minute to pass', () => performance.now() - issued > 30100);
      assert.equal(await view(site, { ticket: unused }), 403);
    } finally {
      await site.stop();
    }
  });
});
