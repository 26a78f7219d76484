// A bare client of the engine, nats-server, and the keys of its users: for tests that look at what the engine carries, or
// speak as a broken or foreign edge. No library, so that it can be as broken as a test needs it.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { waitFor } from './harness.mjs';

// An nkey is base32, without padding, of the kind, the key, and a CRC16 (XMODEM) of both, least byte first. A seed has
// two bytes of kind: that it is one, and of what.
const kSeed = 18 << 3; // 'S'
const kUser = 20 << 3; // 'U'

function crc16(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

function base32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.match(/.{1,5}/g).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five.padEnd(5, '0'), 2)]).join('');
}

function encoded(kind, key) {
  const bytes = Buffer.concat([Buffer.from(kind), key]);
  const crc = crc16(bytes);
  return base32(Buffer.concat([bytes, Buffer.from([crc & 0xff, crc >> 8])]));
}

// A user's keys, from `seed` (32 bytes) or new: { nkey: 'U…', seed: 'SU…', sign(nonce) }.
export function newUser(seed) {
  const key = seed
    ? createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
    : generateKeyPairSync('ed25519').privateKey;
  const raw = key.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const open = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    nkey: encoded([kUser], open),
    seed: encoded([kSeed | (kUser >> 5), (kUser & 31) << 3], raw),
    sign: (nonce) => sign(null, Buffer.from(nonce), key).toString('base64url'),
  };
}

// Messages come as { subject, reply, headers, data }: headers as text, of which a refusal's is "NATS/1.0 503".
export class NatsClient {
  // `node`: of an Engine. Rejects with what the server says when it lets nobody in.
  static async connect(node, user, { verbose = false } = {}) {
    const client = new NatsClient();
    client.errors = []; // what the server complains about
    client.handlers = new Map();
    client.pongs = [];
    client.last = 0;
    client.rest = Buffer.alloc(0);
    const plain = net.connect(node.port, '127.0.0.1');
    client.info = await new Promise((resolve, reject) => {
      plain.on('error', reject).once('data', (line) => resolve(JSON.parse(String(line).replace('INFO ', ''))));
    });
    plain.removeAllListeners('data');
    client.socket = plain;
    if (client.info.tls_required) {
      client.socket = tls.connect({ socket: plain, ca: node.ca, servername: 'localhost' });
      await once(client.socket, 'secureConnect');
    }
    client.socket.setNoDelay(true);
    client.ended = new Promise((resolve) => { client.socket.on('close', resolve); });
    client.isOpen = true;
    client.socket.on('error', () => {}).on('close', () => { client.isOpen = false; });
    client.socket.on('data', (data) => client.#take(data));
    const login = user && { nkey: user.nkey, sig: user.sign(client.info.nonce) };
    client.#write(`CONNECT ${JSON.stringify({ verbose, pedantic: false, lang: 'test', version: '0', protocol: 1, headers: true, no_responders: true, ...login })}\r\n`);
    await Promise.race([client.flush(), client.ended]);
    if (!client.isOpen) throw new Error(client.errors.join('; ') || 'the engine closed the connection');
    return client;
  }

  // `max`: so many messages and no more, as an edge's credit.
  subscribe(subject, onMessage = () => {}, { queue = '', max = 0 } = {}) {
    const sid = ++this.last;
    this.handlers.set(sid, onMessage);
    this.#write(`SUB ${subject} ${queue} ${sid}\r\n${max > 0 ? `UNSUB ${sid} ${max}\r\n` : ''}`);
    return sid;
  }

  unsubscribe(sid) {
    this.handlers.delete(sid);
    this.#write(`UNSUB ${sid}\r\n`);
  }

  publish(subject, payload, reply = '') {
    const data = Buffer.from(payload);
    this.#write(Buffer.concat([Buffer.from(`PUB ${subject} ${reply} ${data.length}\r\n`), data, Buffer.from('\r\n')]));
  }

  publishWithHeaders(subject, headers, payload) {
    const head = Buffer.from(`NATS/1.0\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    const data = Buffer.from(payload);
    this.#write(Buffer.concat([Buffer.from(`HPUB ${subject} ${head.length} ${head.length + data.length}\r\n`), head, data, Buffer.from('\r\n')]));
  }

  // The first answer, which may be the server's own that nobody hears. `inbox`: where this user may listen.
  async request(subject, payload, inbox = '_INBOX') {
    const reply = `${inbox}.${randomUUID()}`;
    const answers = [];
    const sid = this.subscribe(reply, (message) => answers.push(message), { max: 1 });
    this.publish(subject, payload, reply);
    await waitFor(`an answer to ${subject}`, () => answers.length > 0);
    this.handlers.delete(sid);
    return answers[0];
  }

  // When the server has taken all that was sent, and what it had to say of it has come.
  flush() {
    const pong = new Promise((resolve) => { this.pongs.push(resolve); });
    this.#write('PING\r\n');
    return pong;
  }

  // Reads nothing any more, as an edge that hangs.
  hang() { this.socket.pause(); }

  async close() {
    this.socket.destroy();
    await this.ended;
  }

  #write(bytes) { if (this.socket.writable) this.socket.write(bytes); }

  #take(data) {
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, data]) : data;
    for (;;) {
      if (this.message) {
        if (this.rest.length < this.message.total + 2) return;
        this.#deliver();
      } else {
        const end = this.rest.indexOf('\r\n');
        if (end < 0) return;
        this.#line(this.rest.toString('utf8', 0, end));
        this.rest = this.rest.subarray(end + 2);
      }
    }
  }

  #line(line) {
    const [word, ...args] = line.split(' ');
    if (word === 'MSG' || word === 'HMSG') {
      const total = Number(args.pop());
      const head = word === 'HMSG' ? Number(args.pop()) : 0;
      const [subject, sid, reply = ''] = args;
      this.message = { subject, sid: Number(sid), reply, head, total };
    } else if (word === 'PING') {
      this.#write('PONG\r\n');
    } else if (word === 'PONG') {
      this.pongs.shift()?.();
    } else if (word === '-ERR') {
      this.errors.push(line.slice(5));
    }
  }

  #deliver() {
    const { subject, sid, reply, head, total } = this.message;
    const headers = this.rest.toString('utf8', 0, head);
    const data = Buffer.from(this.rest.subarray(head, total));
    this.rest = this.rest.subarray(total + 2);
    this.message = undefined;
    this.handlers.get(sid)?.({ subject, reply, headers, data });
  }
}
