// picam below a path of another site of its nginx (picamctl mount), and behind other servers that strip a path and have the
// certificate (picamctl proxy).
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { end, view } from './guarded-viewer.mjs';
import { kProxies } from './stripping-proxies.mjs';
import { Child, freePort, Site, waitFor } from './harness.mjs';

describe('below a path of another site', () => {
  let site;
  let port;
  // In that site. It is plain HTTP, as many that are looked at from the same room.
  const ask = (target, options) => site.ask(target, { plain: true, port, ...options });
  const statusOf = async (target, options) => (await ask(target, options)).status;
  const other = (lines) => `server {
    listen 127.0.0.1:${port} default_server;
    server_name _;
    root other;
    add_header X-Other yes always;
    error_page 404 /sorry.txt;
    expires 1d;
    location = /post { return 200 "posted"; }
    ${lines}
}`;
  const kMount = () => `include ${site.folder}/etc/nginx/mount-webcam.con[f];`;

  before(async () => {
    site = await Site.start([], { secure: true });
    port = await freePort();
    mkdirSync(path.join(site.folder, 'other'));
    writeFileSync(path.join(site.folder, 'other/sorry.txt'), 'sorry');
    const { stdout } = await site.change(['mount', '/webcam/']);
    assert.match(stdout, new RegExp(`    include ${site.folder}/etc/nginx/mount-webcam.con\\[f\\];\n`));
    await site.otherSite(other(kMount()));
  });
  after(() => site.stop());

  test('has all that a camera has, with picam\'s password', async () => {
    for (const target of ['/webcam/', '/webcam/stream', '/webcam/pi.jpg', '/webcam/status', '/webcam/ticket', '/webcam/healthz', '/webcam/picam.css', '/webcam/page.js', '/webcam/manifest.webmanifest', '/webcam/service-worker.js', '/webcam/?action=snapshot']) {
      const refused = await ask(target, { auth: null });
      assert.equal(refused.status, 401, target);
      assert.equal(refused.body.toString(), 'A user and a password are needed here.\n', target);
      const answer = await ask(target);
      assert.equal(answer.status, 200, target);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff', target);
      assert.equal(answer.headers['x-other'], undefined, target);
      assert.equal(answer.headers.expires, undefined, target);
    }
    assert.equal(await statusOf('/webcam/metrics'), 404);
    assert.equal(await statusOf('/webcam/nothing'), 404);
    assert.equal(await statusOf('/webcam/picam-login'), 404);
    assert.equal(await statusOf('/webcam/', { method: 'POST', auth: null }), 405);
    const moved = await ask('/webcam?every=1', { auth: null });
    assert.equal(moved.status, 301);
    assert.equal(moved.headers.location, 'webcam/?every=1');
  });

  test('streams, by password and by ticket', async () => {
    const there = (options) => view({ port }, { plain: true, target: '/webcam/stream', ...options });
    const auth = `picam:${site.password}`;
    const { ticket } = JSON.parse((await ask('/webcam/ticket')).body);
    for (const options of [{ auth, headers: { Origin: `http://127.0.0.1:${port}` } }, { ticket }]) {
      const viewer = await there(options);
      await waitFor('frames', () => viewer.frames.length > 2);
      await end(viewer);
    }
    assert.equal(await there({ auth, headers: { Origin: 'http://evil.example' } }), 403);
    assert.equal(await there({}), 401);
    assert.equal(await there({ ticket }), 403, 'it was used');
  });

  test('changes nothing beside itself', async () => {
    const posted = await ask('/post', { method: 'POST', auth: null });
    assert.equal(posted.status, 200);
    assert.equal(posted.headers['x-other'], 'yes');
    const missing = await ask('/nothing', { auth: null });
    assert.equal(missing.status, 404);
    assert.equal(missing.body.toString(), 'sorry');
    for (const target of ['/picam-login', '/picam-says/password', '/cameras', '/status']) assert.equal(await statusOf(target), 404, target);
  });

  test('guesses are limited, and a change of passwords is one here, too', async () => {
    const guesses = await Promise.all(Array.from({ length: 30 }, (_, i) => ask('/webcam/pi.jpg', { auth: `picam:guess${i}`, localAddress: '127.0.0.9' })));
    assert.ok(guesses.some(({ status }) => status === 429), 'no guess is refused');
    assert.ok(guesses.every(({ status }) => status === 401 || status === 429));
    const old = site.password;
    site.password = 'another password';
    await site.change(['passwd'], { input: `${site.password}\n` });
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: `picam:${old}` }), 401);
    assert.equal(await statusOf('/webcam/pi.jpg'), 200);
    await site.change(['open']);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: null }), 200);
    await site.change(['close']);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: null }), 401);
  });

  test('a site with a login of its own may be asked for picam\'s, or not', async () => {
    writeFileSync(path.join(site.folder, 'other-users'), `me:${site.openssl(['passwd', '-6', 'mine']).stdout}`);
    const login = 'auth_basic "Other"; auth_basic_user_file other-users; satisfy any; allow 127.0.0.7; deny all;';
    await site.otherSite(other(`${login} ${kMount()}`));
    assert.equal(await statusOf('/post', { auth: 'me:mine' }), 200);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: 'me:mine', localAddress: '127.0.0.7' }), 401);
    await site.otherSite(other(`auth_basic "Other"; auth_basic_user_file other-users; ${kMount()}`));
    assert.equal(await statusOf('/webcam/pi.jpg'), 200);
    await site.change(['mount', '/webcam/', 'pi', '--no-password']);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: 'me:mine' }), 200);
    assert.equal(await statusOf('/webcam/pi.jpg'), 401);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: null }), 401);
    await site.change(['close']);
    assert.equal(await statusOf('/webcam/pi.jpg', { auth: 'me:mine' }), 200, 'still the other site\'s login');
    await site.change(['mount', '/webcam/']);
    await site.otherSite(other(kMount()));
  });

  test('a site with caches, HSTS, types and limits of its own for its other pages', async () => {
    await site.otherSite(`proxy_cache_path ${site.folder}/cache keys_zone=other:1m;\n${other(`add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;
      proxy_cache other; proxy_cache_valid any 1h; proxy_no_cache $http_authorization; proxy_cache_bypass $http_authorization; proxy_cache_min_uses 20;
      types { application/wasm wasm; } limit_rate 1k; proxy_bind 127.0.0.3; proxy_buffering off; ${kMount()}`)}`);
    await site.change(['hsts', 'on']);
    for (let i = 0; i < 15; ++i) assert.equal(await statusOf('/webcam/status', { localAddress: '127.0.0.10' }), 200, `request ${i}`);
    assert.equal(await statusOf('/webcam/status', { auth: null, localAddress: '127.0.0.10' }), 401);
    assert.match((await ask('/webcam/page.js')).headers['content-type'], /javascript/);
    const still = await ask('/webcam/pi.jpg');
    assert.equal(still.status, 200);
    assert.equal(still.headers['strict-transport-security'], undefined);
    await site.change(['hsts', 'off']);
    await site.otherSite(other(kMount()));
  });

  test('further mounts, and what is none', async () => {
    await site.change(['mount', '/house/front-door/']);
    assert.equal(site.picamctl(['mount', 'list']).stdout, '/house/front-door/ pi\n/webcam/ pi\n');
    await site.otherSite(other(`${kMount()} include ${site.folder}/etc/nginx/mount-house.front-door.con[f];`));
    assert.equal(await statusOf('/house/front-door/pi.jpg'), 200);
    assert.equal((await ask('/house/front-door')).headers.location, 'front-door/');
    for (const args of [['/'], ['webcam/'], ['/webcam'], ['/a b/'], ['/a;/'], ['/../'], ['/x/', 'nobody'], ['del', '/nothing/'], ['del', '.*'], []]) {
      assert.notEqual(site.picamctl(['mount', ...args], { mayFail: true }).status, 0, args.join(' '));
    }
    // The line that names it may stay.
    await site.change(['mount', 'del', '/house/front-door/']);
    assert.equal(await statusOf('/house/front-door/pi.jpg'), 404);
    await site.change(['camera', 'add', 'shed']);
    await site.change(['mount', '/shed/', 'shed']);
    assert.match(site.picamctl(['camera', 'del', 'shed'], { mayFail: true }).stderr, /mounted/);
    await site.change(['mount', 'del', '/shed/']);
    await site.change(['camera', 'del', 'shed']);
  });

  test('without picam\'s site, as when the package is removed, nginx still starts', () => {
    const file = path.join(site.folder, 'nginx.conf');
    const check = () => spawnSync('nginx', ['-p', site.folder, '-c', file, '-e', 'stderr', '-t'], { encoding: 'utf8' });
    const link = path.join(site.folder, 'sites-enabled/picam');
    site.picamctl(['disable']);
    rmSync(link);
    assert.equal(check().status, 0, check().stderr);
    site.picamctl(['setup']);
    assert.equal(check().status, 0, check().stderr);
    // Refused, it is not enabled, and the other site starts without it.
    const other = path.join(site.folder, 'sites-enabled/aaa');
    writeFileSync(other, 'log_format picam x;\n');
    assert.equal(site.picamctl(['enable'], { mayFail: true }).status, 1);
    assert.equal(check().status, 0, check().stderr);
    rmSync(other);
    site.picamctl(['enable']);
    writeFileSync(other, 'log_format picam x;\n');
    assert.equal(site.picamctl(['enable'], { mayFail: true }).status, 1);
    assert.equal(check().status, 0, check().stderr);
    rmSync(other);
    site.picamctl(['enable']);
    assert.equal(check().status, 0, check().stderr);
    assert.match(readFileSync(path.join(site.folder, 'etc/nginx/mount-webcam.conf'), 'utf8'), /location \^~ \/webcam\//);
  });
});

