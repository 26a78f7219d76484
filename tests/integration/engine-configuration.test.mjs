// deploy/engine and picamctl relay: the configuration that is shipped, as one node and as three, with certificates that
// make-certificates made and the entries that picamctl prints, on the nats-server that is installed (or NATS_SERVER); and the nginx
// in front of edges.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Child, freePort, programs, said, top, waitFor } from './harness.mjs';

const kServer = process.env.NATS_SERVER ?? 'nats-server';
const kSkip = spawnSync(kServer, ['--version']).error ? `there is no ${kServer}` : process.getuid() !== 0 ? 'picamctl is root\'s' : false;
const kSubjects = ['want', 'frame', 'mark', 'state', 'still', 'part'];

const folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/picam-engine.' : '/tmp/picam-engine.');
const file = (name) => path.join(folder, name);
const text = (name) => readFileSync(file(name), 'utf8');
after(() => rmSync(folder, { recursive: true, force: true }));

// ---- picamctl, with places of its own and an nginx that takes everything ----

function picamctl(args, { mayFail = false } = {}) {
  const result = spawnSync('bash', [file('share/picamctl'), ...args], {
    encoding: 'utf8',
    env: {
      PATH: `${file('bin')}:${path.dirname(programs.streamd)}:${process.env.PATH}`,
      PICAM_ETC: file('etc'),
      PICAM_LIB: file('lib'),
      PICAM_SHARE: file('share'),
      PICAM_NGINX: file('bin/nginx'),
    },
  });
  if (result.status !== 0 && !mayFail) throw new Error(`picamctl ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result;
}
const variables = (camera) => Object.fromEntries([...text(`etc/${camera}.env`).matchAll(/^PICAM_(\w+)="(.*)"$/gm)].map((line) => line.slice(1)));
const checked = (camera) => picamctl(['check'], { mayFail: true }).stdout.split('\n').filter((line) => line.includes(` ${camera}: `) && line.includes('relay')).join('\n');
const entryOf = (said_) => /^ +# .*\n +\{ nkey: [^]*\} \}\n/m.exec(said_)[0];

// ---- A client of the engine, who logs in with a seed ----

function keyOf(seed) {
  const bits = [...seed.trim()].map((digit) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(digit).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  return createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes.subarray(2, 34)]), format: 'der', type: 'pkcs8' });
}

class Client {
  constructor() { this.messages = []; this.errors = []; this.pongs = 0; this.text = ''; }

  // Rejects with what the engine says.
  static async connect(port, { nkey, seed }, { name = 'a.test', plain = false } = {}) {
    const client = new Client();
    const bare = net.connect(port, '127.0.0.1');
    const info = JSON.parse(String((await once(bare, 'data'))[0]).replace(/^INFO /, ''));
    assert.equal(info.auth_required, true);
    if (!plain) assert.equal(info.tls_required, true);
    client.socket = plain ? bare : tls.connect({ socket: bare, ca: text('ca/ca.pem'), servername: name });
    client.closed = new Promise((resolve) => { client.socket.on('close', resolve); });
    client.socket.on('error', (error) => client.errors.push(error.message));
    client.socket.on('data', (data) => client.#take(String(data)));
    const proof = nkey && seed ? { nkey, sig: sign(null, info.nonce, keyOf(seed)).toString('base64url') } : {};
    client.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: true, headers: true, no_responders: true, lang: 'test', version: '1', ...proof })}`);
    await client.flush();
    return client;
  }

  #take(data) {
    this.text += data;
    for (;;) {
      const line = /^(.*)\r\n/.exec(this.text)?.[1];
      if (line === undefined) return;
      const message = /^H?MSG (\S+) \S+ (?:(\S+) )?(?:\d+ )?(\d+)$/.exec(line);
      if (message) {
        const end = line.length + 2 + Number(message[3]) + 2;
        if (this.text.length < end) return;
        this.messages.push({ subject: message[1], reply: message[2], body: this.text.slice(line.length + 2, end - 2) });
        this.text = this.text.slice(end);
        continue;
      }
      this.text = this.text.slice(line.length + 2);
      if (line === 'PING') this.send('PONG');
      if (line === 'PONG') this.pongs += 1;
      if (line.startsWith('-ERR')) this.errors.push(line.slice(6, -1));
    }
  }

  send(line) { this.socket.write(`${line}\r\n`); }

  // All that was sent has been looked at.
  async flush() {
    const { pongs } = this;
    this.send('PING');
    await waitFor('a PONG', () => this.pongs > pongs || this.socket.destroyed);
    if (this.socket.destroyed) throw new Error(this.errors.join('; ') || 'closed');
  }

  publish(subject, body = '', reply = '') { this.send(`PUB ${subject} ${reply}${reply && ' '}${Buffer.byteLength(body)}\r\n${body}`); }

  // What the engine says against it; nothing when it is allowed.
  async refused(line) {
    const before = this.errors.length;
    this.send(line);
    await this.flush();
    return this.errors.slice(before).join('; ');
  }

  async end() {
    this.socket.destroy();
    await this.closed;
  }
}

