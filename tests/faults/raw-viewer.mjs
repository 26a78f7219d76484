// A viewer of picam.v1 or picam.v2 on a bare socket: hundreds of them cost less than the server does, and nothing is read for the one
// that is paused.
import net from 'node:net';

export const handshake = (protocol) => `GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${
  protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ''}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

// A client's frame with a mask of zeros, which leaves the payload as it is.
export function clientFrame(opcode, payload) {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
}

export class RawViewer {
  // `where`: as net.connect() takes it. `onFrame({ sequence, ageMs, bytes })` when a frame's last byte has come; it may
  // return a promise to acknowledge later. `take`: the codecs of a viewer of picam.v2, whose frames have what their
  // header says, too, and their `payload`.
  constructor(where, onFrame = () => {}, { take = null } = {}) {
    this.v2 = take !== null;
    this.frames = 0;
    this.onFrame = onFrame;
    this.rest = [];
    this.restBytes = 0;
    this.needed = 1;
    this.greeted = false;
    this.ended = false;
    this.socket = net.connect(where);
    this.socket.on('error', () => {}).on('close', () => { this.ended = true; });
    this.socket.write(handshake(this.v2 ? 'picam.v2' : 'picam.v1'));
    if (this.v2) this.socket.write(clientFrame(1, JSON.stringify({ type: 'take', codecs: take })));
    this.socket.on('data', (data) => {
      this.rest.push(data);
      this.restBytes += data.length;
      if (this.restBytes >= this.needed) this.take(Buffer.concat(this.rest));
    });
  }

  take(data) {
    let at = 0;
    if (!this.greeted) {
      const end = data.indexOf('\r\n\r\n');
      this.greeted = end >= 0;
      at = this.greeted ? end + 4 : 0;
    }
    this.needed = data.length - at + 1;
    while (this.greeted) {
      const left = data.length - at;
      this.needed = 2;
      if (left < 2) break;
      const short = data[at + 1] & 0x7f;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      this.needed = head;
      if (left < head) break;
      const length = short === 127 ? Number(data.readBigUInt64BE(at + 2)) : short === 126 ? data.readUInt16BE(at + 2) : short;
      this.needed = head + length;
      if (left < this.needed) break;
      const payload = data.subarray(at + head, at + head + length);
      if ((data[at] & 15) === 2) this.frame(payload);
      if ((data[at] & 15) === 8) this.closed = payload.toString('utf8', 2); // the reason
      at += head + length;
    }
    this.rest = [data.subarray(at)];
    this.restBytes = data.length - at;
  }

  frame(payload) {
    ++this.frames;
    if (this.v2) return this.frameV2(payload);
    const sequence = payload.readBigUInt64BE(0);
    const acknowledge = () => this.socket.writable && this.socket.write(clientFrame(1, `{"type":"ack","sequence":${sequence}}`));
    const wait = this.onFrame({ sequence, ageMs: Date.now() - Number(payload.readBigUInt64BE(8)) / 1000, bytes: payload.length });
    if (wait) wait.then(acknowledge);
    else acknowledge();
  }
  frameV2(payload) {
    const frame = {
      codec: payload[1] === 2 ? 'h264' : 'jpeg',
      rung: payload[2],
      key: (payload[3] & 1) === 1,
      sequence: payload.readBigUInt64BE(8),
      ageMs: Date.now() - Number(payload.readBigUInt64BE(16)) / 1000,
      size: `${payload.readUInt16BE(24)}x${payload.readUInt16BE(26)}`,
      bytes: payload.length,
      payload: payload.subarray(40),
    };
    const ack = Buffer.concat([payload.subarray(1, 3), payload.subarray(8, 16)]);
    const acknowledge = () => this.socket.writable && this.socket.write(clientFrame(2, ack));
    const wait = this.onFrame(frame);
    if (wait) wait.then(acknowledge);
    else if (wait !== false) acknowledge();
  }
}