for (const [name, configure] of Object.entries(kProxies)) {
  const missing = spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0;
  describe(`behind ${name}, which strips a path and has the certificate`, { skip: missing && `${name} is not installed` }, () => {
    let site;
    let proxy;
    let port;
    const ask = (target, options) => site.ask(`/webcam${target}`, { port, ...options });
    before(async () => {
      site = await Site.start([], { secure: true });
      port = await freePort();
      const folder = path.join(site.folder, name);
      mkdirSync(folder);
      const made = site.openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=127.0.0.1', '-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'certificate.pem')]);
      assert.equal(made.status, 0, made.stderr);
      proxy = new Child(...configure(site, port, folder), { env: { ...process.env, HOME: folder } });
      await waitFor(name, () => {
        if (!proxy.running) throw new Error(`it ended:\n${proxy.log}`);
        return ask('/').then(() => true, () => false);
      });
    });
    after(async () => {
      await proxy?.end();
      await site?.stop();
    });

    test('one that nobody named is not believed', async () => {
      assert.equal((await ask('/')).status, 301);
      const lie = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-For': '192.0.2.7' };
      const moved = await site.ask('/', { plain: true, headers: lie });
      assert.equal(moved.status, 301);
      assert.equal(moved.headers.location, 'https://127.0.0.1/');
    });

    test('what it says of host and HTTPS holds', async () => {
      const said = await site.change(['proxy', 'add', '127.0.0.1']);
      assert.match(said.stdout, /127\.0\.0\.1/);
      assert.equal(site.picamctl(['proxy', 'list']).stdout, '127.0.0.1\n');
      for (const target of ['/', '/pi.jpg', '/stream', '/status', '/picam.css']) {
        assert.equal((await ask(target)).status, 200, target);
        assert.equal((await ask(target, { auth: null })).status, 401, target);
      }
      const Origin = `https://127.0.0.1:${port}`;
      const { ticket } = JSON.parse((await ask('/ticket')).body);
      for (const options of [{ auth: `picam:${site.password}` }, { ticket }]) {
        const viewer = await view({ port }, { target: '/webcam/stream', headers: { Origin }, ...options });
        await waitFor('frames', () => viewer.frames.length > 2);
        await end(viewer);
      }
      // What asks by itself in plain HTTP is led to HTTPS as before; what a proxy got so, to its own.
      assert.equal((await site.ask('/', { plain: true })).status, 301);
      const moved = await site.ask('/x', { plain: true, headers: { 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'cam.example.org:8080' } });
      assert.equal(moved.headers.location, 'https://cam.example.org/x');
      for (const proto of ['https|', '|https', '1|https', 'https, http']) {
        assert.equal((await site.ask('/', { plain: true, headers: { 'X-Forwarded-Proto': proto } })).status, 301, proto);
      }
    });

    test('a viewer is known by an address of its own', async () => {
      assert.equal((await ask('/ticket', { localAddress: '127.0.0.33' })).status, 200);
      const log = path.join(site.folder, 'picam.log');
      // nginx writes it when a worker ends, at the latest.
      await site.change(['name', 'add', 'a.example']);
      await waitFor('the line in the log', () => /^127\.0\.0\.33 - picam .*\/ticket/m.test(readFileSync(log, 'utf8')));
    });

    test('guesses count against who makes them', async () => {
      const guess = (localAddress) => ask('/pi.jpg', { auth: `picam:guess ${Math.random()}`, localAddress });
      const statuses = [];
      // One more is let pass every ten seconds.
      for (let i = 0; i < 40 && !statuses.includes(429); ++i) statuses.push((await guess('127.0.0.34')).status);
      assert.ok(statuses.includes(429), `${statuses}`);
      assert.equal((await guess('127.0.0.35')).status, 401);
      assert.equal((await ask('/pi.jpg', { localAddress: '127.0.0.34' })).status, 200);
    });

    test('figures for this machine alone do not go through it', async () => {
      assert.equal((await ask('/metrics')).status, 403);
      assert.equal((await ask('/metrics', { localAddress: '127.0.0.33' })).status, 403);
      assert.equal((await site.ask('/metrics', { auth: null })).status, 200);
      await site.change(['proxy', 'del', '127.0.0.1']);
      assert.equal((await ask('/')).status, 301);
      // Served in plain HTTP, the proxy that nobody named is this machine.
      await site.change(['http', 'serve']);
      assert.equal((await ask('/status')).status, 200);
      assert.equal((await ask('/metrics')).status, 403);
      await site.change(['http', 'redirect']);
    });

    test('nor through one that says nothing of itself', async () => {
      await site.change(['http', 'serve']);
      const silent = new Promise((resolve) => {
        let text = '';
        net.connect(site.httpPort, '127.0.0.1', function connected() { this.write('GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n'); })
          .on('data', (data) => { text += data; }).on('close', () => resolve(text));
      });
      assert.match(await silent, /^HTTP\/1\.1 403 /);
      await site.change(['http', 'redirect']);
    });

    test('what is no address is refused', () => {
      for (const address of ['', 'proxy.example.org', '192.0.2.1; deny all', '192.0.2.1/99', '300.1.1.1', '::zz']) {
        assert.notEqual(site.picamctl(['proxy', 'add', address], { mayFail: true }).status, 0, address);
      }
      assert.notEqual(site.picamctl(['proxy', 'del', '192.0.2.1'], { mayFail: true }).status, 0);
    });
  });
}
