// A camera's host and its edges, for tests: picam as it is, and a picam-relay beside it that is connected to an engine.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { RawViewer } from '../faults/raw-viewer.mjs';
import { build, Child, lockIsFree, Site, waitFor } from './harness.mjs';

const kProgram = process.env.RELAY ?? path.join(build, 'relay/picam-relay'); // or as a sanitizer's build has it
const kHeader = 40; // core/image/frame_header.h

// picam-relay, on the host of a camera (`role` publish) or on an edge (join). `user`: of engine.mjs; null: nobody.
export class Relay {
  constructor(role, engine, user, { folder, run, camera = 'garden', servers = engine.urls, ca = engine.authority.file, env = {}, seedMode = 0o600 }) {
    const seed = path.join(folder, 'relay.seed');
    if (user) writeFileSync(seed, `${user.seed}\n`, { mode: seedMode });
    this.env = { ...process.env, ...env };
    this.feed = path.join(folder, 'feed.sock');
    this.args = ['--runtime-dir', run, '--relay.role', role, '--relay.camera', camera, '--relay.servers', servers.join(', '),
      '--relay.ca', ca, ...(user ? ['--relay.nkey', user.nkey, '--relay.seed', seed] : []), ...(role === 'join' ? ['--camera.feed', this.feed] : [])];
  }

  start() {
    this.child = new Child(kProgram, this.args, { env: this.env });
  }

  get log() { return this.child.log; }
  says(pattern) {
    return waitFor(`${pattern} in the log of picam-relay`, () => {
      if (!pattern.test(this.log) && !this.child.running) throw new Error(`it ended:\n${this.log}`);
      return pattern.test(this.log);
    }).catch((error) => { throw new Error(`${error.message}:\n${this.log}`); });
  }

  // When it is connected to the engine, again after each start.
  connected() { return this.says(/connected to (the engine )?(tls|nats):/); }
  // The port of the engine that it is connected to, or was last, and the node that is there.
  get port() { return Number(this.log.match(/connected to (the engine )?\w+:\/\/[^:]+:\d+/g).at(-1).split(':').at(-1)); }
  nodeOf(engine) { return engine.nodes.find(({ port }) => port === this.port); }

  kill() { return this.child.end('SIGKILL'); }
  async end() {
    if (!this.child?.running) return;
    const { code, signal } = await this.child.end();
    if (code !== 0) throw new Error(`picam-relay ended with ${code ?? signal}:\n${this.log}`);
  }
}

// A machine: a site and its relay.
class Place {
  async startRelay() {
    this.relay.start();
    await this.relay.connected();
  }

