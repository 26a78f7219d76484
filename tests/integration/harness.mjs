// A site of its own for a test: nginx and both programs in a temporary folder, on a free port, stopped with the test.
// BUILD_DIR names the build to test.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync, chmodSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const build = process.env.BUILD_DIR ?? path.join(top, 'build/release');
export const programs = {
  snapshot: path.join(build, 'fcgi/picam-snapshot'),
  streamd: path.join(build, 'streamd/picam-streamd'),
};
const kDeadlineMs = 20000;

// Resolves with the first true value of the condition; rejects at the deadline, saying what was waited for.
export async function waitFor(what, condition, deadlineMs = kDeadlineMs) {
  const ends = Date.now() + deadlineMs;
  for (;;) {
    // Looked at once more when the time is over: this process may not have run meanwhile.
    const last = Date.now() >= ends;
    const value = await condition();
    if (value) return value;
    if (last) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const kFirstPort = 10_000;
const kFewestPorts = 5000; // where the kernel gives away all of them
const kForbiddenPort = 10_080; // in browsers

// Ports of which none is another's. They are none that the kernel gives to whoever connects, for such a one may be taken
// before it is used, and whoever was killed would not get its own back.
export async function freePorts(count) {
  const [least] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const servers = [];
  while (servers.length < count) {
    const port = kFirstPort + Math.floor(Math.random() * Math.max(least - kFirstPort, kFewestPorts));
    if (port === kForbiddenPort) continue;
    const server = net.createServer().listen(port, '127.0.0.1');
    if (await once(server, 'listening').then(() => true, () => false)) servers.push(server);
  }
  return Promise.all(servers.map(async (server) => {
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
  }));
}
export const freePort = async () => (await freePorts(1))[0];

// A child process with its output kept; always ended by its own handle.
export class Child {
  constructor(command, args, options = {}) {
    this.log = '';
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (data) => { this.log += data; });
    this.ended = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
  }

  get running() { return this.process.exitCode === null && this.process.signalCode === null; }

  async end(signal = 'SIGTERM') {
    if (this.running) this.process.kill(signal);
    const result = await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, kDeadlineMs).unref())]);
    if (!result) {
      this.process.kill('SIGKILL');
      throw new Error(`${this.process.spawnfile} did not end on ${signal}:\n${this.log}`);
    }
    return result;
  }
}

// Node has no datagrams on unix sockets.
const kListen = `use Socket; socket(S, PF_UNIX, SOCK_DGRAM, 0) or die; bind(S, pack_sockaddr_un($ARGV[0])) or die;
$| = 1; while (defined(recv(S, $m, 1000, 0))) { print "$m\\n"; }`;

// What programs with its environment tell their service manager (sd_notify), a line each in `log`.
export class ServiceManager {
  static async start() {
    const manager = new ServiceManager();
    manager.folder = mkdtempSync('/dev/shm/picam-service.');
    const socket = path.join(manager.folder, 'notify');
    manager.env = { NOTIFY_SOCKET: socket };
    manager.child = new Child('perl', ['-e', kListen, socket]);
    await waitFor('the socket', () => existsSync(socket));
    return manager;
  }

  get log() { return this.child.log; }

  // The last status that it was told.
  get status() { return this.log.split('\n').filter((line) => line.startsWith('STATUS=')).at(-1)?.slice(7); }

  async stop() {
    await this.child.end();
    rmSync(this.folder, { recursive: true });
  }
}

// What a program has said, as soon as it has come through its pipe.
export const said = (child, pattern) => waitFor(`${pattern} in the log`, () => pattern.test(child.log));