const refusal = async (promise) => promise.then(() => 'let in', (error) => error.message);

// ---- Nodes ----

class Node {
  static async start(name, { client, route, routes } = {}) {
    const node = new Node();
    node.port = client ?? await freePort();
    mkdirSync(file(name), { recursive: true });
    const places = (name_) => readFileSync(path.join(top, 'deploy/engine', name_), 'utf8')
      .replaceAll('/etc/picam-engine/node', file(`ca/${name}.test`))
      .replaceAll('/etc/picam-engine', file('ca'))
      .replace('server_name: a', `server_name: ${name}`)
      .replace('0.0.0.0:4222', `127.0.0.1:${node.port}`)
      .replace('10.0.0.1:6222"\n', `127.0.0.1:${route}"\n`)
      .replace(/routes: .*/, `routes: [${(routes ?? []).map((port) => `"nats-route://127.0.0.1:${port}"`)}]`)
      .replace(routes ? '#include' : 'never', 'include');
    writeFileSync(file(`${name}/nats-server.conf`), places('nats-server.conf'));
    writeFileSync(file(`${name}/cluster.conf`), places('cluster.conf'));
    if (!existsSync(file(`${name}/users.conf`))) cpSync(path.join(top, 'deploy/engine/users.conf'), file(`${name}/users.conf`));
    node.users = file(`${name}/users.conf`);
    node.child = new Child(kServer, ['-c', file(`${name}/nats-server.conf`)]);
    try {
      await waitFor(`node ${name}`, () => {
        if (!node.child.running) throw new Error(node.child.log);
        return node.child.log.includes('Server is ready');
      });
    } catch (error) {
      await node.end(); // or this process would not
      throw error;
    }
    return node;
  }

  // As an administrator does it: the entries into the list, then SIGHUP.
  async setUsers(entries) {
    writeFileSync(this.users, readFileSync(path.join(top, 'deploy/engine/users.conf'), 'utf8').replace('users: [\n', `users: [\n${entries.join('')}`));
    const { length } = this.child.log;
    this.child.process.kill('SIGHUP');
    await waitFor('the reload', () => /Reloaded server configuration|Failed to reload/.test(this.child.log.slice(length)));
    assert.doesNotMatch(this.child.log.slice(length), /Failed to reload/, this.child.log);
  }

  end() { return this.child.end('SIGKILL'); }
}

