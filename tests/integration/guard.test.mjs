// The site as the package installs it: TLS, passwords, tickets, limits, and every refusal, through nginx.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, appendFileSync, existsSync, statSync } from 'node:fs';
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { end, ticketOf, view } from './guarded-viewer.mjs';
import { assertWithin, Child, procFile, programs, Site, top, Viewer, freePort, waitFor } from './harness.mjs';

const kTargets = ['/', '/index.html', '/?action=snapshot', '/?action=stream', '/stream', '/stream.html', '/pi.jpg', '/stream.mjpg',
  '/status', '/ticket', '/healthz', '/picam.css', '/page.js', '/icon.svg', '/manifest.webmanifest', '/service-worker.js'];

// Runs a command in which socket(AF_INET6) fails with EAFNOSUPPORT, by a seccomp filter.
const kWithoutIpv6 = `import ctypes, os, platform, struct, sys
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 10), (0x06, 0, 0, 0x00050000 | 97), (0x06, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Filter(len(code), ctypes.addressof(program)))) == 0
os.execvp(sys.argv[1], sys.argv[1:])
`;

describe('the guarded site', () => {
  let site;
  before(async () => { site = await Site.start([], { secure: true }); });
  after(() => site.stop());

  test('asks everyone for a password', async () => {
    for (const target of kTargets) {
      const none = await site.ask(target, { auth: null });
      assert.equal(none.status, 401, target);
      assert.equal(none.headers['www-authenticate'], 'Basic realm="picam"', target);
      assert.equal(none.body.toString(), 'A user and a password are needed here.\n', target);
      assert.equal(none.headers['x-content-type-options'], 'nosniff', target);
    }
    for (const auth of ['picam:', ':', 'picam', `:${site.password}`, `Picam:${site.password}`, `picam:${site.password}x`]) {
      assert.equal((await site.ask('/pi.jpg', { auth })).status, 401, auth);
    }
    for (const value of ['Basic', 'Basic !', 'Bearer x', `Digest username="picam"`]) {
      assert.equal((await site.ask('/pi.jpg', { auth: null, headers: { Authorization: value } })).status, 401, value);
    }
    assert.equal(await view(site), 401);
    // What is under way when the stream runs is not everybody's either.
    for (const target of ['/picam-login', '/picam-websocket', '/picam-websocket-by-ticket', '/.well-known/acme-challenge/x', '/access?generation=9', '/generation']) {
      assert.equal((await site.ask(target)).status, 404, target);
    }
  });

  test('lets in who has it', async () => {
    for (const target of kTargets.filter((t) => !/stream$|mjpg/.test(t))) {
      const answer = await site.ask(target);
      assert.equal(answer.status, 200, target);
    }
    const still = await site.ask('/pi.jpg');
    assert.equal(still.body.readUInt16BE(0), 0xffd8);
    const viewer = await view(site, { auth: `picam:${site.password}` });
    await waitFor('frames', () => viewer.frames.length > 3);
    await end(viewer);
  });

  test('sends pages compressed to whom that is right, and nothing that tells of who asks', async () => {
    const headers = { 'Accept-Encoding': 'gzip' };
    for (const target of ['/', '/stream', '/page.js', '/picam.css', '/icon.svg', '/manifest.webmanifest']) {
      const [plain, small] = [await site.ask(target), await site.ask(target, { headers })];
      assert.deepEqual([plain.headers['content-encoding'], small.headers['content-encoding']], [undefined, 'gzip'], target);
      assert.deepEqual(gunzipSync(small.body), plain.body, target);
      assert.equal((await site.ask(target, { headers: { ...headers, 'If-None-Match': small.headers.etag } })).status, 304, target);
    }
    for (const target of ['/pi.jpg', '/status', '/controls', '/ticket', '/healthz', '/nope']) {
      assert.equal((await site.ask(target, { headers })).headers['content-encoding'], undefined, target);
    }
  });

  test('refuses other methods, bodies and paths out of its folder on every location', async () => {
    for (const target of [...kTargets, '/metrics', '/nope', '/access?generation=9', '/pi/access?generation=9']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND']) {
        const { status } = await site.ask(target, { method, auth: null });
        assert.equal(status, 405, `${method} ${target}`);
      }
    }
    for (const location of kTargets) {
      for (const way of ['/../etc/users', '/..%2fetc/users', '/%2e%2e/etc/users', '/..\\etc\\users', '/../../../../etc/passwd', '%00']) {
        const { status, body } = await site.ask(location.split('?')[0].replace(/\/$/, '') + way);
        assert.ok([400, 404].includes(status), `${location}${way}: ${status}`);
        assert.doesNotMatch(body.toString(), /\$6\$|root:/);
      }
    }
  });

  test('answers to its own names only', async () => {
    for (const Host of ['evil.example', 'picam.evil.example', 'localhost.evil.example', 'camera.box', 'afritz.box', 'evilts.net', 'camera.fritz.box.evil.example', '1.2.3.4.example', '[::1', 'a.local.example']) {
      const { status } = await site.ask('/', { headers: { Host } });
      assert.ok([400, 421].includes(status), `${Host}: ${status}`);
      assert.ok([400, 421].includes((await site.ask('/', { plain: true, headers: { Host } })).status), Host);
    }
    const refused = await site.ask('/pi.jpg', { auth: null, headers: { Host: 'Garden.example.org:8443' } });
    assert.equal(refused.status, 421);
    assert.equal(refused.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(refused.headers['x-content-type-options'], 'nosniff');
    assert.match(refused.body.toString(), /^picam does not answer to the name garden\.example\.org\..*: picamctl name add garden\.example\.org\n$/);
    for (const Host of ['camera.fritz.box', 'camera.home', 'camera.localdomain', 'camera.tail1234.ts.net', 'camera.speedport.ip', 'camera.internal',
      'localhost', 'camera', 'camera.local', 'camera.home.arpa', 'camera.LAN', '192.168.1.2:8443', '[fe80::1]', '[::1]:443']) {
      assert.equal((await site.ask('/', { headers: { Host } })).status, 200, Host);
    }
    await site.change(['name', 'add', 'Garden.example.org']);
    assert.equal(site.picamctl(['name', 'list']).stdout, 'garden.example.org\n');
    assert.equal((await site.ask('/', { headers: { Host: 'garden.example.org' } })).status, 200);
    await site.change(['name', 'del', 'garden.example.org']);
    assert.equal((await site.ask('/', { headers: { Host: 'garden.example.org' } })).status, 421);
  });

  test('refuses foreign pages the stream, with a password and with a ticket', async () => {
    const host = `127.0.0.1:${site.port}`;
    const auth = `picam:${site.password}`;
    for (const Origin of ['https://evil.example', `http://${host}.evil.example`, 'null', 'https://localhost']) {
      assert.equal(await view(site, { auth, headers: { Origin } }), 403, Origin);
      assert.equal(await view(site, { ticket: await ticketOf(site), headers: { Origin } }), 403, Origin);
    }
    await end(await view(site, { auth, headers: { Origin: `https://${host}` } }));
  });

  test('a ticket opens one WebSocket without a password, and nothing else', async () => {
    const ticket = await ticketOf(site);
    assert.match(ticket, /^[0-9a-f]{32}$/);
    const viewer = await view(site, { ticket });
    assert.equal(viewer.protocol, 'picam.v1');
    await waitFor('frames', () => viewer.frames.length > 3);
    await end(viewer);
    assert.equal(await view(site, { ticket }), 403, 'again');
    assert.equal(await view(site, { ticket: '0'.repeat(32) }), 403, 'a guess');
    assert.equal(await view(site, { ticket: 'x' }), 403);
    // Neither in another place, nor for another address.
    const other = await ticketOf(site);
    assert.equal(await view(site, { target: `/stream?ticket=${other}` }), 401);
    for (const target of ['/pi.jpg', '/stream.mjpg', '/status', '/ticket', '/stream']) {
      const headers = { 'Sec-WebSocket-Protocol': `picam.v1, picam.ticket.${other}` };
      assert.equal((await site.ask(target, { auth: null, headers })).status, 401, target);
    }
    assert.equal(await view(site, { ticket: other, target: '/pi.jpg' }), 401);
    await end(await view(site, { ticket: other }));
  });

  test('HTTP leads to HTTPS', async () => {
    for (const target of [...kTargets, '/nope']) {
      const { status, headers } = await site.ask(target, { plain: true, auth: null });
      assert.equal(status, 301, target);
      assert.equal(headers.location, `https://127.0.0.1${target}`);
    }
  });
});