export class Site {
  // `env`: of both programs, beside our own. `secure`: the site as the package installs it, with TLS and a password
  // (`password`, of user picam), at the https `url`; its plain HTTP is at `httpPort`.
  // `controls`: whoever looks at a site without passwords may change the camera's controls, too.
  static async start(flags = [], { nginx = true, env = {}, secure = false, controls = false } = {}) {
    const site = new Site();
    site.secure = secure;
    site.controls = controls;
    site.env = { ...process.env, ...env };
    site.folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/picam-test.' : '/tmp/picam-test.');
    site.run = path.join(site.folder, 'run');
    site.state = path.join(site.folder, 'state');
    site.flags = ['--camera.source', 'pattern', '--state_dir', site.state, ...flags];
    mkdirSync(site.run);
    mkdirSync(site.state, { mode: 0o700 });
    chmodSync(site.folder, 0o711);
    chmodSync(site.run, 0o755);
    site.port = await freePort();
    site.url = `${secure ? 'https' : 'http'}://127.0.0.1:${site.port}`;
    try {
      await Promise.all([site.startSnapshot(), site.startStreamd()]);
      if (nginx) await site.startNginx();
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  socket(name) { return path.join(this.run, `pi.${name}.sock`); }

  async startSnapshot(flags = []) {
    this.snapshot = new Child(programs.snapshot, [...this.flags, '--runtime-dir', this.run, ...flags], { env: this.env });
    await this.ready(this.snapshot);
  }

  async startStreamd(flags = []) {
    this.streamd = new Child(programs.streamd, [...this.flags, '--runtime-dir', this.run, ...flags], { env: this.env });
    await this.ready(this.streamd);
  }

  async ready(child) {
    await waitFor(`"ready" of ${child.process.spawnfile}`, () => {
      if (!child.running) throw new Error(`it ended:\n${child.log}`);
      return child.log.includes('ready:');
    });
  }

  async startNginx() {
    mkdirSync(path.join(this.folder, 'tmp'), { recursive: true });
    const conf = this.secure ? 'picam-site.conf' : 'picam.conf';
    for (const name of ['picam', conf, 'nginx.conf']) {
      cpSync(path.join(top, 'nginx', name), path.join(this.folder, name), { recursive: true });
    }
    cpSync(path.join(top, 'html'), path.join(this.folder, 'html'), { recursive: true });
    cpSync('/etc/nginx/mime.types', path.join(this.folder, 'mime.types'));
    const edit = (name, change) => {
      const file = path.join(this.folder, name);
      writeFileSync(file, change(readFileSync(file, 'utf8')));
    };
    this.httpPort ??= await freePort();
    const places = (text) => text.replaceAll('/run/picam', this.run)
      .replaceAll('/usr/share/picam/html', path.join(this.folder, 'html'))
      .replaceAll('/etc/picam', path.join(this.folder, 'etc'))
      .replaceAll('/var/lib/picam', path.join(this.folder, 'lib'))
      .replaceAll('/var/log/nginx', this.folder)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${this.port}`)
      .replaceAll(/listen \[::\]:.*\n/g, '')
      .replace("listen_at=('' '[::]:')", "listen_at=('127.0.0.1:')")
      .replace('first_ports=(80 443)', `first_ports=(${this.httpPort} ${this.port})`)
      .replaceAll(/\/etc\/nginx\/(sites-enabled|nginx\.conf|conf\.d)/g, `${this.folder}/$1`)
      .replaceAll('/etc/nginx/sites-available/picam', path.join(this.folder, 'picam-site.conf'))
      .replaceAll('/etc/systemd/system', path.join(this.folder, 'systemd'))
      .replaceAll('/etc/tmpfiles.d', path.join(this.folder, 'tmpfiles.d'))
      .replaceAll('http://127.0.0.1/', `http://127.0.0.1:${this.httpPort}/`)
      .replaceAll('listen __PORT__', 'listen 127.0.0.1:__PORT__');
    this.places = places;
    writeFileSync(path.join(this.folder, 'picam/locations.conf'), `${this.locations('/', 'pi')}include picam/cameras.conf;\n`);
    edit(conf, places);
    if (this.controls) edit(conf, (text) => text.replace('include picam/locations.conf;', 'set $picam_user anyone;\n    set $picam_role operator;\n    $&'));
    for (const name of readdirSync(path.join(this.folder, 'picam'))) edit(`picam/${name}`, places);
    edit('nginx.conf', (text) => text.replace('include picam.conf', this.secure ? 'include sites-enabled/*' : `include ${conf}`));
    if (this.secure && !this.password) {
      mkdirSync(path.join(this.folder, 'etc'));
      mkdirSync(path.join(this.folder, 'share'));
      mkdirSync(path.join(this.folder, 'sites-enabled'));
      for (const name of ['deploy/ctl/picamctl', 'deploy/ctl/cameras.sh', 'deploy/ctl/check.sh', 'deploy/ctl/controls.sh', 'deploy/ctl/mounts.sh', 'deploy/ctl/ports.sh', 'deploy/ctl/relay.sh', 'deploy/ctl/users.sh', 'deploy/ctl/camera-site.conf', 'nginx/locations.conf.in']) {
        writeFileSync(path.join(this.folder, 'share', path.basename(name)), places(readFileSync(path.join(top, name), 'utf8')));
      }
      this.said = this.picamctl(['setup']).stdout;
      this.picamctl(['enable']);
      this.password = readFileSync(path.join(this.folder, 'etc/first-password'), 'utf8').trim();
    }
    // The sockets are for their owner and its group; here nginx's workers are the same user as the programs.
    edit('nginx.conf', (text) => (process.getuid() === 0 ? `user root;\n${text}` : text));
    this.nginx = new Child('nginx', ['-p', this.folder, '-c', path.join(this.folder, 'nginx.conf'), '-e', 'stderr']);
    let answer = 'nothing yet';
    await waitFor('nginx', async () => {
      if (!this.nginx.running) throw new Error(`nginx ended:\n${this.nginx.log}`);
      answer = await (this.secure ? this.ask('/') : fetch(this.url)).then((r) => r.status, (error) => `${error} ${error.cause ?? ''}`);
      return answer === 200;
    }).catch((error) => { throw new Error(`${error.message}: ${answer}\n${this.nginx.log}`); });
  }

  // A camera's locations below a path.
  locations(below, instance) {
    return this.places(readFileSync(path.join(top, 'nginx/locations.conf.in'), 'utf8').replaceAll('@PATH@', below).replaceAll('@INSTANCE@', instance));
  }

  // picamctl on this site's own files. Throws when it fails, unless `mayFail`.
  picamctl(args, { input = '', mayFail = false, env = {} } = {}) {
    const result = spawnSync('bash', [path.join(this.folder, 'share/picamctl'), ...args], {
      input,
      encoding: 'utf8',
      env: this.picamctlEnv(env),
    });
    if (result.status !== 0 && !mayFail) throw new Error(`picamctl ${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result;
  }

  picamctlEnv(env = {}) {
    return {
      ...process.env,
      PICAM_ETC: path.join(this.folder, 'etc'),
      PICAM_LIB: path.join(this.folder, 'lib'),
      PICAM_SHARE: path.join(this.folder, 'share'),
      PICAM_NGINX: `nginx -p ${this.folder} -c ${path.join(this.folder, 'nginx.conf')} -e stderr`,
      ...env,
    };
  }

  // The same for a change, and waits until only workers with the new configuration accept connections.
  change(args, options) { return this.#reloaded(() => this.picamctl(args, options)); }

  // And beside this process, which goes on meanwhile: where it has the sockets that picamctl asks.
  changeMeanwhile(args, { input = '' } = {}) {
    return this.#reloaded(async () => {
      const child = this.picamctlMeanwhile(args, { input });
      const { code } = await child.ended;
      if (code !== 0) throw new Error(`picamctl ${args.join(' ')}: ${child.log}`);
      return child.log;
    });
  }

  picamctlMeanwhile(args, { input = '' } = {}) {
    const child = new Child('bash', [path.join(this.folder, 'share/picamctl'), ...args], { env: this.picamctlEnv(), stdio: 'pipe' });
    child.process.stdin.on('error', () => {}); // it need not read
    child.process.stdin.end(input);
    return child;
  }

  async #reloaded(reload) {
    const old = this.nginxWorkers();
    const result = await reload();
    const gone = (pid) => procFile(pid, 'cmdline')?.includes('shutting down') ?? true;
    await waitFor('the old workers to go', () => old.every(gone) && this.nginxWorkers().some((pid) => !old.includes(pid)));
    return result;
  }

  // Another site of this nginx, before picam's: its server blocks, in place of what it had.
  async otherSite(text) {
    const file = path.join(this.folder, 'nginx.conf');
    if (this.secure) {
      writeFileSync(path.join(this.folder, 'sites-enabled/other'), text);
    } else {
      writeFileSync(path.join(this.folder, 'other.conf'), text);
      writeFileSync(file, readFileSync(file, 'utf8').replace('include picam.conf;', 'include other.conf;\n    include picam.conf;'));
    }
    await this.#reloaded(() => {
      const said = spawnSync('nginx', ['-p', this.folder, '-c', file, '-e', 'stderr', '-s', 'reload'], { encoding: 'utf8' });
      if (said.status !== 0) throw new Error(said.stderr);
    });
  }

  nginxWorkers() {
    return children(this.nginx.process.pid).filter((pid) => procFile(pid, 'cmdline')?.includes('worker process'));
  }

  openssl(args) { return spawnSync('openssl', args, { encoding: 'utf8' }); }

  // A request to a secure site: {status, headers, body}. `auth`: "user:password", by default the right one, null: none.
  // `target` goes out as it is.
  // `localAddress`: from which of this machine's. `agent`: whose connection, by default one of its own.
  ask(target, { auth = `picam:${this.password}`, method = 'GET', headers = {}, plain = false, port, body, localAddress, agent = false } = {}) {
    return new Promise((resolve, reject) => {
      const { request } = plain ? http : https;
      const at = port ?? (plain ? this.httpPort : this.port);
      request({ host: '127.0.0.1', port: at, path: target, method, auth: auth ?? undefined, headers, agent, localAddress, rejectUnauthorized: false }, (response) => {
        const parts = [];
        response.on('data', (data) => parts.push(data));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
      }).on('error', reject).end(body);
    });
  }

  async status() {
    return (await this.request('/status')).json();
  }

  // A request to streamd's own HTTP socket, past nginx.
  request(target) {
    return new Promise((resolve, reject) => {
      http.get({ socketPath: this.socket('http'), path: target, headers: { Host: 'localhost' } }, (response) => {
        let text = '';
        response.on('data', (data) => { text += data; });
        response.on('end', () => resolve({ status: response.statusCode, text, json: () => JSON.parse(text) }));
      }).on('error', reject);
    });
  }

  async stop() {
    for (const child of [this.nginx, this.streamd, this.snapshot]) if (child) await child.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// True when no process holds the camera lock.
export async function lockIsFree(site) {
  const child = new Child('flock', ['-n', path.join(site.run, 'pi.lock'), 'true']);
  return (await child.ended).code === 0;
}

// The text of /proc/PID/NAME; null when the process (or the thread, for "task/TID/…") has gone. A process may end between
// any two looks at it, also between opening its file and reading it: nothing else reads these files.
export function procFile(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return null;
    throw error;
  }
}

// The ids of a process's threads, and of the processes that its first thread started; none when it has gone.
export function threads(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return [];
    throw error;
  }
}
export const children = (pid) => (procFile(pid, `task/${pid}/children`) ?? '').split(' ').filter(Boolean);

// What a process holds in memory, MB; 0 when it has gone.
export function residentMegabytes(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(procFile(pid, 'status') ?? '')?.[1] ?? 0) / 1024;
}

// How much longer work takes here than on a machine with nothing else to do: threads that want a processor for each that
// there is, on average since `begun` (Date.now()), and at least 1. What a test allows in time is for the quiet machine,
// and grows with it: neighbours cannot fail a test, and what hangs still does.
const samples = []; // {at, running}
const kSampleMs = 50;
const kPauseMs = 500; // between two samples
const kDisturbed = 1.3; // times slower
setInterval(() => {
  const running = Number(/ (\d+)\/\d+ /.exec(readFileSync('/proc/loadavg', 'utf8'))[1]) - 1; // but for this thread
  samples.push({ at: Date.now(), running });
  if (samples.length > 600_000 / kSampleMs) samples.shift();
}, kSampleMs).unref();

export function slowness(begun) {
  const since = samples.filter(({ at }) => at >= begun - kSampleMs);
  return Math.max(1, since.reduce((sum, { running }) => sum + running, 0) / (since.length || 1) / availableParallelism());
}

// How long this process could not look since `begun`, ms, each time: the machine stood still, or had no time for it.
function pauses(begun) {
  const times = [...samples.map(({ at }) => at), Date.now()];
  return times.slice(1).map((at, i) => at - Math.max(times[i], begun)).filter((gap) => gap > kPauseMs);
}
const pausedFor = (begun) => pauses(begun).reduce((sum, gap) => sum + gap, 0);

// Does `work`, which a pause of `ms`, half a second at the least, disturbs; again, up to three times, where it failed and
// this process had such a pause.
export async function undisturbed(ms, work) {
  for (let times = 1; ; ++times) {
    const begun = Date.now();
    try {
      return await work();
    } catch (error) {
      const longest = Math.max(0, ...pauses(begun));
      if (times === 3 || longest < ms) throw error;
      console.error(`once more, since this process paused for ${longest} ms: ${error.message}`);
    }
  }
}

// `measure` says what is wrong, or '', as it must: once of three times where this machine, busy or standing still, may be
// the cause.
export async function onceOfThree(measure) {
  for (let times = 1; ; ++times) {
    const begun = Date.now();
    const wrong = await measure();
    if (wrong === '') return;
    const may = pausedFor(begun) > 0 || slowness(begun) > kDisturbed;
    if (times === 3 || !may) assert.fail(wrong);
    console.error(`once more, on a machine that is disturbed: ${wrong}`);
  }
}

// What began at `begun` is over, in so many milliseconds of a quiet machine, of those in which this process could look.
export function assertWithin(begun, ms, what = 'it') {
  const took = Date.now() - begun - pausedFor(begun);
  const slower = slowness(begun);
  assert.ok(took <= ms * slower, `${what} took ${took} ms, where ${ms} ms are allowed on a machine that is not ${slower.toFixed(1)} times slower`);
}

// Size of a whole JPEG, from its frame header; throws when it is none.
export function jpegSize(bytes) {
  const data = Buffer.from(bytes);
  if (data.readUInt16BE(0) !== 0xffd8 || data.readUInt16BE(data.length - 2) !== 0xffd9) throw new Error('no whole JPEG');
  for (let at = 2; at + 9 < data.length;) {
    const marker = data.readUInt16BE(at);
    if (marker >= 0xffc0 && marker <= 0xffc2) return `${data.readUInt16BE(at + 7)}x${data.readUInt16BE(at + 5)}`;
    at += 2 + data.readUInt16BE(at + 2);
  }
  throw new Error('a JPEG without a frame header');
}

// A WebSocket whose messages are kept and can be waited for.
export class Viewer {
  constructor(site, { target = '/stream', protocols = [], headers = {}, ack = true } = {}) {
    this.frames = [];
    this.messages = [];
    this.socket = new WebSocket(site.url.replace('http', 'ws') + target, protocols, { headers });
    this.closed = new Promise((resolve) => { this.socket.on('close', resolve); }); // the code
    this.socket.on('error', (error) => { this.error = error; });
    this.socket.on('message', (data, binary) => {
      if (protocols.includes('picam.v1') && !binary) return this.messages.push(JSON.parse(data));
      const frame = { data, binary, at: Date.now() };
      if (protocols.includes('picam.v1')) {
        frame.sequence = data.readBigUInt64BE(0);
        frame.capturedMs = Number(data.readBigUInt64BE(8)) / 1000;
        frame.jpeg = data.subarray(16);
        if (ack) this.send({ type: 'ack', sequence: Number(frame.sequence) });
      }
      return this.frames.push(frame);
    });
  }

  send(message) { this.socket.send(typeof message === 'string' ? message : JSON.stringify(message)); }

  async waitFrames(count) {
    await waitFor(`${count} frames`, () => {
      if (this.error) throw this.error;
      return this.frames.length >= count;
    });
    return this.frames;
  }

  async close() {
    this.socket.close();
    return this.closed;
  }
}
