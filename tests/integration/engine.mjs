// The message bus between cameras and edges, for a test: one nats-server or a cluster, as deploy/engine/ has them, on this
// machine's loopback, with TLS of an authority of its own and users who may what picam-relay needs.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fakeTimeLibrary } from './faked-clock.mjs';
import { Child, freePorts, waitFor } from './harness.mjs';
import { NatsClient, newUser } from './nats.mjs';

const subjects = (camera, ...names) => names.map((name) => `picam.v1.${camera}.${name}`);

// Users, with what the engine lets them do.
export function cameraUser(camera) {
  const publish = subjects(camera, 'frame', 'mark', 'state', 'part');
  return { ...newUser(), publish, subscribe: subjects(camera, 'mark', 'want', 'still'), answers: true };
}
export function edgeUser(camera = '*') {
  const user = newUser();
  const own = `_picam.${user.nkey}.>`;
  return { ...user, publish: [...subjects(camera, 'want', 'still'), own], subscribe: [...subjects(camera, 'frame', 'state', 'part'), own] };
}
// Of the test itself: sees and says everything.
export const anyUser = () => ({ ...newUser(), publish: ['>'], subscribe: ['>'] });

const kNewKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'];

function openssl(args) {
  // Cameras have clocks that are behind, and certificates have a first day. Without the program faketime, which fails where
  // another of the same process id was killed.
  const made = spawnSync('openssl', args, { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: fakeTimeLibrary(), FAKETIME: '-30d' } });
  if (made.status !== 0) throw new Error(`openssl ${args[0]}: ${made.stderr}`);
}

// An authority in `folder`: { file, issue(name, hosts) → { cert, key } }.
export function newAuthority(folder) {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'ca.pem');
  const caKey = path.join(folder, 'ca.key');
  openssl(['req', '-x509', ...kNewKey, '-subj', '/CN=an authority of the tests', '-keyout', caKey, '-out', file]);
  return {
    file,
    issue(name, hosts) {
      const cert = path.join(folder, `${name}.pem`);
      const key = path.join(folder, `${name}.key`);
      openssl(['req', '-x509', '-CA', file, '-CAkey', caKey, ...kNewKey, '-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:FALSE',
        '-addext', `subjectAltName=${hosts.map((host) => (net.isIP(host) ? `IP:${host}` : `DNS:${host}`)).join(',')}`, '-keyout', key, '-out', cert]);
      return { cert, key };
    },
  };
}

class Node {
  get url() { return `tls://localhost:${this.port}`; }

  async start() {
    this.child = new Child('nats-server', ['-c', this.file]);
    await this.#ready();
  }

  // When clients get in, and the cluster is whole: whose message comes before that goes nowhere.
  async #ready() {
    await waitFor(`nats-server at ${this.port}`, () => {
      if (!this.child.running) throw new Error(`it ended:\n${this.child.log}`);
      return this.child.log.includes('Server is ready');
    });
  }

  kill() { return this.child.end('SIGKILL'); }

  // Hangs, as on a machine that swaps: connections stay, and nothing is answered.
  hang() { this.child.process.kill('SIGSTOP'); }
  goOn() { this.child.process.kill('SIGCONT'); }

  // How many other nodes it is connected to.
  async routes() { return (await this.#ask('/routez')).routes.length; }
  async connections() { return (await this.#ask('/connz?subs=1&auth=1')).connections; }
  async #ask(target) { return (await fetch(`http://127.0.0.1:${this.monitor}${target}`)).json(); }
}

export class Engine {
  // `users`: of cameraUser() and its like. `hosts`: what the nodes' certificates name.
  static async start({ nodes = 1, users, maxPayload = '4MB', maxPending = '16MB', hosts = ['localhost', '127.0.0.1'] }) {
    const engine = new Engine();
    engine.folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/picam-engine.' : '/tmp/picam-engine.');
    try {
      engine.authority = newAuthority(engine.folder);
      const { cert, key } = engine.authority.issue('node', hosts);
      engine.ca = readFileSync(engine.authority.file);
      engine.watcher = anyUser();
      const everyone = [...users, engine.watcher];
      const ports = await freePorts(3 * nodes);
      engine.nodes = Array.from({ length: nodes }, (_, i) => {
        const [port, monitor, route] = ports.slice(3 * i);
        return Object.assign(new Node(), { port, monitor, route, ca: engine.ca, file: path.join(engine.folder, `${i}.conf`) });
      });
      const routes = engine.nodes.map((node) => `"nats-route://127.0.0.1:${node.route}"`).join(', ');
      for (const [i, node] of engine.nodes.entries()) {
        writeFileSync(node.file, `server_name: node${i}
listen: "127.0.0.1:${node.port}"
http: "127.0.0.1:${node.monitor}"
max_payload: ${maxPayload}
max_pending: ${maxPending}
write_deadline: "3s"
ping_interval: "5s"
tls { cert_file: "${cert}", key_file: "${key}" }
${nodes > 1 ? `cluster { name: picam, listen: "127.0.0.1:${node.route}", routes: [${routes}],
  tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${engine.authority.file}", verify: true } }` : ''}
authorization { users: [${everyone.map(userOf).join('')}
] }
`);
      }
      await Promise.all(engine.nodes.map((node) => node.start()));
      await engine.whole();
    } catch (error) {
      await engine.stop();
      throw error;
    }
    return engine;
  }

  // When each node that runs knows all of the others.
  whole() {
    return waitFor('a whole cluster', async () => {
      const routes = await Promise.all(this.nodes.map((node) => node.routes()));
      return routes.every((count) => count >= this.nodes.length - 1);
    });
  }

  get urls() { return this.nodes.map(({ url }) => url); }

  // The test's own connection, which may do everything.
  connect(node = this.nodes[0]) { return NatsClient.connect(node, this.watcher); }

  async stop() {
    for (const { child } of this.nodes ?? []) {
      if (!child) continue;
      if (child.running) child.process.kill('SIGCONT');
      await child.end('SIGKILL');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const list = (items) => `[${items.map((item) => `"${item}"`).join(', ')}]`;

function userOf({ nkey, publish, subscribe, answers }) {
  return `
  { nkey: ${nkey}, permissions: { publish: ${list(publish)}, subscribe: ${list(subscribe)}${answers ? ', allow_responses: true' : ''} } }`;
}