describe('long headers', () => {
  test('of other programs of this host are no hindrance, and too long ones are said to be so', async () => {
    const site = await Site.start([], { secure: true });
    try {
      const auth = `picam:${site.password}`;
      const long = (bytes) => 'x'.repeat(bytes);
      const many = Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`X-Long-${i}`, long(16000)]));
      for (const headers of [{ Cookie: `a=${long(8500)}` }, { Cookie: `a=${long(16000)}` }, { Referer: `https://localhost/${long(12000)}` }, many,
        { 'If-None-Match': long(16000) }, { Origin: `https://${long(12000)}` }, { 'X-Forwarded-For': long(12000) }]) {
        // A login that nginx knows is asked of nobody.
        if (headers.Referer || headers === many) await site.change(['close']);
        const what = `${Object.keys(headers)[0]} of ${Object.values(headers)[0].length} bytes`;
        for (const target of ['/', '/pi.jpg', '/stream', '/status', '/ticket']) {
          assert.equal((await site.ask(target, { headers })).status, 200, `${target}, ${what}`);
        }
        assert.equal((await site.ask('/stream.mjpg', { method: 'HEAD', headers })).status, 200, `the multipart stream, ${what}`);
        if (headers.Origin) continue; // is refused
        for (const how of [{ auth }, { ticket: await ticketOf(site) }]) {
          const viewer = await view(site, { ...how, headers });
          assert.equal(typeof viewer, 'object', `${viewer} to ${Object.keys(how)[0]}, ${what}`);
          await end(viewer);
        }
      }
      // As long a password is wrong, and nothing else.
      for (const bytes of [4000, 8500, 12000]) assert.equal((await site.ask('/', { auth: `picam:${long(bytes * 0.74)}` })).status, 401, `${bytes}`);
      for (const headers of [{ Cookie: long(17000) }, { Authorization: `Basic ${long(17000)}` }, { ...many, 'X-More': long(16000), 'X-Most': long(16000) }]) {
        for (const target of kTargets) assert.equal((await site.ask(target, { auth: null, headers })).status, 400, target);
        assert.equal(await view(site, { auth, headers }), 400);
      }
    } finally {
      await site.stop();
    }
  });
});