describe('the engine', { skip: kSkip }, () => {
  let camera, edge;

  before(() => {
    mkdirSync(file('bin'));
    mkdirSync(file('etc/nginx'), { recursive: true });
    cpSync(path.join(top, 'deploy/ctl'), file('share'), { recursive: true });
    cpSync(path.join(top, 'nginx/locations.conf.in'), file('share/locations.conf.in'));
    // What is not looked at here: nginx, and whether the package is there.
    for (const name of ['nginx', 'picam-relay']) {
      writeFileSync(file(`bin/${name}`), '#!/bin/sh\n');
      chmodSync(file(`bin/${name}`), 0o755);
    }
  });

  test('certificates are made once, again when their names change, and keys are their owner\'s alone', () => {
    const make = (...nodes) => spawnSync(path.join(top, 'deploy/engine/make-certificates'), [file('ca'), ...nodes], { encoding: 'utf8' });
    assert.equal(make('a.test,127.0.0.1,::1', 'b.test', 'c.test,127.0.0.1').status, 0);
    for (const key of ['ca', 'a.test', 'b.test', 'c.test']) assert.equal(statSync(file(`ca/${key}.key`)).mode & 0o777, 0o600, key);
    const first = text('ca/a.test.pem');
    const key = text('ca/b.test.key');
    assert.equal(make('a.test,127.0.0.1,::1', 'b.test,127.0.0.1').stdout, 'b.test.pem and b.test.key, for b.test,127.0.0.1\n');
    assert.equal(text('ca/a.test.pem'), first);
    assert.equal(text('ca/b.test.key'), key);
    assert.equal(spawnSync('openssl', ['verify', '-CAfile', file('ca/ca.pem'), file('ca/b.test.pem')], { encoding: 'utf8' }).stdout.trim(), `${file('ca/b.test.pem')}: OK`);
    assert.notEqual(make('a b').status, 0);
  });

  test('picamctl relay publish and join: a key that stays, settings, the entry for the engine', () => {
    assert.match(picamctl(['relay', 'publish'], { mayFail: true }).stderr, /which engine\?/);
    for (const bad of ['a.test', 'https://a.test', 'tls://a test:4222', 'tls://a.test:4222,tls://b', 'tls://a"', 'tls://a$b']) {
      assert.match(picamctl(['relay', 'publish', '--server', bad], { mayFail: true }).stderr, /is no server/, bad);
    }
    for (const bad of [['--camera', 'a.b'], ['--camera', '*'], ['--ca', '/nowhere'], ['--nonsense'], ['pi', 'pi'], ['nobody'], ['--server']]) {
      assert.equal(picamctl(['relay', 'publish', '--server', 'tls://a.test', ...bad], { mayFail: true }).status, 1, bad.join(' '));
    }
    writeFileSync(file('etc/pi.env'), 'PICAM_CAMERA_SOURCE=pattern'); // without an end of its line
    camera = picamctl(['relay', 'publish', '--server', 'tls://a.test:4222', '--server', 'tls://b.test:4222', '--ca', file('ca/ca.pem'), '--camera', 'garage']).stdout;
    assert.match(text('etc/pi.env'), /^PICAM_CAMERA_SOURCE=pattern$/m);
    const { RELAY_NKEY: key, ...others } = variables('pi');
    assert.deepEqual(others, { RELAY_ROLE: 'publish', RELAY_SERVERS: 'tls://a.test:4222, tls://b.test:4222', RELAY_CA: file('etc/pi.relay-ca.pem'), RELAY_CAMERA: 'garage' });
    assert.match(key, /^U[A-Z2-7]{55}$/);
    assert.equal(text('etc/pi.relay-ca.pem'), text('ca/ca.pem'));
    assert.equal(statSync(file('etc/relay')).mode & 0o777, 0o700);
    assert.equal(statSync(file('etc/relay/pi.seed')).mode & 0o777, 0o600);
    assert.equal(statSync(file('etc/pi.relay-ca.pem')).mode & 0o777, 0o644);
    assert.match(text('etc/relay/pi.seed'), /^SU[A-Z2-7]{56}\n$/);

    const seed = text('etc/relay/pi.seed');
    assert.equal(picamctl(['relay', 'publish']).stdout, camera, 'again');
    assert.equal(text('etc/relay/pi.seed'), seed);
    assert.equal(picamctl(['relay', 'entry']).stdout, camera);
    assert.doesNotMatch(picamctl(['relay', 'publish', '--new-key']).stdout, new RegExp(key));
    assert.notEqual(text('etc/relay/pi.seed'), seed);
    camera = picamctl(['relay', 'entry']).stdout;

    // An edge's camera is an instance there, which is made where it is not there yet.
    edge = picamctl(['relay', 'join', 'cellar', '--server', 'tls://b.test:4222', '--camera', 'garage']).stdout;
    assert.equal(picamctl(['camera', 'list']).stdout, 'pi\ncellar\n');
    assert.equal(variables('cellar').CAMERA_SOURCE, 'feed');
    assert.equal(variables('cellar').RELAY_ROLE, 'join');

    // From one to the other: the camera's source comes back, too.
    picamctl(['relay', 'join']);
    assert.equal(variables('pi').CAMERA_SOURCE, 'feed');
    assert.equal(picamctl(['relay', 'publish']).stdout, camera);
    assert.match(text('etc/pi.env'), /^PICAM_CAMERA_SOURCE=pattern$/m);
    assert.equal(variables('pi').CAMERA_SOURCE, undefined);
  });

  test('check: the key, its mode, the certificate, the source', () => {
    assert.match(checked('pi'), /^ok +pi: the relay's key .*pi\.seed\nok +pi: the relay's .*relay-ca\.pem$/);
    chmodSync(file('etc/relay/pi.seed'), 0o640);
    assert.match(checked('pi'), /^BAD +pi: the relay's key .* is not root's alone/);
    chmodSync(file('etc/relay/pi.seed'), 0o600);
    const seed = text('etc/relay/pi.seed');
    const ca = text('etc/pi.relay-ca.pem');
    writeFileSync(file('etc/relay/pi.seed'), text('etc/relay/cellar.seed'));
    assert.match(checked('pi'), /^BAD +pi: .* is not the key of relay\.nkey/);
    rmSync(file('etc/relay/pi.seed'));
    assert.match(checked('pi'), /^BAD +pi: the relay's key .* is not there/);
    writeFileSync(file('etc/relay/pi.seed'), seed, { mode: 0o600 });
    writeFileSync(file('etc/pi.relay-ca.pem'), 'nothing\n');
    assert.match(checked('pi'), /^BAD +pi: relay\.ca .* holds no certificate/m);
    writeFileSync(file('etc/pi.relay-ca.pem'), ca);
    const settings = text('etc/cellar.env');
    writeFileSync(file('etc/cellar.env'), settings.replace('"feed"', '"pattern"'));
    assert.match(checked('cellar'), /^BAD +cellar: it is joined, and camera\.source is not feed/m);
    writeFileSync(file('etc/cellar.env'), settings);
  });

  test('one node: nobody without an entry, each with its own permissions, users by SIGHUP', async () => {
    const node = await Node.start('a');
    try {
      const keys = (name) => ({ nkey: variables(name).RELAY_NKEY, seed: text(`etc/relay/${name}.seed`) });
      assert.match(await refusal(Client.connect(node.port, {})), /Authorization Violation/, 'an empty users.conf lets nobody in');
      assert.match(await refusal(Client.connect(node.port, keys('pi'))), /Authorization Violation/);
      await node.setUsers([entryOf(camera), entryOf(edge)]);
      assert.match(await refusal(Client.connect(node.port, {})), /Authorization Violation/);
      assert.match(await refusal(Client.connect(node.port, { nkey: keys('pi').nkey, seed: keys('cellar').seed })), /Authorization Violation/);
      assert.equal(await refusal(Client.connect(node.port, keys('pi'), { plain: true })) === 'let in', false, 'without TLS');

      const one = await Client.connect(node.port, keys('pi'));
      const other = await Client.connect(node.port, keys('cellar'));
      const own = `_picam.${keys('cellar').nkey}`;
      const may = async (client, verb, subject) => (await client.refused(verb === 'SUB' ? `SUB ${subject} 9\r\nUNSUB 9` : `PUB ${subject} 0\r\n`)) === '';
      for (const subject of kSubjects) {
        const name = `picam.v1.garage.${subject}`;
        assert.equal(await may(one, 'PUB', name), ['frame', 'mark', 'state', 'part'].includes(subject), `camera publishes ${subject}`);
        assert.equal(await may(one, 'SUB', name), ['mark', 'want', 'still'].includes(subject), `camera subscribes ${subject}`);
        assert.equal(await may(other, 'PUB', name), ['want', 'still'].includes(subject), `edge publishes ${subject}`);
        assert.equal(await may(other, 'SUB', name), ['frame', 'state', 'part'].includes(subject), `edge subscribes ${subject}`);
        for (const client of [one, other]) for (const verb of ['PUB', 'SUB']) assert.equal(await may(client, verb, `picam.v1.cellar.${subject}`), false);
      }
      for (const subject of ['>', 'picam.>', 'picam.v1.*.frame', '_INBOX.x', '_picam.>', '$SYS.>', '$JS.API.INFO']) {
        for (const client of [one, other]) assert.equal(await may(client, 'SUB', subject), false, subject);
      }
      assert.equal(await may(other, 'SUB', `${own}.>`), true);
      assert.equal(await may(other, 'PUB', `${own}.echo`), true);
      assert.equal(await may(one, 'PUB', `${own}.1`), false, 'an answer nobody asked for');

      // A request is answered, once; without an answerer it is said so. A queue group of one's own takes frames.
      one.send('SUB picam.v1.garage.want 1'); // once: a second delivery would count as the answer on 2.10
      other.send(`SUB ${own}.> 1`);
      await one.flush();
      other.publish('picam.v1.garage.want', '{}', `${own}.2`);
      const { reply } = await waitFor('the request', () => one.messages.find((message) => message.reply));
      assert.equal(await may(one, 'PUB', reply), true, 'the answer');
      assert.equal(await may(one, 'PUB', reply), false, 'a second answer');
      await waitFor('the answer', () => other.messages.some(({ subject }) => subject === `${own}.2`));
      assert.equal(await other.refused('SUB picam.v1.garage.frame mine 77\r\nUNSUB 77 1'), '');

      // The engine's limit; and who has gone from users.conf goes, the other stays.
      assert.match(await refusal(Client.connect(node.port, keys('cellar')).then((client) => client.refused(`PUB picam.v1.garage.want ${5 << 20}\r\n`))), /Maximum Payload/);
      await node.setUsers([entryOf(edge)]);
      await one.closed;
      await other.flush();
      await other.end();
      assert.match(await refusal(Client.connect(node.port, keys('pi'))), /Authorization Violation/);
      assert.doesNotMatch(node.child.log, /WRN|unknown field/i);
    } finally {
      await node.end();
    }
  });

  test('three nodes: what one is sent, all deliver; a foreign certificate is no node', async () => {
    const routes = [];
    for (let i = 0; i < 4; i += 1) routes.push(await freePort());
    const started = await Promise.allSettled(['a', 'b', 'c'].map((name, i) => Node.start(name, { route: routes[i], routes: routes.slice(0, 3) })));
    const nodes = started.map(({ value }) => value);
    let stranger;
    try {
      for (const { reason } of started) if (reason) throw reason;
      for (const node of nodes) await node.setUsers([entryOf(camera), entryOf(edge)]);
      const keys = (name) => ({ nkey: variables(name).RELAY_NKEY, seed: text(`etc/relay/${name}.seed`) });
      const one = await Client.connect(nodes[0].port, keys('pi'));
      const others = await Promise.all([1, 2].map((i) => Client.connect(nodes[i].port, keys('cellar'), { name: `${'abc'[i]}.test` })));
      for (const other of others) other.send('SUB picam.v1.garage.frame 1');
      for (const other of others) await other.flush();
      await waitFor('a frame at both', async () => {
        one.publish('picam.v1.garage.frame', 'picture');
        await one.flush();
        return others.every(({ messages }) => messages.length > 0);
      });
      // One goes, and the other two go on.
      await nodes[1].end();
      others[1].messages = [];
      one.publish('picam.v1.garage.frame', 'picture');
      await waitFor('a frame at the other', () => others[1].messages.length > 0);

      // With a certificate of another CA, though for the same name.
      spawnSync(path.join(top, 'deploy/engine/make-certificates'), [file('other'), 'd.test,127.0.0.1']);
      for (const kind of ['pem', 'key']) cpSync(file(`other/d.test.${kind}`), file(`ca/d.test.${kind}`));
      stranger = await Node.start('d', { route: routes[3], routes: [routes[0]] });
      await said(nodes[0].child, /TLS route handshake error/);
      assert.doesNotMatch(stranger.child.log, /Route connection created(?![^]*(TLS|closed))/);
      for (const client of [one, ...others]) await client.end();
    } finally {
      for (const node of [...nodes, stranger]) await node?.end();
    }
  });

  test('an nginx in front of edges keeps a camera at one of them, also when another goes', async () => {
    const edges = [];
    for (let i = 0; i < 3; i += 1) {
      const server = http.createServer((request, response) => response.end(`${server.address().port}`)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      edges.push(server);
    }
    const port = await freePort();
    const shipped = readFileSync(path.join(top, 'deploy/engine/edges-nginx.conf'), 'utf8');
    const conf = edges.reduce((all, edge_, i) => all.replace(`10.0.1.${i + 1}:80`, `127.0.0.1:${edge_.address().port}`), shipped)
      .replace('listen 443 ssl http2', `listen 127.0.0.1:${port} ssl http2`)
      .replace(/\/etc\/letsencrypt\/live\/cams\.example\.org\/(fullchain|privkey)\.pem/g, (_, what) => file(`ca/a.test.${what === 'privkey' ? 'key' : 'pem'}`));
    const start = async (change) => {
      writeFileSync(file('edges.conf'), `daemon off;\n${process.getuid() === 0 ? 'user root;\n' : ''}pid ${file('edges.pid')};\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\nset_real_ip_from 127.0.0.1;\nreal_ip_header X-Viewer;\n${change(conf)}}\n`);
      const nginx = new Child('nginx', ['-p', folder, '-c', file('edges.conf'), '-e', 'stderr']);
      await waitFor('nginx', () => {
        if (!nginx.running) throw new Error(nginx.log);
        return ask('/').catch(() => false);
      });
      return nginx;
    };
    const ask = (target, viewer = '192.0.2.1') => new Promise((resolve, reject) => {
      https.get({ host: '127.0.0.1', port, path: target, agent: false, ca: text('ca/ca.pem'), servername: 'a.test', headers: { 'X-Viewer': viewer } }, (response) => {
        let body = '';
        response.on('data', (data) => { body += data; });
        response.on('end', () => resolve(body));
      }).on('error', reject);
    });
    const cameras = Array.from({ length: 20 }, (_, i) => `cam${i}`);
    const placesOf = async (viewer) => Object.fromEntries(await Promise.all(cameras.map(async (name) => [name, await ask(`/${name}/`, viewer)])));
    let nginx = await start((text_) => text_);
    try {
      const places = await placesOf();
      for (const name of cameras.slice(0, 5)) for (const target of ['ticket', 'stream', 'pi.jpg?x=1', 'status']) assert.equal(await ask(`/${name}/${target}`, '192.0.2.7'), places[name], target);
      for (const target of ['/ticket', '/pi.jpg', '/stream', '/controls', '/controls/focus', '/pi/stream']) assert.equal(await ask(target), await ask('/'), target);
      assert.equal(new Set(Object.values(places)).size, 3, 'all edges have some');
      const gone = edges.pop();
      const lost = `${gone.address().port}`;
      gone.close();
      gone.closeAllConnections();
      await once(gone, 'close');
      for (const [name, place] of Object.entries(await placesOf())) {
        if (places[name] === lost) assert.notEqual(place, lost);
        else assert.equal(place, places[name], `${name} was not at the edge that went`);
      }
      await nginx.end();
      nginx = await start((text_) => text_.replace('#50%', '50%'));
      const shares = new Set();
      for (let i = 0; i < 30; i += 1) {
        const viewer = `192.0.2.${i}`;
        const place = await ask('/cam1/', viewer);
        assert.equal(await ask('/cam1/ticket', viewer), place);
        shares.add(`${place}`);
      }
      assert.ok(shares.size <= 2);
    } finally {
      await nginx.end();
      for (const server of edges) {
        server.close();
        server.closeAllConnections();
      }
    }
  });

  test('relay leave takes key and settings away, and says which entry goes', () => {
    const { RELAY_NKEY: key } = variables('cellar');
    assert.match(picamctl(['relay', 'leave', 'cellar']).stdout, new RegExp(`goes the entry of ${key}`));
    assert.equal(existsSync(file('etc/relay/cellar.seed')), false);
    assert.equal(existsSync(file('etc/cellar.env')), false);
    assert.equal(picamctl(['relay', 'leave', 'cellar'], { mayFail: true }).stderr, 'picamctl: cellar has no relay\n');
    picamctl(['relay', 'leave']);
    assert.equal(text('etc/pi.env'), 'PICAM_CAMERA_SOURCE=pattern\n');
    assert.equal(existsSync(file('etc/relay')), false);
    assert.equal(checked('pi'), '');
  });
});
