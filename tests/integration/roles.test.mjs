// Who may change a camera's controls, through the site as the package installs it: what reaches picam-streamd, and in whose
// name. In the daemon's place stands a server that keeps what it gets; the last part asks the daemon itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import tls from 'node:tls';
import { after, before, beforeEach, describe, test } from 'node:test';
import { view } from './guarded-viewer.mjs';
import { kProxies } from './stripping-proxies.mjs';
import { Child, freePort, Site, waitFor } from './harness.mjs';

const kJson = { 'Content-Type': 'application/json', 'If-Match': '"17-9f3c2a"' };
const kLies = { 'X-Picam-User': 'root', 'X-Picam-Role': 'operator', 'X-Picam-Access': 'now', 'X_Picam_Role': 'operator', 'x-picam-role': 'operator' };
// A camera's addresses that lead to picam-streamd and change nothing.
const kLooks = ['status', 'ticket', 'healthz', 'stream.mjpg', 'controls'];
const kChanges = [['PATCH', 'controls'], ['POST', 'controls/focus'], ['POST', 'controls/reset']];

// A server at the sockets of a camera's picam-streamd. `requests`: what came, but for picamctl's word that new workers serve.
// `answer`: what it says to all of it.
class Recorder {
  static async listen(site, camera) {
    const recorder = new Recorder();
    recorder.answer = { status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' };
    recorder.requests = [];
    recorder.servers = await Promise.all(['http', 'stream'].map(async (name) => {
      const server = http.createServer((request, response) => {
        const parts = [];
        request.on('data', (data) => parts.push(data));
        request.on('end', () => {
          const { method, url, headers } = request;
          if (url.startsWith('/access?')) {
            response.end();
            return;
          }
          recorder.requests.push({ method, url, headers, body: Buffer.concat(parts).toString() });
          response.writeHead(recorder.answer.status, recorder.answer.headers).end(recorder.answer.body);
        });
      });
      server.on('upgrade', ({ method, url, headers }, socket) => {
        recorder.requests.push({ method, url, headers });
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      });
      const at = path.join(site.run, `${camera}.${name}.sock`);
      rmSync(at, { force: true });
      server.listen(at);
      await once(server, 'listening');
      return server;
    }));
    return recorder;
  }

  // What came since the last time.
  take() { return this.requests.splice(0); }

  close() {
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

const user = ({ headers }) => [headers['x-picam-user'], headers['x-picam-role']];

describe('what reaches the daemon', () => {
  let site;
  let pi;
  let garage;
  let garagePort;
  const passwords = { picam: '', anna: 'anna-has-one', Anna: 'Anna-has-another' };
  // Each from another address of this machine's: a login that nginx does not know counts as a guess.
  let last = 0;
  const ask = (target, { as = 'picam', ...options } = {}) => {
    last += 1;
    return site.ask(target, { auth: as && `${as}:${passwords[as]}`, localAddress: `127.0.1.${last % 250 + 1}`, ...options });
  };
  const change = (target, { method = 'PATCH', headers = {}, body = '{"Brightness": 0.2}', ...options } = {}) =>
    ask(target, { method, headers: { ...kJson, ...headers }, body, ...options });
  // In whose name a request of this user's arrives.
  const arrivesAs = async (as, target = '/controls', options = {}) => {
    pi.take();
    const answer = await change(target, { as, ...options });
    assert.equal(answer.status, 200, `${as} ${target}`);
    const [request, ...more] = pi.take();
    assert.deepEqual(more, []);
    return user(request);
  };
  // What it says.
  const picamctl = (...args) => site.changeMeanwhile(args, { input: `${passwords[args[2]] ?? 'long-enough-one'}\n` });

  before(async () => {
    site = await Site.start([], { secure: true });
    passwords.picam = site.password;
    await site.streamd.end();
    pi = await Recorder.listen(site, 'pi');
    garage = await Recorder.listen(site, 'garage');
    garagePort = await freePort();
    await picamctl('camera', 'add', 'garage', `${garagePort}`);
    await picamctl('user', 'add', 'anna');
  });
  after(async () => {
    pi?.close();
    garage?.close();
    await site?.stop();
  });
  beforeEach(() => {
    for (const recorder of [pi, garage]) {
      recorder.take();
      recorder.answer = { status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' };
    }
  });

  // What picamctl check says; it asks the site and the daemons, too.
  const checked = async () => {
    const child = site.picamctlMeanwhile(['check']);
    await child.ended;
    pi.take();
    garage.take();
    return child.log;
  };
  const addresses = () => [['/', pi, {}], ['/pi/', pi, {}], ['/garage/', garage, {}], ['/', garage, { port: garagePort }]];

  test('a look brings nothing of the client\'s, and the user to the controls alone', async () => {
    const Authorization = `Basic ${Buffer.from(`anna:${passwords.anna}`).toString('base64')}`;
    for (const [below, recorder, options] of addresses()) {
      for (const target of kLooks) {
        for (const method of ['GET', 'HEAD']) {
          const { status } = await ask(`${below}${target}`, { as: null, method, body: 'a body', headers: { Authorization, ...kLies, ...kJson, Cookie: 'a=b', 'Content-Length': 6 }, ...options });
          assert.equal(status, 200, `${method} ${below}${target}`);
          const [{ headers, ...request }] = recorder.take();
          assert.deepEqual(request, { method, url: `/${target}`, body: '' });
          const of = target === 'controls' ? { 'x-picam-user': 'anna', 'x-picam-role': 'viewer' } : {};
          assert.match(headers['x-picam-access'], /^\d+\.\d+$/);
          assert.deepEqual(headers, { host: `127.0.0.1:${options.port ?? site.port}`, 'x-picam-access': headers['x-picam-access'], ...of }, `${below}${target}`);
        }
      }
      assert.equal(await view({ port: options.port ?? site.port }, { target: `${below}stream`, headers: { Authorization, ...kLies } }), 403);
      assert.equal(await view({ port: options.port ?? site.port }, { target: `${below}stream`, headers: kLies, ticket: '0'.repeat(32) }), 403);
      assert.equal(recorder.requests.length, 2);
      for (const request of recorder.take()) assert.deepEqual(user(request), [undefined, undefined], request.url);
      assert.equal((await ask(`${below}metrics`, { as: null, headers: kLies, localAddress: undefined, ...options })).status, 200);
      assert.deepEqual(user(recorder.take()[0]), [undefined, undefined]);
    }
  });

  test('a change brings its body, what the daemon has to look at, and the user', async () => {
    const looked = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    for (const [below, recorder, options] of addresses()) {
      for (const [method, target] of kChanges) {
        for (const query of ['', '?x=1&format=text']) {
          const body = `{"Brightness": ${Math.random()}}`;
          const headers = { ...looked, ...kLies, Cookie: 'a=b', 'X-Forwarded-For': '192.0.2.1', Referer: 'https://evil.example/' };
          const answer = await change(`${below}${target}${query}`, { method, body, headers, ...options });
          assert.equal(answer.status, 200, `${method} ${below}${target}`);
          assert.equal(answer.headers['x-content-type-options'], 'nosniff');
          const [{ headers: got, ...request }, ...more] = recorder.take();
          assert.deepEqual(more, []);
          assert.deepEqual(request, { method, url: `/${target}${query}`, body });
          assert.deepEqual(got, { host: `127.0.0.1:${options.port ?? site.port}`, origin: looked.Origin, 'sec-fetch-site': 'cross-site', 'content-type': 'application/json',
            'if-match': kJson['If-Match'], 'content-length': `${body.length}`, 'x-picam-access': got['x-picam-access'], 'x-picam-user': 'picam', 'x-picam-role': 'operator' });
        }
      }
    }
    // Nor is the daemon told what the client did not say.
    await ask('/controls', { method: 'PATCH', body: '{}' });
    assert.deepEqual(Object.keys(pi.take()[0].headers).sort(), ['content-length', 'host', 'x-picam-access', 'x-picam-role', 'x-picam-user']);
  });

  test('in pieces, or waited with, a body arrives whole', async () => {
    const send = (lines, after100 = '') => new Promise((resolve, reject) => {
      let text = '';
      let sent = false;
      const socket = tls.connect({ host: '127.0.0.1', port: site.port, rejectUnauthorized: false }, () => {
        socket.write(`PATCH /controls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic ${Buffer.from(`picam:${passwords.picam}`).toString('base64')}\r\n${lines}`);
      });
      socket.on('data', (data) => {
        text += data;
        if (after100 && !sent && text.includes('100 Continue\r\n\r\n')) {
          sent = true;
          socket.write(after100);
        }
        if (/HTTP\/1\.1 [2-5]\d\d .*\r\n\r\n/s.test(text)) socket.end(); // nginx would wait for the rest of a body
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    assert.match(await send('Transfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n5\r\n: 1 }\r\n0\r\n\r\n'), /^HTTP\/1\.1 200 /);
    let [{ headers, body }] = pi.take();
    assert.deepEqual([body, headers['content-length'], headers['transfer-encoding']], ['{"a": 1 }', '9', undefined]);
    assert.match(await send('Expect: 100-continue\r\nContent-Length: 2\r\n\r\n', '{}'), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    [{ headers, body }] = pi.take();
    assert.deepEqual([body, headers.expect], ['{}', undefined]);
    // Of a body that is too large not even a beginning arrives, and nobody is asked to send one.
    assert.match(await send('Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n'), /^HTTP\/1\.1 413 /);
    assert.match(await send(`Transfer-Encoding: chunked\r\n\r\n${`800\r\n${'x'.repeat(2048)}\r\n`.repeat(3)}0\r\n\r\n`), /HTTP\/1\.1 413 /);
    assert.deepEqual(pi.take(), []);
  });

  test('as many bytes as a change has, and no more', async () => {
    for (const [method, target] of kChanges) {
      assert.equal((await change(`/${target}`, { method, body: 'x'.repeat(4096) })).status, 200);
      assert.equal(pi.take()[0].body.length, 4096);
      for (const bytes of [4097, 16384, 20000]) {
        const answer = await change(`/${target}`, { method, body: 'x'.repeat(bytes) });
        assert.equal(answer.status, 413, `${target} ${bytes}`);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.deepEqual(JSON.parse(answer.body), { error: 'a request here has at most 4096 bytes' });
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      }
      assert.deepEqual(pi.take(), []);
    }
  });

  test('by other methods nothing is changed, and it is said which are good', async () => {
    const allowed = { controls: 'GET, HEAD, PATCH', 'controls/focus': 'POST', 'controls/reset': 'POST', status: 'GET, HEAD', '': 'GET, HEAD', 'controls/nothing': 'GET, HEAD', 'pi.jpg': 'GET, HEAD' };
    const sentences = { 'GET, HEAD, PATCH': 'Only GET, HEAD and PATCH are allowed here.\n', POST: 'Only POST is allowed here.\n', 'GET, HEAD': 'Only GET and HEAD are allowed here.\n' };
    for (const [below, recorder, options] of addresses()) {
      for (const [target, methods] of Object.entries(allowed)) {
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'].filter((name) => !methods.split(', ').includes(name))) {
          if (method === 'GET' && methods === 'GET, HEAD') continue;
          const answer = await change(`${below}${target}?x=1`, { as: null, method, ...options });
          const what = `${method} ${below}${target}`;
          assert.equal(answer.status, 405, what);
          assert.equal(answer.headers.allow, methods, what);
          if (method !== 'HEAD') assert.equal(answer.body.toString(), sentences[methods], what);
          assert.equal(answer.headers['x-content-type-options'], 'nosniff', what);
        }
      }
      assert.deepEqual(recorder.take(), []);
    }
    for (const header of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
      assert.equal((await change('/controls', { method: 'POST', headers: { [header]: 'PATCH' } })).status, 405);
    }
    // The addresses behind are nobody's to ask for.
    for (const target of ['/picam-change/controls', '/picam-change/controls/focus', '/garage/picam-change/controls', '/picam-change/', '/picam-says/too-large', '/picam-says/post-only']) {
      assert.equal((await ask(target)).status, 404, target);
      assert.ok([404, 405].includes((await change(target)).status), target);
    }
    assert.deepEqual(pi.take(), []);
  });

  test('without the password nothing arrives', async () => {
    for (const [below, recorder, options] of addresses()) {
      for (const [method, target] of [['GET', 'controls'], ['HEAD', 'controls'], ...kChanges]) {
        for (const as of [null, 'nobody']) {
          const answer = await change(`${below}${target}`, { as, method, headers: kLies, ...options });
          assert.equal(answer.status, 401, `${method} ${below}${target}`);
          assert.equal(answer.headers['www-authenticate'], 'Basic realm="picam"');
          if (method !== 'HEAD') assert.equal(answer.body.toString(), 'A user and a password are needed here.\n');
        }
      }
      assert.deepEqual(recorder.take(), []);
    }
    assert.equal((await change('/controls', { headers: { Host: 'evil.example' } })).status, 421);
    assert.equal((await change('/controls', { plain: true })).status, 301);
    assert.deepEqual(pi.take(), []);
  });

  test('what the daemon says comes back as it said it', async () => {
    for (const status of [200, 400, 403, 404, 412, 415, 422, 428, 429, 503]) {
      pi.answer = { status, headers: { 'Content-Type': 'application/json', ETag: '"18-aa"', 'Retry-After': '1', 'Cache-Control': 'no-store' }, body: `{"error": "${status}"}` };
      for (const answer of [await change('/controls'), await ask('/controls')]) {
        assert.equal(answer.status, status);
        assert.deepEqual(JSON.parse(answer.body), { error: `${status}` });
        for (const [name, value] of [['etag', '"18-aa"'], ['retry-after', '1'], ['cache-control', 'no-store']]) assert.equal(answer.headers[name], value);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
    }
    assert.equal((await change('/garage/controls')).status, 200);
    garage.close();
    const away = await change('/garage/controls');
    assert.equal(away.status, 503);
    assert.equal(away.body.toString(), 'The camera program does not answer; it should be back in a moment.\n');
    garage = await Recorder.listen(site, 'garage');
  });

  test('roles: who has which, as soon as picamctl says so', async () => {
    const list = () => site.picamctl(['user', 'list']).stdout;
    const asViewer = (name) => [name, 'viewer'];
    const asOperator = (name) => [name, 'operator'];
    assert.equal(list(), 'picam\toperator\nanna\n');
    assert.deepEqual(await arrivesAs('anna'), asViewer('anna'));
    await picamctl('user', 'operator', 'anna');
    assert.deepEqual(await arrivesAs('anna'), asOperator('anna'), 'a login that nginx knows');
    // Names that are nearly another's.
    const [operator, near] = ['a.n-n@a_1', 'axn-n@a_12'];
    for (const name of [operator, near]) passwords[name] = `${name}-has-one-too`;
    await picamctl('user', 'add', 'Anna');
    await picamctl('user', 'add', operator, '--operator');
    await picamctl('user', 'add', near);
    for (const name of ['Anna', near]) assert.deepEqual(await arrivesAs(name), asViewer(name));
    for (const name of ['picam', 'anna', operator]) assert.deepEqual(await arrivesAs(name), asOperator(name));
    assert.equal(list(), `picam\toperator\nanna\toperator\nAnna\n${operator}\toperator\n${near}\n`);
    // A new password changes neither role nor place.
    passwords.anna = 'another of hers';
    await site.changeMeanwhile(['passwd', 'anna'], { input: `${passwords.anna}\n` });
    assert.match(list(), /^picam\toperator\nanna\toperator\nAnna\n/);
    assert.deepEqual(await arrivesAs('anna'), asOperator('anna'));
    await picamctl('user', 'viewer', 'anna');
    assert.deepEqual(await arrivesAs('anna'), asViewer('anna'));
    for (const name of ['Anna', operator, near]) await picamctl('user', 'del', name);
    // One who comes back is a new one.
    await picamctl('user', 'add', operator);
    assert.deepEqual(await arrivesAs(operator), asViewer(operator));
    await picamctl('user', 'del', operator);
    assert.equal(list(), 'picam\toperator\nanna\n');
    for (const args of [['operator', 'nobody'], ['viewer', 'nobody'], ['operator'], ['add', 'x', '--admin'], ['add', 'anyone'], ['add', 'picamctl'], ['add', '--operator'], ['operator', '.*']]) {
      assert.equal(site.picamctl(['user', ...args], { input: 'long-enough-one\n', mayFail: true }).status, 1, args.join(' '));
    }
    assert.equal(statSync(path.join(site.folder, 'etc/users')).mode & 0o777, 0o640);
  });

  test('without an operator it is said that nobody can change anything', async () => {
    assert.doesNotMatch(await checked(), /no user can change/);
    assert.match(await picamctl('user', 'viewer', 'picam'), /^Nobody can change the cameras' controls now: picamctl user operator NAME lets one\.$/m);
    assert.match(await checked(), /^note +no user can change the cameras' controls/m);
    assert.deepEqual(await arrivesAs('picam'), ['picam', 'viewer']);
    assert.equal(await picamctl('user', 'operator', 'anna'), '');
    assert.match(await picamctl('user', 'del', 'anna'), /^Nobody can change/);
    await picamctl('user', 'operator', 'picam');
    await picamctl('user', 'add', 'anna');
    assert.deepEqual(await arrivesAs('picam'), ['picam', 'operator']);
  });

  test('an installation from before has one operator', async () => {
    const users = path.join(site.folder, 'etc/users');
    const before = readFileSync(users, 'utf8');
    const lines = Object.fromEntries(before.trim().split('\n').map((line) => [line.split(':')[0], line.split(':').slice(0, 2).join(':')]));
    for (const [old, operator] of [[[lines.anna, lines.picam], 'picam'], [[lines.anna.replace('anna', 'zoe'), lines.anna], 'zoe']]) {
      writeFileSync(users, `${old.join('\n')}\n`);
      rmSync(path.join(site.folder, 'etc/nginx/operators.map'));
      assert.match(site.picamctl(['setup']).stdout, new RegExp(`^The user ${operator} can change`));
      assert.equal(readFileSync(users, 'utf8'), old.map((line) => `${line}${line.startsWith(`${operator}:`) ? ':operator' : ''}\n`).join(''));
      assert.equal(statSync(users).mode & 0o777, 0o640);
      // Once: who takes the role away has it taken.
      await picamctl('user', 'viewer', operator);
      assert.equal(site.picamctl(['setup']).stdout, '');
      assert.doesNotMatch(readFileSync(users, 'utf8'), /operator/);
    }
    writeFileSync(users, before);
    await picamctl('close');
    assert.deepEqual(await arrivesAs('picam'), ['picam', 'operator']);
  });

  test('an open site is changed by nobody, unless picamctl says so', async () => {
    assert.match(await picamctl('open'), /nobody can change/);
    const everywhere = async (expected, options = {}) => {
      for (const [below, recorder, at] of addresses()) {
        if (options.plain && at.port) continue;
        for (const [method, target] of [['GET', 'controls'], ...kChanges]) {
          for (const as of [null, 'picam']) {
            assert.equal((await change(`${below}${target}`, { as, method, headers: kLies, ...at, ...options })).status, 200);
            assert.deepEqual(user(recorder.take()[0]), expected, `${as} ${method} ${below}${target}`);
          }
        }
      }
    };
    await everywhere([undefined, undefined]);
    assert.match(await picamctl('open', '--controls'), /whoever reaches it can change/);
    await everywhere(['anyone', 'operator']);
    assert.match(await checked(), /^note +the site asks for no password, and anyone can change/m);
    // Another change keeps it, and so does an upgrade.
    await picamctl('http', 'serve');
    site.picamctl(['setup']);
    await everywhere(['anyone', 'operator'], { plain: true });
    await picamctl('http', 'redirect');
    assert.equal(site.picamctl(['open', '--control'], { mayFail: true }).status, 1);
    await picamctl('open');
    await everywhere([undefined, undefined]);
    await picamctl('close');
    assert.equal((await change('/controls', { as: null })).status, 401);
    assert.deepEqual(await arrivesAs('anna'), ['anna', 'viewer']);
  });

  test('below a path of another site roles are the same; without picam\'s password nobody has one', async () => {
    const port = await freePort();
    const other = (lines = '') => site.otherSite(`server {\n listen 127.0.0.1:${port};\n server_name _;\n ${lines}\n include ${site.folder}/etc/nginx/mount-webcam.con[f];\n}\n`);
    const there = { plain: true, port };
    await picamctl('mount', '/webcam/');
    await other('proxy_request_buffering off; proxy_set_header X-Picam-Role operator; client_max_body_size 1m;');
    assert.deepEqual(await arrivesAs('anna', '/webcam/controls', { ...there, headers: kLies }), ['anna', 'viewer']);
    assert.deepEqual(await arrivesAs('picam', '/webcam/controls', { ...there, headers: kLies }), ['picam', 'operator']);
    assert.deepEqual(await arrivesAs('picam', '/webcam/controls/focus', { ...there, method: 'POST' }), ['picam', 'operator']);
    assert.equal((await change('/webcam/controls', { as: null, ...there })).status, 401);
    assert.equal((await change('/webcam/controls', { ...there, body: 'x'.repeat(4097) })).status, 413);
    const { status, headers } = await change('/webcam/controls', { ...there, method: 'PUT' });
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD, PATCH']);
    for (const args of [['open'], ['open', '--controls']]) {
      await picamctl(...args);
      assert.deepEqual(await arrivesAs('picam', '/webcam/controls', { ...there, headers: kLies }), [undefined, undefined], args.join(' '));
    }
    await picamctl('close');
    await picamctl('mount', '/webcam/', 'pi', '--no-password');
    assert.deepEqual(await arrivesAs('picam', '/webcam/controls', { ...there, headers: kLies }), [undefined, undefined]);
    await picamctl('mount', 'del', '/webcam/');
    rmSync(path.join(site.folder, 'sites-enabled/other'));
  });

  for (const [name, configure] of Object.entries(kProxies)) {
    test(`behind ${name} a change comes through, in the user's name`, async (t) => {
      const port = await freePort();
      const folder = path.join(site.folder, name);
      mkdirSync(folder);
      const made = site.openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=127.0.0.1', '-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'certificate.pem')]);
      assert.equal(made.status, 0, made.stderr);
      await picamctl('proxy', 'add', '127.0.0.1');
      const proxy = new Child(...configure(site, port, folder), { env: { ...process.env, HOME: folder } });
      proxy.process.on('error', () => t.skip(`${name} is not installed`));
      try {
        await waitFor(name, () => proxy.process.pid === undefined || ask('/webcam/status', { port }).then(() => true, () => false));
        if (proxy.process.pid === undefined) return;
        for (const [as, role] of [['picam', 'operator'], ['anna', 'viewer']]) {
          assert.deepEqual(await arrivesAs(as, '/webcam/controls?x=1', { port, headers: kLies }), [as, role]);
        }
        await change('/webcam/controls', { port, headers: { Origin: 'https://a.example', 'Sec-Fetch-Site': 'same-site' } });
        const [{ url, headers, body }] = pi.take();
        assert.deepEqual([url, headers.host, headers.origin, headers['sec-fetch-site'], body], ['/controls', `127.0.0.1:${port}`, 'https://a.example', 'same-site', '{"Brightness": 0.2}']);
        assert.equal((await change('/webcam/controls', { port, as: null })).status, 401);
      } finally {
        if (proxy.process.pid !== undefined) await proxy.end();
        await picamctl('proxy', 'del', '127.0.0.1');
      }
    });
  }

  test('the log has every change, with its user, and not every look', async () => {
    await ask('/controls');
    await change('/controls?secret=s3cr3t', { as: 'anna' });
    await change('/garage/controls/reset', { method: 'POST' });
    await picamctl('name', 'add', 'a.example'); // nginx writes it when a worker ends, at the latest
    const log = () => readFileSync(path.join(site.folder, 'picam.log'), 'utf8');
    await waitFor('the lines', () => / - anna \[[^\]]*\] "PATCH \/controls HTTP\/1\.1" 200 /.test(log()) && / - picam \[[^\]]*\] "POST \/garage\/controls\/reset HTTP\/1\.1" 200 /.test(log()));
    assert.doesNotMatch(log(), /"GET \/controls HTTP\/1\.1" 200|s3cr3t/);
  });

  test('picamctl asks the daemon itself', async () => {
    const text = (body, status = 200) => { pi.answer = { status, headers: { 'Content-Type': 'text/plain' }, body }; };
    const run = async (...args) => {
      const child = site.picamctlMeanwhile(args);
      const { code } = await child.ended;
      return [code, child.log];
    };
    text('Brightness\t0.2\t-1 to 1\t\t\nExposureTime\t20000\t100 to 200000\t33333\tExposureTimeMode is Auto\nColourGains\t\t0 to 32\t1.8 1.5\t\nZoomCentre\t0.5 0.5\t0 to 1\t\tZoom is 1\n');
    assert.deepEqual(await run('get'), [0, 'Brightness 0.2 (-1 to 1)\nExposureTime 20000 (100 to 200000), now 33333; ExposureTimeMode is Auto\n'
      + 'ColourGains - (0 to 32), now 1.8 1.5\nZoomCentre 0.5 0.5 (0 to 1); Zoom is 1\n']);
    const [{ method, url, headers }] = pi.take();
    assert.deepEqual([method, url, user({ headers })], ['GET', '/controls?format=text', ['picamctl', 'operator']]);
    assert.match(readFileSync(path.join(site.folder, 'etc/nginx/generation.conf'), 'utf8'), new RegExp(`"${headers['x-picam-access']}"`));
    assert.deepEqual(await run('get', 'Brightness'), [0, '0.2\n']);
    assert.deepEqual(await run('get', '--camera', 'pi', 'ZoomCentre'), [0, '0.5 0.5\n']);
    assert.deepEqual(await run('get', 'Bright'), [1, 'picamctl: pi has no control Bright; picamctl get lists them\n']);
    text('');
    assert.match((await run('get'))[1], /no controls/);
    pi.take();
    for (const [words, sent] of [[['Brightness', '-0.2'], { Brightness: -0.2 }], [['AwbEnable', 'false'], { AwbEnable: false }], [['Brightness', 'null'], { Brightness: null }],
      [['ZoomCentre', '0.25', '1e-1'], { ZoomCentre: [0.25, 0.1] }], [['AwbMode', 'Indoor'], { AwbMode: 'Indoor' }], [['v4l2.power_line_frequency', '50 Hz'], { 'v4l2.power_line_frequency': '50 Hz' }],
      [['AwbMode', 'a "b" \\c$(id)\'é'], { AwbMode: 'a "b" \\c$(id)\'é' }], [['Gain', '007'], { Gain: '007' }], [['Gain', ''], { Gain: '' }]]) {
      assert.deepEqual(await run('set', ...words), [0, ''], words.join(' '));
      const [request] = pi.take();
      assert.deepEqual([request.method, request.url, JSON.parse(request.body)], ['PATCH', '/controls?format=text', sent]);
      assert.deepEqual([request.headers['content-type'], request.headers['if-match'], ...user(request)], ['application/json', '*', 'picamctl', 'operator']);
    }
    assert.deepEqual(await run('set', '--camera', 'garage', 'Zoom', '2'), [0, '']);
    assert.equal(garage.take()[0].body, '{"Zoom": 2}');
    text('{"error": "Brightness is -1 to 1, and no \\"7\\" or C:\\\\x", "name": "Brightness",\n "value": 7}\n', 422);
    assert.deepEqual(await run('set', 'Brightness', '7'), [1, 'picamctl: Brightness is -1 to 1, and no "7" or C:\\x\n']);
    text('nothing here\n', 404);
    assert.deepEqual(await run('get'), [1, 'picamctl: picam-streamd of pi answers 404\n']);
    for (const args of [['set'], ['set', 'Brightness'], ['set', 'A', '1', 'b'], ['set', 'A', 'b\nc'], ['get', 'a', 'b'], ['get', '--camera'], ['get', '--camera', 'attic'], ['set', '--camera=attic', 'A', '1']]) {
      const [code, said] = await run(...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(said, /^picamctl: .*\n$/, args.join(' '));
    }
    garage.close();
    assert.match((await run('get', '--camera', 'garage'))[1], /picam-streamd of garage does not answer/);
  });
});

describe('the daemon', () => {
  let site;
  before(async () => {
    site = await Site.start([], { secure: true });
    await site.change(['user', 'add', 'anna'], { input: 'anna-has-one\n' });
  });
  after(() => site?.stop());
  const anna = { auth: 'anna:anna-has-one' };
  const look = async (options) => {
    const answer = await site.ask('/controls', options);
    assert.equal(answer.status, 200, answer.body.toString());
    return { etag: answer.headers.etag, ...JSON.parse(answer.body) };
  };
  const patch = (body, options = {}) => site.ask('/controls', { method: 'PATCH', body: JSON.stringify(body), ...options, headers: { 'Content-Type': 'application/json', 'If-Match': '*', ...options.headers } });
  const preset = (name) => ({ presets: { [name]: {} } });

  test('tells a viewer that it may look, and changes nothing for one', async () => {
    const before = await look(anna);
    assert.deepEqual([before.user, before.may_change], ['anna', false]);
    for (const headers of [{}, kLies]) {
      const refused = await patch(preset('night'), { ...anna, headers });
      assert.equal(refused.status, 403);
      assert.equal(typeof JSON.parse(refused.body).error, 'string');
    }
    for (const target of ['/controls/focus', '/controls/reset']) {
      assert.equal((await site.ask(target, { ...anna, method: 'POST', headers: kJson, body: '{}' })).status, 403, target);
    }
    assert.equal((await look(anna)).etag, before.etag);
  });

  test('lets an operator change something, and says who it was', async () => {
    const before = await look();
    assert.deepEqual([before.user, before.may_change], ['picam', true]);
    const answer = await patch(preset('night'), { headers: { 'If-Match': before.etag } });
    assert.equal(answer.status, 200, answer.body.toString());
    assert.deepEqual(JSON.parse(answer.body).presets, { night: {} });
    assert.notEqual(answer.headers.etag, before.etag);
    await waitFor('a line in the log', () => /(?<![\w-])picam(?![\w-]).*night/.test(site.streamd.log));
    await site.change(['user', 'viewer', 'picam']);
    assert.equal((await patch(preset('day'))).status, 403);
    await site.change(['user', 'operator', 'picam']);
  });

  test('changes nothing for a page of another site', async () => {
    for (const headers of [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'null' }]) {
      assert.equal((await patch(preset('day'), { headers })).status, 403, JSON.stringify(headers));
    }
  });

  test('on an open site nobody may, unless picamctl says so', async () => {
    const nobody = { auth: null };
    await site.change(['open']);
    assert.equal((await look(nobody)).may_change, false);
    assert.equal((await patch(preset('day'), nobody)).status, 403);
    await site.change(['open', '--controls']);
    const seen = await look(nobody);
    assert.deepEqual([seen.user, seen.may_change], ['anyone', true]);
    assert.equal((await patch(preset('day'), nobody)).status, 200);
    await site.change(['close']);
    assert.equal((await patch(preset('day'), nobody)).status, 401);
  });

  test('answers picamctl', async () => {
    const { controls } = await look();
    const said = site.picamctl(['get']);
    for (const name of Object.keys(controls)) assert.match(said.stdout, new RegExp(`^${name.replaceAll('.', '\\.')} `, 'm'));
    const [name, control] = Object.entries(controls).find(([, { type }]) => type === 'number') ?? [];
    if (name === undefined) return;
    site.picamctl(['set', name, `${control.max}`]);
    assert.equal(Number(site.picamctl(['get', name]).stdout), control.max);
    const refused = site.picamctl(['set', name, `${control.max + 1}`], { mayFail: true });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, new RegExp(`^picamctl: .*${name.replaceAll('.', '\\.')}`));
    site.picamctl(['set', name, 'null']);
    assert.equal((await look()).controls[name].set, false);
  });
});