describe('who looks is checked for as long as they look', () => {
  let site;
  let garage; // another camera, below its path and at a port
  let garagePort;
  before(async () => {
    site = await Site.start(['--stream.size', '1280x720', '--stream.ack_timeout', '60s'], { secure: true });
    garage = new Child(programs.streamd, [...site.flags, '--instance', 'garage', '--runtime-dir', site.run]);
    await site.ready(garage);
    garagePort = await freePort();
    await site.change(['camera', 'add', 'garage', `${garagePort}`]);
  });
  after(async () => {
    await garage?.end();
    await site.stop();
  });
  const basic = (auth) => (auth ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {});
  const ticket = (auth) => ticketOf({ ask: (target) => site.ask(target, { auth }) });
  const frames = (viewer) => waitFor('frames', () => viewer.frames.length > 3);
  // A multipart stream; `ended` when it has.
  const multipart = async (headers, target = '/stream.mjpg', port = site.port) => {
    const request = https.get({ host: '127.0.0.1', port, path: target, headers, agent: false, rejectUnauthorized: false });
    request.on('error', () => {});
    const [response] = await once(request, 'response');
    assert.equal(response.statusCode, 200);
    response.on('error', () => {}).resume();
    return { response, ended: new Promise((resolve) => response.on('close', resolve)), end: () => request.destroy() };
  };
  // nginx can write no more to this socket: what waits in it is the same for a while, which is ten frames.
  const isStalled = async (socket) => {
    const port = socket.localPort.toString(16).toUpperCase().padStart(4, '0');
    let last = 0;
    let since = Date.now();
    await waitFor('a stalled connection', () => {
      const line = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((text) => text.trim().split(/\s+/)).find((fields) => fields[2]?.endsWith(`:${port}`));
      const queued = parseInt(line[4].split(':')[0], 16);
      if (queued !== last || queued === 0) since = Date.now();
      last = queued;
      return Date.now() - since > 400;
    });
  };
  const workersGone = async (old, begun) => {
    await waitFor('the old workers to go', () => old.every((pid) => procFile(pid, 'cmdline') === null), 30_000);
    assertWithin(begun, 10_000, 'the end of the old workers');
  };

  // How to end it, who looked, and who may not any more.
  const ways = {
    passwd: { change: { args: ['passwd'], input: 'a-new-password\n' }, looking: () => `picam:${site.password}` },
    'user del': { before: { args: ['user', 'add', 'anna'], input: 'anna-has-one\n' }, change: { args: ['user', 'del', 'anna'] }, looking: () => 'anna:anna-has-one' },
    close: { before: { args: ['open'] }, change: { args: ['close'] }, looking: () => null },
  };
  for (const [name, { before: first, change, looking }] of Object.entries(ways)) {
    test(`${name}: streams end, tickets are void, nginx's old workers go`, async () => {
      if (first) await site.change(first.args, first);
      const auth = looking();
      const headers = basic(auth);
      const staying = await view(site, { auth: `picam:${site.password}` });
      const viewers = [await view(site, { headers }), await view(site, { ticket: await ticket(auth) }), await view(site, { headers }),
        await view(site, { headers, target: '/pi/stream' }), await view(site, { headers, target: '/garage/stream' }), await view({ port: garagePort }, { headers })];
      await Promise.all([staying, ...viewers].map(frames));
      viewers[2].send(JSON.stringify({ type: 'pause' }));
      const streams = [await multipart(headers), await multipart(headers, '/garage/stream.mjpg'), await multipart(headers, '/stream.mjpg', garagePort)];
      const ended = Promise.all([staying, ...viewers].map((viewer) => once(viewer, 'close')).concat(streams.map((stream) => stream.ended)));
      const unused = await ticket(auth);
      // One whose request is on its way to an old worker, which still knows it as good.
      const late = tls.connect({ host: '127.0.0.1', port: site.port, rejectUnauthorized: false });
      late.on('error', () => {});
      await once(late, 'secureConnect');
      late.write('GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n');
      const old = site.nginxWorkers();
      const changing = site.picamctlMeanwhile(change.args, change);
      assert.equal((await changing.ended).code, 0, changing.log);
      const begun = Date.now();
      if (name === 'passwd') site.password = 'a-new-password';
      const [[code]] = await ended;
      assertWithin(begun, 2000, 'the end of the streams');
      assert.equal(code, 1013);
      // An old worker of nginx's may still take a connection: who comes by it is told to try again.
      const answerTo = async (options) => {
        let answer;
        await waitFor('an answer by a new worker', async () => ![0, 503].includes(answer = await view(site, options)));
        return answer;
      };
      assert.equal(await answerTo({ ticket: unused }), 403, 'a ticket from before');
      assert.equal(await answerTo({ headers }), 401);
      let answer = '';
      late.on('data', (data) => { answer += data.toString('latin1'); });
      late.write(`${auth ? `Authorization: ${headers.Authorization}\r\n` : ''}\r\n`);
      await waitFor('an answer to the late one, or its end', () => answer.includes('\r\n\r\n') || late.destroyed);
      assert.doesNotMatch(answer, /^HTTP\/1\.1 200/);
      late.destroy();
      // Who may look does at once, by a worker that knows it.
      await waitFor('no old worker to take a connection', () => old.every((pid) => procFile(pid, 'cmdline')?.includes('shutting down') ?? true));
      const again = await view(site, { auth: `picam:${site.password}` });
      await frames(again);
      await workersGone(old, begun);
      await end(again);
      await waitFor('nobody', async () => (await site.status()).viewers.total === 0);
    });
  }

  test('who does not read keeps no old worker, whatever has changed', async () => {
    const headers = basic(`picam:${site.password}`);
    const viewer = await view(site, { headers, target: '/stream?format=jpeg', protocols: [] });
    viewer.pause();
    const stream = await multipart(headers);
    stream.response.pause();
    await Promise.all([viewer._socket, stream.response.socket].map(isStalled));
    const old = site.nginxWorkers();
    site.picamctl(['name', 'add', 'cam.example.org']);
    await workersGone(old, Date.now());
    await waitFor('nobody', async () => (await site.status()).viewers.total === 0);
    viewer.terminate();
    stream.end();
  });

  test('a program that does not answer is said to be so, and one that does not run is not missed', async () => {
    garage.process.kill('SIGSTOP');
    const { stderr } = site.picamctl(['close']);
    garage.process.kill('SIGCONT');
    assert.match(stderr, /picam-streamd of garage does not answer/);
    await garage.end();
    assert.equal(site.picamctl(['close']).stderr, '');
  });

  test('a change that nginx does not go over to is said to be so', async () => {
    // A port that another has is seen only by the nginx that shall serve.
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const conf = path.join(site.folder, 'picam-site.conf');
    const good = readFileSync(conf, 'utf8');
    appendFileSync(conf, `server {\n listen 127.0.0.1:${server.address().port};\n}\n`);
    const viewer = await view(site, { auth: `picam:${site.password}` });
    const closing = site.picamctlMeanwhile(['close']);
    assert.equal((await closing.ended).code, 1);
    assert.match(closing.log, /nginx goes on with what it had before/);
    const before = viewer.frames.length;
    await waitFor('frames', () => viewer.frames.length > before + 30);
    await end(viewer);
    server.close();
    writeFileSync(conf, good);
    site.picamctl(['close']);
  });
});