  async stop() {
    try {
      await this.site?.stop();
      await this.relay?.end();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  status() { return this.site.status(); }
  isIdle() { return lockIsFree(this.site); }
}

async function place(role, engine, user, { flags, env = {}, nginx = false, ...options }) {
  const made = new Place();
  made.folder = mkdtempSync('/dev/shm/picam-place.');
  try {
    const feed = role === 'join' ? ['--camera.source', 'feed', '--camera.feed', path.join(made.folder, 'feed.sock')] : [];
    made.site = await Site.start([...feed, '--stream.linger', '300ms', '--snapshot.linger', '300ms', ...flags], { nginx, env });
    made.relay = new Relay(role, engine, user, { folder: made.folder, run: made.site.run, env, ...options });
    await made.startRelay();
  } catch (error) {
    await made.stop();
    throw error;
  }
  return made;
}

// The camera's own source stands in `flags`.
export const cameraHost = (engine, user, options = {}) => place('publish', engine, user, { flags: [], ...options });
export const edgeHost = (engine, user, options = {}) => place('join', engine, user, { flags: [], ...options });

// A viewer at a place, past nginx: its frames { at, capturedMs, sequence, payload … }, acknowledged as they come.
export class Watcher extends RawViewer {
  constructor({ site }) {
    const seen = [];
    super({ path: site.socket('stream') }, (frame) => {
      seen.push({ ...frame, payload: Buffer.from(frame.payload), at: Date.now(), capturedMs: Date.now() - frame.ageMs });
    }, { take: ['jpeg'] });
    this.seen = seen;
  }

  see(count, deadlineMs) {
    return waitFor(`${count} frames, of which ${this.seen.length} have come`, () => this.seen.length >= count, deadlineMs);
  }
  // As many more than now.
  seeMore(count, deadlineMs) { return this.see(this.seen.length + count, deadlineMs); }
  // A frame that was taken at `ms` or later.
  seeSince(ms, deadlineMs) { return waitFor('a frame taken since', () => this.seen.at(-1)?.capturedMs >= ms, deadlineMs); }
  // The longest time without a frame, of which a part at least was after `begun`.
  longestGap(begun) {
    let most = 0;
    for (let i = 1; i < this.seen.length; ++i) if (this.seen[i].at >= begun) most = Math.max(most, this.seen[i].at - this.seen[i - 1].at);
    return most;
  }

  async close() {
    this.socket.destroy();
    await waitFor('the viewer to be gone', () => this.ended);
  }
}

// What a frame message, or a part's first 40 bytes, say.
export function frameOf(message) {
  return {
    codec: message[1],
    bytes: message.readUInt32BE(4),
    sequence: message.readBigUInt64BE(8),
    capturedMs: Number(message.readBigUInt64BE(16)) / 1000,
    size: `${message.readUInt16BE(24)}x${message.readUInt16BE(26)}`,
    payload: message.subarray(kHeader),
  };
}

// A program that wants pictures of a feed's socket, in picam's place: what comes, as states and frames.
export class FeedClient {
  constructor(socket, wants = { feed: 1, still: false, width: 640, height: 480, fps: 30 }) {
    this.states = [];
    this.frames = [];
    let rest = Buffer.alloc(0);
    this.socket = net.connect(socket).on('error', () => {}).on('close', () => { this.ended = true; });
    this.socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= kHeader && rest.length >= kHeader + rest.readUInt32BE(4)) {
        const bytes = rest.readUInt32BE(4);
        const frame = frameOf(rest.subarray(0, kHeader + bytes));
        if (frame.codec === 0) this.states.push(JSON.parse(frame.payload));
        else this.frames.push(frame);
        rest = rest.subarray(kHeader + bytes);
      }
    });
    this.socket.write(`${JSON.stringify(wants)}\n`);
  }

  hears(pattern) {
    return waitFor(`${pattern} among the states`, () => this.states.some(({ reason }) => pattern.test(reason ?? '')))
      .catch((error) => { throw new Error(`${error.message}: ${JSON.stringify(this.states.slice(-5))}`); });
  }

  close() { this.socket.destroy(); }
}

// A camera of the test's own, on a feed's socket: `picture()` gives each JPEG, of the size that is said, `fps` a second.
export class Feeder {
  constructor(socket, picture, { width, height, fps = 15 }) {
    this.fps = fps;
    this.sequence = 0n;
    this.connections = new Set();
    this.server = net.createServer((connection) => {
      let timer;
      const send = () => {
        const jpeg = picture();
        const header = Buffer.alloc(kHeader);
        header.set([1, 1, 0, 3]);
        header.writeUInt32BE(jpeg.length, 4);
        header.writeBigUInt64BE(++this.sequence, 8);
        header.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 16);
        header.writeUInt16BE(width, 24);
        header.writeUInt16BE(height, 26);
        connection.write(Buffer.concat([header, jpeg]));
        timer = setTimeout(send, 1000 / this.fps);
      };
      this.connections.add(connection);
      connection.on('error', () => {}).on('data', () => {}).on('close', () => {
        this.connections.delete(connection);
        clearTimeout(timer);
      });
      send();
    }).listen(socket);
  }

  close() {
    for (const connection of this.connections) connection.destroy();
    this.server.close();
  }
}

// JPEGs of about a photograph's detail, all different: their files' contents.
export function makePictures(folder, count, { size = '320x240', quality = 80 } = {}) {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: count }, (_, i) => {
    const file = path.join(folder, `${String(i).padStart(3, '0')}.jpg`);
    execFileSync('convert', ['-size', size, '-seed', String(i), 'plasma:', '-quality', String(quality), file]);
    return readFileSync(file);
  });
}
