// picam as it is installed in a virtual machine, looked at from outside and from within: what the tests of every Debian
// ask of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import https from 'node:https';
import { test } from 'node:test';
import WebSocket from 'ws';
import { end, view } from '../integration/guarded-viewer.mjs';
import { Site, waitFor } from '../integration/harness.mjs';
import { kRawHalves, kRawLuma, sequenceOf } from './webcam.mjs';

export const kSlowMs = 120000; // the machine is ten times slower than one with a processor of its own
const kApt = 'DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold'; // the owner's files stay

// Tests of a machine's site, one after the other, on what the one before has left: step(name, body). Of one that fails the
// machine's log is told, too. `site` gives it, when it is there.
export const stepsOn = (site) => (name, body) => test(name, { timeout: 800000 }, async (t) => {
  try {
    await body(t);
  } catch (error) {
    t.diagnostic(`the machine's log:\n${await site()?.log()}viewers' ends: ${site()?.ends.join(', ')}`);
    throw error;
  }
});
export const sha1 = (bytes) => createHash('sha1').update(bytes).digest('hex');
export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
export const apt = (command) => `${kApt} ${command}`;

// For a viewer's functions it is what harness.mjs's Site is: a port and a password.
export class InstalledSite {
  constructor(machine) {
    this.machine = machine;
    this.port = machine.ports.https;
    this.httpPort = machine.ports.http;
    this.ask = Site.prototype.ask;
    this.ends = []; // of viewers, as each was told
  }

  get auth() { return `picam:${this.password}`; }

  // 0 when nobody answers.
  async statusOf(target, options) { return (await this.ask(target, options).catch(() => ({ status: 0 }))).status; }

  // Status and type of an answer, however long it goes on.
  head(target, { auth = this.auth, port = this.port } = {}) {
    return new Promise((resolve, reject) => {
      https.get({ host: '127.0.0.1', port, path: target, auth, agent: false, rejectUnauthorized: false }, (response) => {
        resolve(`${response.statusCode} ${response.headers['content-type']?.replace(/boundary=.*/, '')}`);
        response.on('error', () => {}).destroy();
      }).on('error', reject);
    });
  }

  // The first answer with a still: a camera that is slow to start may cost some before.
  still(options) {
    return waitFor('a still', async () => {
      const answer = await this.ask('/pi.jpg', options).catch(() => null);
      return answer?.status === 200 && answer;
    }, kSlowMs);
  }

  async stillWorks(options) { await this.still(options); }

  // Without a complaint of picamctl's.
  checksWell() {
    return waitFor('a good check', async () => {
      const { status, stdout } = await this.machine.try('picamctl check');
      return status === 0 && !/BAD/.test(stdout) && stdout;
    }, kSlowMs).catch(async (error) => assert.fail(`${error.message}: ${(await this.machine.try('picamctl check')).stdout}`));
  }

  // A viewer that keeps the stream's pictures and the states that it is told.
  async watch() {
    const viewer = await waitFor('a viewer', async () => {
      const answer = await view(this, { auth: this.auth });
      return answer instanceof WebSocket && answer;
    }, kSlowMs);
    viewer.pictures = [];
    viewer.states = [];
    viewer.on('message', (data, binary) => {
      if (binary) viewer.pictures.push(data.subarray(16));
      else viewer.states.push(JSON.parse(data));
    });
    viewer.on('close', (code, reason) => this.ends.push(`${code} ${reason}`.trim()));
    return viewer;
  }

  async streamWorks() {
    const viewer = await this.watch();
    await waitFor('frames', () => viewer.pictures.length > 5, kSlowMs);
    await end(viewer);
  }

  async mainPid(unit) { return (await this.machine.sh(`systemctl show -p MainPID --value ${unit}`)).trim(); }

  // Viewers live in this process, which a busy machine may stop for longer than they may be silent.
  async setPatience() { await this.machine.sh(`sed -i 's/^#ack_timeout = .*/ack_timeout = "10m"/' /etc/picam/picam.conf; systemctl restart picam.target`); }

  // Restarted with these settings of the environment's, and no others; `before` is done in the same breath.
  async configure(variables, before = 'true') {
    await this.machine.sh(`${before}; printf '%s\n' ${Object.entries(variables).map(([name, value]) => `PICAM_${name}=${value}`).join(' ')} ` +
      '>/etc/picam/pi.env; systemctl restart picam.target');
  }

  async cameraStatus() { return JSON.parse(await this.machine.sh('curl -s --unix-socket /run/picam/pi.http.sock http://localhost/status')).camera; }

  // What is there under picam's name: on the disk, which is looked through from outside since it takes a minute in there,
  // and in memory.
  async traces() {
    const { status, stdout, stderr } = spawnSync('find', ['.', '-iname', '*picam*', '-not', '-path', './var/lib/apt/*'], { cwd: this.machine.root, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout + await this.machine.sh('find /run /dev -iname "*picam*"; getent passwd picam; getent group picam; systemctl list-unit-files "picam*" --no-legend; pgrep -a picam; true');
  }

  // The devices that a unit has open though they are gone.
  async lostDevices(unit) { return this.machine.sh(`ls -l /proc/${await this.mainPid(unit)}/fd | grep '/dev/.*(deleted)' || true`); }

  // The last lines of its log, and of which second since its boot they are.
  async log() { return (await this.machine.try('journalctl --no-pager --no-hostname -o short-monotonic -n 60')).stdout; }

  async cameraIsFree() { return (await this.machine.try('flock -n /run/picam/pi.lock true')).status === 0; }
}

// Each picture is one that the webcam has sent, byte for byte.
export async function assertSent(webcam, pictures) {
  const sent = await webcam.sent();
  const others = pictures.flatMap((picture, i) => (sha1(picture) === sent.get(sequenceOf(picture)) ? [] :
    [`picture ${i} of ${pictures.length}: sequence ${sequenceOf(picture)}, ${picture.length} bytes`]));
  assert.deepEqual(others, [], 'the webcam sent others');
}

// A JPEG of a raw frame as the webcam gives it at first: its halves have the colours that BT.601 of limited range, a
// webcam's unless it says otherwise, makes of them.
export function assertRawColors(jpeg) {
  const { status, stdout, stderr } = spawnSync('convert', ['jpeg:-', '-scale', '2x1!', '-depth', '8', 'rgb:-'], { input: jpeg });
  assert.equal(status, 0, `${stderr}`);
  const expected = kRawHalves.flatMap(({ u, v }) => [1.596 * (v - 128), -0.392 * (u - 128) - 0.813 * (v - 128), 2.017 * (u - 128)])
    .map((difference) => Math.round(1.164 * (kRawLuma - 16) + difference));
  assert.ok(stdout.every((value, i) => Math.abs(value - expected[i]) <= 4), `${[...stdout]}, not ${expected}`);
}