describe('a machine that has a site', () => {
  let site;
  let foreign; // a port where another site listens
  before(async () => { site = await Site.start([], { secure: true }); });
  after(() => site.stop());
  const file = (name) => path.join(site.folder, name);
  const other = (name, text) => writeFileSync(file(`sites-enabled/${name}`), text);
  const without = (name) => rmSync(file(`sites-enabled/${name}`), { force: true });
  const listens = () => ['http', 'https'].map((name) => readFileSync(file(`etc/nginx/listen-${name}.conf`), 'utf8').split('\n').slice(1, -1));
  // As the package does it the first time: no site and no ports are there yet.
  const install = (options) => {
    without('picam');
    for (const name of ['listen-http.conf', 'listen-https.conf', 'https-port.map', 'certificate.conf']) rmSync(file(`etc/nginx/${name}`), { force: true });
    const said = site.picamctl(['setup'], options);
    return { stdout: said.stdout, enabled: site.picamctl(['enable'], { mayFail: true, ...options }) };
  };
  const takesIt = () => spawnSync('nginx', ['-t', '-p', site.folder, '-c', file('nginx.conf'), '-e', 'stderr'], { encoding: 'utf8' });
  const ports = async () => [await freePort(), await freePort()];
  // A running nginx does not go over from one address of a port to all of them, nor back.
  const restart = async () => {
    await site.nginx.end();
    await site.startNginx();
  };

  test('keeps its ports, and picam takes others and says so', async () => {
    other('mainsail', `server {\n listen 127.0.0.1:${site.httpPort} default_server; # "}\n server_name _;\n location / { return 200 "mainsail; {"; }\n}\n`);
    // Of this machine's own, and of no TCP: nobody's loss.
    other('local', `server {\n listen unix:${file('x.sock')};\n}\n`);
    let { stdout, enabled } = install();
    assert.equal(stdout, '', 'what listens for this machine alone has no port');
    assert.equal(enabled.status, 0, enabled.stderr);
    foreign = site.httpPort;
    for (const listen of [`${foreign} default_server`, `*:${foreign}`, `[::]:${foreign} ipv6only=on`, `192.0.2.1:${foreign}`]) {
      other('mainsail', `# listen 1;\nserver\n{\n  listen ${listen};\n  location / { set $x "listen 2; }"; return 200 'mainsail; {'; }\n}\nupstream u { server 127.0.0.1:3; }\n`);
      without('local');
      ({ stdout, enabled } = install());
      assert.match(stdout, new RegExp(`^Port ${foreign} is left to the site .*/sites-enabled/mainsail, which has it: picam's HTTP is at port (80\\d\\d) `), listen);
      assert.equal(stdout.split('\n').length, 2, stdout);
      const [[http], [tls]] = listens();
      assert.match(http, /^listen 127\.0\.0\.1:80\d\d;$/);
      assert.equal(tls, `listen 127.0.0.1:${site.port} ssl;`);
      if (!listen.startsWith('192')) assert.equal(enabled.status, 0, enabled.stderr);
    }
    other('mainsail', `server {\n listen ${foreign} default_server;\n server_name _;\n location / { return 200 mainsail; }\n}\n`);
    install();
    await restart();
    const at = (port, options) => site.ask('/', { plain: true, port, ...options });
    for (const Host of ['127.0.0.1', 'localhost', 'camera.local', 'camera']) {
      assert.equal((await at(foreign, { headers: { Host } })).body.toString(), 'mainsail', Host);
    }
    const [http] = site.picamctl(['ports']).stdout.match(/\d+/g);
    assert.equal((await at(http, { auth: null })).headers.location, 'https://127.0.0.1/');
  });

  test('ports: HTTP leads to the port of HTTPS, and who else has one is said', async () => {
    const [http, tls] = await ports();
    await site.change(['ports', `${http}`, `${tls}`]);
    assert.equal(site.picamctl(['ports']).stdout, `HTTP ${http}, HTTPS ${tls}\n`);
    assert.equal((await site.ask('/x?y', { plain: true, port: http, auth: null })).headers.location, `https://127.0.0.1:${tls}/x?y`);
    assert.equal((await site.ask('/', { port: tls })).status, 200);
    assert.equal((await site.ask('/x', { plain: true, port: tls, auth: null, headers: { Host: `localhost:${tls}` } })).headers.location, `https://localhost:${tls}/x`);
    // A setup of the next version leaves them.
    site.picamctl(['setup']);
    assert.equal(site.picamctl(['ports']).stdout, `HTTP ${http}, HTTPS ${tls}\n`);
    assert.match(site.picamctl(['tls', 'acme', 'cam.example.org'], { mayFail: true }).stderr, new RegExp(`the authority asks port ${site.httpPort}, and picam has port ${http}`));
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const taken = server.address().port;
    for (const [args, why] of [[[taken, tls], /is taken: node/], [[http, http], /two numbers/], [[0, tls], /no port/], [[http, 65536], /no port/], [[http], /two numbers/]]) {
      const { status, stderr } = site.picamctl(['ports', ...args.map(String)], { mayFail: true });
      assert.equal(status, 1, `${args}`);
      assert.match(stderr, why);
    }
    assert.equal(site.picamctl(['ports']).stdout, `HTTP ${http}, HTTPS ${tls}\n`);
    const checked = () => site.picamctl(['check'], { mayFail: true }).stdout;
    assert.match(checked(), new RegExp(`ok +port ${tls} is picam's\n`));
    assert.match(site.picamctl(['ports', `${foreign}`, `${tls}`]).stdout, new RegExp(`Port ${foreign} is shared with the site .*mainsail`));
    assert.match(checked(), new RegExp(`note +port ${foreign} is shared with the site .*mainsail`));
    without('mainsail');
    assert.match(site.picamctl(['camera', 'add', 'garage', `${taken}`], { mayFail: true }).stderr, /listens at port/);
    other('far', 'server {\n listen 127.0.0.1:4;\n listen 192.0.2.1:7;\n}\n'); // where nothing answers
    assert.match(site.picamctl(['camera', 'add', 'garage', '7'], { mayFail: true }).stderr, /port 7 is taken: the site .*far has it/);
    without('far');
    // Another program that has come to a port of picam's.
    writeFileSync(file('etc/nginx/listen-http.conf'), `#\nlisten 127.0.0.1:${taken};\n`);
    assert.match(checked(), new RegExp(`BAD +port ${taken} is taken: node listens there, and nginx would not start\n +.*picamctl ports HTTP HTTPS`));
    // And at an installation.
    const share = file('share/ports.sh');
    const text = readFileSync(share, 'utf8');
    writeFileSync(share, text.replace(/first_ports=\(\d+/, `first_ports=(${taken}`).replace('other_ports=(8080', `other_ports=(${taken}`));
    const { stdout } = install();
    assert.match(stdout, new RegExp(`^Port ${taken} is left to node, which has it: picam's HTTP is at port `));
    assert.notEqual(Number(/HTTP (\d+)/.exec(site.picamctl(['ports']).stdout)[1]), taken);
    writeFileSync(share, text);
    server.close();
    install();
    await restart();
  });

  test('an installation from before stays where it is', () => {
    other('mainsail', `server {\n listen 127.0.0.2:${site.port};\n listen ${site.httpPort};\n}\n`);
    for (const name of ['listen-http.conf', 'listen-https.conf']) rmSync(file(`etc/nginx/${name}`));
    assert.equal(site.picamctl(['setup']).stdout, '');
    assert.equal(site.picamctl(['ports']).stdout, `HTTP ${site.httpPort}, HTTPS ${site.port}\n`);
    without('mainsail');
  });

  test('a site that nginx refuses is never left enabled, and it is said why', async () => {
    const enabled = () => existsSync(file('sites-enabled/picam'));
    const why = () => site.picamctl(['check'], { mayFail: true }).stdout.match(/^BAD +nginx refuses.*\n.*/m)?.[0];
    // Something of the same name.
    for (const [text, says] of [['limit_req_zone $uri zone=picam_requests:1m rate=1r/s;\n', /picam_requests/], ['log_format picam x;\n', /duplicate "log_format" name "picam"/]]) {
      other('aaa', text);
      assert.notEqual(takesIt().status, 0);
      assert.match(why(), says);
      assert.match(why(), /another site has a zone, a log format or the like of that name/);
      const { enabled: result } = install();
      assert.equal(result.status, 1);
      assert.match(result.stderr, says);
      assert.ok(!enabled());
      assert.equal(takesIt().status, 0);
      // At an upgrade, too.
      without('aaa');
      assert.equal(site.picamctl(['enable']).status, 0);
      other('aaa', text);
      assert.equal(site.picamctl(['enable'], { mayFail: true }).status, 1);
      assert.ok(!enabled());
      assert.equal(takesIt().status, 0);
      without('aaa');
      assert.equal(site.picamctl(['enable']).status, 0);
      assert.ok(enabled());
    }
    // Somebody else's mistake: a site that is there stays, a new one waits.
    other('aaa', 'nonsense;\n');
    assert.match(why(), /unknown directive "nonsense"[^]*not picam's: mend it/);
    assert.match(site.picamctl(['enable'], { mayFail: true }).stderr, /not for picam's site: .*nonsense/);
    assert.ok(enabled());
    const { enabled: result } = install();
    assert.equal(result.status, 1);
    assert.match(result.stderr, /nonsense.*\n.*not picam's/);
    assert.ok(!enabled());
    without('aaa');
    assert.equal(site.picamctl(['enable']).status, 0);
  });

  test('a kernel without IPv6', async () => {
    // Of a process and its children: socket(AF_INET6) fails as it does with ipv6.disable=1.
    const no6 = file('no6');
    writeFileSync(no6, kWithoutIpv6);
    const share = file('share/ports.sh');
    const text = readFileSync(share, 'utf8');
    writeFileSync(share, text.replace("listen_at=('127.0.0.1:')", "listen_at=('127.0.0.1:' '[::1]:')"));
    const picamctl = (args) => spawnSync('python3', [no6, 'bash', file('share/picamctl'), ...args], { encoding: 'utf8', env: site.picamctlEnv() });
    const refused = () => spawnSync('python3', [no6, 'nginx', '-t', '-p', site.folder, '-c', file('nginx.conf'), '-e', 'stderr'], { encoding: 'utf8' });
    site.picamctl(['setup']);
    assert.equal(listens().flat().length, 4, 'a machine that has it');
    assert.match(refused().stderr, /Address family not supported/);
    assert.match(picamctl(['check']).stdout, new RegExp(`BAD +nginx refuses.*Address family not supported.*\n.*no IPv6: picamctl ports ${site.httpPort} ${site.port} `));
    const { status, stderr } = picamctl(['close']);
    assert.equal(status, 1);
    assert.match(stderr, /nothing was changed; this kernel has no IPv6/);
    const mended = picamctl(['ports', `${site.httpPort}`, `${site.port}`]);
    assert.equal(mended.status, 0, mended.stderr);
    assert.equal(listens().flat().length, 2);
    assert.equal(refused().status, 0, refused().stderr);
    assert.equal(picamctl(['setup']).status, 0);
    assert.equal(refused().status, 0);
    writeFileSync(share, text);
    site.picamctl(['setup']);
  });

  test('an nginx of another user', () => {
    const conf = readFileSync(file('nginx.conf'), 'utf8');
    const group = (name) => statSync(file(name)).gid;
    const id = (name) => Number(spawnSync('id', ['-g', name], { encoding: 'utf8' }).stdout);
    for (const [user, gid] of [['games', id('games')], ['www-data games', id('games')], ['www-data', id('www-data')]]) {
      writeFileSync(file('nginx.conf'), conf.replace(/^user .*;/m, `user ${user};`));
      site.picamctl(['setup']);
      assert.equal(group('etc/users'), gid, user);
      const units = 'systemd/picam-snapshot@.socket.d/nginx-group.conf';
      if (gid === id('www-data')) {
        assert.ok(!existsSync(file(units)) && !existsSync(file('tmpfiles.d/picam.conf')));
      } else {
        assert.match(readFileSync(file(units), 'utf8'), /^\[Socket\]\nSocketGroup=games$/m);
        assert.match(readFileSync(file('tmpfiles.d/picam.conf'), 'utf8'), /^d \S+ 2750 picam games -$/m);
        assert.match(site.picamctl(['check'], { mayFail: true }).stdout, /picam:games|640 root games|etc\/users\n/);
      }
    }
    writeFileSync(file('nginx.conf'), conf);
    site.picamctl(['setup']);
  });
});

describe('limits', () => {
  test('one address cannot ask without end', async () => {
    const site = await Site.start([], { secure: true });
    try {
      const agent = new https.Agent({ keepAlive: true });
      const answers = [];
      let refused = false;
      // Until one is too many: how many that is depends on how fast they are.
      await Promise.all(Array.from({ length: 30 }, async () => {
        while (!refused && answers.length < 3000) {
          const answer = await site.ask('/healthz', { agent });
          answers.push(answer);
          refused ||= answer.status === 429;
        }
      }));
      agent.destroy();
      const statuses = new Set(answers.map((answer) => answer.status));
      assert.deepEqual([...statuses].sort(), [200, 429]);
      assert.equal(answers.find(({ status }) => status === 429).body.toString(), 'Too many requests from this address; try again in a moment.\n');
    } finally {
      await site.stop();
    }
  });
});

describe('addresses', () => {
  test('of IPv6 the first half is one for the limits, however nginx writes it', async () => {
    const site = await Site.start([], { secure: true });
    try {
      const port = await freePort();
      appendFileSync(path.join(site.folder, 'picam-site.conf'), `server {\n listen 127.0.0.1:${port};\n set_real_ip_from 127.0.0.1;\n ` +
        'real_ip_header X-Address;\n return 200 "$remote_addr $picam_address";\n}\n');
      await site.change(['close']);
      const group = async (address) => {
        const answer = await site.ask('/', { plain: true, port, headers: { 'X-Address': address } });
        return answer.body.toString().split(' ');
      };
      const spellings = new Set();
      // Every pattern of zero groups, but what nginx takes for an IPv4 address.
      for (let zeros = 0; zeros < 256; zeros += 1) {
        const groups = Array.from({ length: 8 }, (_, i) => (zeros & 1 << i ? '0' : `${i + 1}a`));
        if (groups.slice(0, 6).every((g) => g === '0')) continue;
        const [written, network] = await group(groups.join(':'));
        assert.equal(network, groups.slice(0, 4).join(':'), written);
        spellings.add(written.replaceAll(/[0-9]a/g, 'x'));
      }
      assert.ok(spellings.size > 200, `${spellings.size}`);
      for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2']) assert.deepEqual(await group(address), [address, address]);
    } finally {
      await site.stop();
    }
  });
});

describe('connections', () => {
  test('one address has sixty at a time, and another sixty when these have ended', async () => {
    const site = await Site.start([], { secure: true });
    try {
      const auth = `picam:${site.password}`;
      assert.equal((await site.ask('/')).status, 200); // the password is known from here on
      const answers = await Promise.all(Array.from({ length: 70 }, () => view(site, { auth })));
      const refused = answers.filter((answer) => typeof answer === 'number');
      assert.ok(refused.length > 0 && refused.every((status) => status === 429), `${refused}`);
      const viewers = answers.filter((answer) => typeof answer !== 'number');
      assert.ok(viewers.length >= 50 && viewers.length <= 60, `${viewers.length}`);
      assert.equal((await site.ask('/')).status, 429);
      await Promise.all(viewers.map(end));
      await waitFor('room', async () => (await site.ask('/')).status === 200);
    } finally {
      await site.stop();
    }
  });
});

describe('picamctl', () => {
  let site;
  before(async () => { site = await Site.start([], { secure: true }); });
  after(() => site.stop());
  const etc = (name) => path.join(site.folder, 'etc', name);
  const statusOf = async (target, options) => (await site.ask(target, options)).status;

  test('setup keeps what is there, and the first password is root\'s', () => {
    assert.match(readFileSync(etc('first-password'), 'utf8'), /^[a-z0-9]{20}\n$/);
    assert.ok(site.said.includes(etc('first-password')), 'it says where it is');
    assert.ok(!site.said.includes(site.password), 'and not what it is, into a log that others read');
    assert.equal(statSync(etc('first-password')).mode & 0o777, 0o600);
    assert.equal(statSync(etc('users')).mode & 0o777, 0o640);
    assert.equal(statSync(etc('tls/self-signed.key')).mode & 0o777, 0o600);
    const before = readFileSync(etc('users'), 'utf8');
    assert.equal(site.picamctl(['setup']).stdout, '');
    assert.equal(readFileSync(etc('users'), 'utf8'), before);
  });

  test('passwd: the old password is void at once', async () => {
    assert.equal(await statusOf('/'), 200);
    const old = `picam:${site.password}`;
    await site.change(['passwd'], { input: 'correct horse: battery\n' });
    site.password = 'correct horse: battery';
    assert.equal(await statusOf('/'), 200);
    assert.equal(await statusOf('/', { auth: old }), 401);
    assert.ok(!existsSync(etc('first-password')));
    for (const input of ['', 'short\n', `${'x'.repeat(129)}\n`]) {
      assert.notEqual(site.picamctl(['passwd'], { input, mayFail: true }).status, 0, input);
    }
    assert.equal(await statusOf('/'), 200);
  });

  test('user add, list, del', async () => {
    await site.change(['user', 'add', 'anna'], { input: 'anna-has-one\n' });
    assert.equal(site.picamctl(['user', 'list']).stdout, 'picam\toperator\nanna\n');
    assert.equal(await statusOf('/', { auth: 'anna:anna-has-one' }), 200);
    await site.change(['user', 'del', 'anna']);
    assert.equal(await statusOf('/', { auth: 'anna:anna-has-one' }), 401);
    for (const args of [['add', 'a:b'], ['add', '../x'], ['add', 'x\ny'], ['add', ''], ['del', 'nobody'], ['del', 'picam'], ['add', 'picam'], ['list2']]) {
      assert.notEqual(site.picamctl(['user', ...args], { input: 'long-enough-one\n', mayFail: true }).status, 0, args.join(' '));
    }
    assert.equal(site.picamctl(['user', 'list']).stdout, 'picam\toperator\n');
  });

  test('open and close', async () => {
    await site.change(['open']);
    assert.equal(await statusOf('/pi.jpg', { auth: null }), 200);
    await end(await view(site));
    await site.change(['close']);
    assert.equal(await statusOf('/pi.jpg', { auth: null }), 401);
    assert.equal(await statusOf('/pi.jpg'), 200);
  });

  test('http serve and redirect', async () => {
    assert.equal(await statusOf('/pi.jpg', { plain: true }), 301);
    await site.change(['http', 'serve']);
    assert.equal(await statusOf('/pi.jpg', { plain: true }), 200);
    assert.equal(await statusOf('/pi.jpg', { plain: true, auth: null }), 401);
    await site.change(['http', 'redirect']);
    assert.equal(await statusOf('/pi.jpg', { plain: true }), 301);
  });

  test('hsts on and off', async () => {
    const header = async () => (await site.ask('/')).headers['strict-transport-security'];
    assert.equal(await header(), undefined);
    await site.change(['hsts', 'on']);
    assert.equal(await header(), 'max-age=31536000');
    await site.change(['hsts', 'off']);
    assert.equal(await header(), undefined);
  });

  test('check sees the settings that are in force, with what the camera\'s own file says', async () => {
    const env = { PATH: `${path.dirname(programs.streamd)}:${process.env.PATH}` };
    const check = (text) => {
      writeFileSync(etc('pi.env'), text);
      const { stdout } = site.picamctl(['check'], { mayFail: true, env });
      return stdout.split('\n').filter((line) => / pi: (the settings|camera\.source|a camera|no camera)/.test(line)).join('\n');
    };
    const trace = path.join(site.folder, 'trace');
    assert.match(check('PICAM_CAMERA_SOURCE=pattern\n'), /^ok +pi: the settings\nnote +pi: camera\.source is pattern/);
    assert.match(check('PICAM_CAMERA_SOURCE=pattren\n'), /^BAD +pi: the settings: .*pattren/);
    assert.match(check('PICAM_STREAM_FPS=900\n'), /^BAD +pi: the settings: .*900/);
    assert.match(check('PICAM_NONSENSE=1\n'), /^BAD +pi: the settings: .*PICAM_NONSENSE/);
    // As systemd reads it: no shell, spaces, quotes, comments, no end of the last line.
    for (const text of [`# a comment\n; another\nPICAM_CAMERA_ID=HD Webcam $(touch ${trace}) \`touch ${trace}\`; touch ${trace}\nPICAM_CAMERA_SOURCE = x\nPICAM_CAMERA_SOURCE=pattern`,
      ' PICAM_CAMERA_SOURCE="pattern" \n', "PICAM_CAMERA_SOURCE='replay'\nPICAM_CAMERA_FILE=\"/a folder/x.y4m\"\nnonsense\n"]) {
      assert.match(check(text), /^ok +pi: the settings\nnote +pi: camera\.source is (pattern|replay)/, text);
    }
    assert.ok(!existsSync(trace), 'it is no shell\'s');
    rmSync(etc('pi.env'));
  });

  test('tls files, self-signed and renew', async () => {
    const served = () => new Promise((resolve, reject) => {
      const request = https.request({ host: '127.0.0.1', port: site.port, rejectUnauthorized: false, agent: false }, (response) => {
        resolve(response.socket.getPeerCertificate());
        response.resume();
      });
      request.on('error', reject).end();
    });
    const first = await served();
    assert.match(first.subjectaltname, /DNS:localhost/);
    const cert = path.join(site.folder, 'own.pem');
    const key = path.join(site.folder, 'own.key');
    const made = site.openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '90', '-subj', '/CN=x',
      '-addext', 'subjectAltName=DNS:cam.example.org', '-keyout', key, '-out', cert]);
    assert.equal(made.status, 0, made.stderr);
    for (const [c, k] of [[cert, etc('tls/self-signed.key')], [key, key], ['/nowhere', key], [etc('users'), key]]) {
      assert.notEqual(site.picamctl(['tls', 'files', c, k], { mayFail: true }).status, 0, `${c} ${k}`);
    }
    assert.equal((await served()).fingerprint, first.fingerprint);
    await site.change(['tls', 'files', cert, key]);
    assert.equal((await served()).subjectaltname, 'DNS:cam.example.org');
    assert.equal(await statusOf('/', { headers: { Host: 'cam.example.org' } }), 200);
    site.picamctl(['tls', 'renew']); // not ours to renew
    assert.equal((await served()).subjectaltname, 'DNS:cam.example.org');
    await site.change(['tls', 'self-signed']);
    assert.equal((await served()).subjectaltname, first.subjectaltname);
    const second = (await served()).fingerprint;
    site.picamctl(['tls', 'renew']); // far from its end
    assert.equal((await served()).fingerprint, second);
    const soon = site.openssl(['req', '-x509', '-key', etc('tls/self-signed.key'), '-days', '10', '-subj', '/CN=x', '-out', etc('tls/self-signed.pem')]);
    assert.equal(soon.status, 0, soon.stderr);
    await site.change(['tls', 'renew']);
    assert.ok(new Date((await served()).valid_to) > Date.now() + 700 * 86400e3);
  });

  test('the site answers to what its self-signed certificate names', async () => {
    const uname = path.join(site.folder, 'uname/uname');
    mkdirSync(path.dirname(uname));
    const named = (name, full = name) => {
      writeFileSync(uname, `#!/bin/sh\necho ${name}\n`, { mode: 0o755 });
      writeFileSync(path.join(path.dirname(uname), 'hostname'), `#!/bin/sh\necho ${full}\n`, { mode: 0o755 });
      return { env: { PATH: `${path.dirname(uname)}:${process.env.PATH}` } };
    };
    const before = site.picamctl(['name', 'list']).stdout;
    for (const name of ['camera', 'camera.local']) await site.change(['tls', 'self-signed'], named(name));
    assert.equal(site.picamctl(['name', 'list']).stdout, before, 'local names need no list');
    await site.change(['tls', 'self-signed'], named('Camera.foreign.example'));
    const names = site.openssl(['x509', '-in', etc('tls/self-signed.pem'), '-noout', '-ext', 'subjectAltName']).stdout.match(/(?<=DNS:|IP Address:)[^,\s]+/g);
    assert.ok(names.includes('Camera.foreign.example') && names.includes('Camera.local') && names.length === 5, `${names}`);
    for (const name of names) {
      assert.equal(await statusOf('/', { headers: { Host: /:/.test(name) ? '[::1]' : name } }), 200, name);
    }
    // An installation from before, which the next version's setup finds.
    await site.change(['name', 'del', 'camera.foreign.example']);
    assert.equal(await statusOf('/', { headers: { Host: 'camera.foreign.example' } }), 421);
    site.picamctl(['setup']);
    assert.match(site.picamctl(['name', 'list']).stdout, /^camera\.foreign\.example$/m);
    // As a machine in a cloud is called: longer than nginx takes a name as such.
    const long = `camera.${'a-part-of-a-name.'.repeat(6)}example`;
    await site.change(['tls', 'self-signed'], named('camera', long));
    assert.equal(await statusOf('/', { headers: { Host: long } }), 200);
    assert.equal(await statusOf('/', { headers: { Host: long.replaceAll('.', 'x') + '.example' } }), 421);
    assert.ok(site.picamctl(['name', 'list']).stdout.split('\n').includes(long));
    await site.change(['name', 'del', long]);
    assert.equal(await statusOf('/', { headers: { Host: long } }), 421);
    await site.change(['tls', 'self-signed']);
  });

  test('tls acme: the authority finds what certbot puts there, and the site takes what it gets', async () => {
    // In certbot's place a program that does what matters here: a file in the webroot, asked for over HTTP under the
    // name; then a certificate where certbot keeps them.
    const live = path.join(site.folder, 'live');
    const certbot = path.join(site.folder, 'bin/certbot');
    mkdirSync(path.dirname(certbot));
    writeFileSync(certbot, `#!/bin/bash
set -eu
while [ $# -gt 0 ]; do
  case $1 in -w) root=$2; shift ;; -d) name=$2; shift ;; --email) email=$2; shift ;; esac
  shift
done
[ "$email" = me@example.org ]
mkdir -p "$root/.well-known/acme-challenge"
echo token >"$root/.well-known/acme-challenge/x"
[ "$(curl -sf -H "Host: $name" http://127.0.0.1:${site.httpPort}/.well-known/acme-challenge/x)" = token ]
mkdir -p ${live}/$name
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj "/CN=$name" -keyout ${live}/$name/privkey.pem -out ${live}/$name/fullchain.pem 2>/dev/null
`, { mode: 0o755 });
    const env = { PATH: `${path.dirname(certbot)}:${process.env.PATH}`, PICAM_LETSENCRYPT: live };
    await site.change(['tls', 'acme', 'cam.example.net', 'me@example.org'], { env });
    assert.match(readFileSync(etc('nginx/certificate.conf'), 'utf8'), /live\/cam\.example\.net\/fullchain\.pem;/);
    assert.equal(await statusOf('/', { headers: { Host: 'cam.example.net' } }), 200);
    assert.equal(await statusOf('/.well-known/acme-challenge/none', { plain: true, auth: null }), 404);
    // One that fails changes nothing but the name.
    const before = readFileSync(etc('nginx/certificate.conf'), 'utf8');
    assert.notEqual(site.picamctl(['tls', 'acme', 'other.example.net'], { env, mayFail: true }).status, 0);
    assert.equal(readFileSync(etc('nginx/certificate.conf'), 'utf8'), before);
    await site.change(['tls', 'self-signed']);
  });

  test('camera add and del', async () => {
    const port = await freePort();
    await site.change(['camera', 'add', 'garage', `${port}`]);
    assert.equal(site.picamctl(['camera', 'list']).stdout, 'pi\ngarage\n');
    // Below its path, with all that a camera has, and the site's password.
    for (const target of ['/garage/', '/garage/stream', '/garage/picam.css', '/garage/manifest.webmanifest', '/pi/', '/pi/pi.jpg', '/pi/status', '/pi/stream', '/pi/?action=snapshot']) {
      assert.equal(await statusOf(target), 200, target);
      assert.equal(await statusOf(target, { auth: null }), 401, target);
    }
    for (const target of ['/garage/pi.jpg', '/garage/status', '/garage/?action=snapshot']) assert.equal(await statusOf(target), 503, target); // systemd starts its programs
    for (const target of ['/garage/x', '/garage/x/pi.jpg', '/garden/', '/garage/overview.html', '/garage/cameras', '/garage/picam-login']) assert.equal(await statusOf(target), 404, target);
    assert.equal(await statusOf('/garage/', { method: 'POST', auth: null }), 405);
    const moved = await site.ask('/garage?x=1', { auth: null });
    assert.equal(moved.status, 301);
    assert.equal(moved.headers.location, 'garage/?x=1');
    const viewer = await view(site, { auth: `picam:${site.password}`, target: '/pi/stream' });
    await waitFor('frames below a path', () => viewer.frames.length > 2);
    await end(viewer);
    await end(await view(site, { ticket: await ticketOf(site), target: '/pi/stream' }));
    // The page of the root is all of them; the first camera's addresses stay.
    assert.match((await site.ask('/')).body.toString(), /overview\.js/);
    assert.doesNotMatch((await site.ask('/garage/')).body.toString(), /overview\.js/);
    assert.equal((await site.ask('/?action=snapshot')).headers['content-type'], 'image/jpeg');
    const list = await site.ask('/cameras');
    assert.equal(list.headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(list.body), [{ name: 'pi', title: '', path: 'pi/' }, { name: 'garage', title: '', path: 'garage/' }]);
    assert.equal(await statusOf('/cameras', { auth: null }), 401);
    const asked = (target, options) => site.ask(target, { port, ...options });
    assert.equal((await asked('/')).status, 200);
    assert.equal((await asked('/', { auth: null })).status, 401);
    assert.equal((await asked('/', { headers: { Host: 'evil.example' } })).status, 421);
    const away = await asked('/pi.jpg'); // its programs are systemd's to start
    assert.equal(away.status, 503);
    assert.equal(away.body.toString(), 'The camera program does not answer; it should be back in a moment.\n');
    for (const args of [['x', `${site.port}`], ['garage', '1234'], ['pi', '1234'], ['a/b', '1234'], ['x', '0'], ['x', '65536'], ['stream', ''], ['status', ''], ['cameras', ''], ['picam-x', ''], ['garage', ''], ['', '1234']]) {
      assert.notEqual(site.picamctl(['camera', 'add', ...args], { mayFail: true }).status, 0, args.join(' '));
    }
    const env = { PATH: `${path.dirname(programs.streamd)}:${process.env.PATH}` };
    await site.change(['camera', 'title', 'garage', 'The garage, {north} # 2'], { env });
    assert.equal(JSON.parse((await site.ask('/cameras')).body)[1].title, 'The garage, {north} # 2');
    for (const title of ['a"b', 'a\\b', 'a$b', 'a\nb', 'x'.repeat(61), 'ä'.repeat(31)]) assert.equal(site.picamctl(['camera', 'title', 'garage', title], { mayFail: true }).status, 1, title);
    await site.change(['camera', 'title', 'garage', ''], { env });
    assert.equal(JSON.parse((await site.ask('/cameras')).body)[1].title, '');
    await site.change(['camera', 'del', 'garage']);
    await assert.rejects(asked('/'));
    assert.equal(await statusOf('/garage/'), 404);
    assert.doesNotMatch((await site.ask('/')).body.toString(), /overview\.js/);
    assert.deepEqual(JSON.parse((await site.ask('/cameras')).body), [{ name: 'pi', title: '', path: 'pi/' }]);
    await site.change(['camera', 'add', 'shed']); // without a port
    assert.equal(await statusOf('/shed/'), 200);
    await site.change(['camera', 'del', 'shed']);
  });

  test('what nginx does not take is undone', async () => {
    const files = () => Object.fromEntries(readdirSync(etc('nginx')).map((name) => [name, readFileSync(etc(`nginx/${name}`), 'utf8')]));
    const before = files();
    const users = readFileSync(etc('users'), 'utf8');
    const conf = path.join(site.folder, 'picam-site.conf');
    const good = readFileSync(conf, 'utf8');
    appendFileSync(conf, 'nonsense;\n');
    for (const args of [['open'], ['http', 'serve'], ['hsts', 'on'], ['name', 'add', 'x.example'], ['tls', 'self-signed'], ['passwd'],
      ['user', 'add', 'bob'], ['camera', 'add', 'garage', '8443'], ['mount', '/cam/'], ['proxy', 'add', '192.0.2.1']]) {
      const { status, stderr } = site.picamctl(args, { input: 'long-enough-one\n', mayFail: true });
      assert.equal(status, 1, args.join(' '));
      assert.match(stderr, /unknown directive "nonsense"[^]*nothing was changed/);
      assert.deepEqual(files(), before, args.join(' '));
      assert.equal(readFileSync(etc('users'), 'utf8'), users);
    }
    writeFileSync(conf, good);
    assert.ok(!readdirSync(path.join(site.folder, 'lib')).some((name) => name.startsWith('before')));
    assert.equal(await statusOf('/'), 200);
  });

  test('no log holds a password, a ticket or a query', async () => {
    const ticket = await ticketOf(site);
    assert.equal(await view(site, { ticket: `${ticket}0` }), 403);
    await end(await view(site, { ticket }));
    await site.ask('/pi.jpg?secret=s3cr3t');
    await site.ask('/nope?secret=s3cr3t', { auth: 'picam:wr0ngone' });
    const { code } = await site.nginx.end('SIGQUIT'); // its buffers are written
    assert.equal(code, 0);
    const logs = readFileSync(path.join(site.folder, 'picam.log'), 'utf8') + site.nginx.log + site.streamd.log + site.snapshot.log;
    assert.match(logs, /GET \/nope HTTP/);
    for (const secret of [ticket, 's3cr3t', 'wr0ngone', site.password, Buffer.from(`picam:${site.password}`).toString('base64')]) {
      assert.ok(!logs.includes(secret), secret);
    }
    await site.startNginx(); // for after()
  });
});
