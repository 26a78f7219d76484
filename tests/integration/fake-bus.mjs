// A server of the engine's protocol that errs, for what nats-server never does when it is asked: a mark that is lost, one
// that comes twice, a right key that is refused. Without TLS; it looks at no key. It carries nothing between its clients.
import { once } from 'node:events';
import net from 'node:net';
import { waitFor } from './harness.mjs';

export class FakeBus {
  // `onPublish({subject, reply, data}, client)`: of each message; client.deliver(subject, data, reply) answers it.
  // The first `refusals` connections are not let in.
  static async start(onPublish, { refusals = 0 } = {}) {
    const bus = new FakeBus();
    bus.clients = []; // all that ever came, in their order
    bus.server = net.createServer((socket) => bus.clients.push(new FakeBusClient(socket, onPublish, bus.clients.length < refusals))).listen(0, '127.0.0.1');
    await once(bus.server, 'listening');
    bus.urls = [`nats://127.0.0.1:${bus.server.address().port}`];
    bus.authority = { file: '/dev/null' };
    return bus;
  }

  // The newest connection that has subscribed to `subject`.
  client(subject) { return waitFor(`a client that hears ${subject}`, () => this.clients.findLast((client) => client.isOpen && client.hears(subject))); }

  async stop() {
    for (const { socket } of this.clients) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

class FakeBusClient {
  constructor(socket, onPublish, refuses) {
    this.socket = socket;
    this.isOpen = true;
    this.subscriptions = new Map(); // sid → subject
    let rest = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('error', () => {}).on('close', () => { this.isOpen = false; });
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (let end; (end = rest.indexOf('\r\n')) >= 0;) {
        const [word, ...args] = rest.toString('latin1', 0, end).split(' ');
        const bytes = word === 'PUB' ? Number(args.at(-1)) + 2 : 0;
        if (rest.length < end + 2 + bytes) return;
        const payload = rest.subarray(end + 2, end + bytes);
        rest = rest.subarray(end + 2 + bytes);
        if (word === 'CONNECT' && refuses) socket.end("-ERR 'Authorization Violation'\r\n");
        else if (word === 'PING') socket.write('PONG\r\n');
        else if (word === 'SUB') this.subscriptions.set(args.at(-1), args[0]);
        else if (word === 'UNSUB') this.subscriptions.delete(args[0]);
        else if (word === 'PUB') onPublish({ subject: args[0], reply: args.length > 2 ? args[1] : '', data: Buffer.from(payload) }, this);
      }
    });
    socket.write('INFO {"server_id":"fake","version":"2.9.10","proto":1,"headers":true,"nonce":"PXoWU7zWAMt75FY","max_payload":1048576}\r\n');
  }

  hears(subject) { return [...this.subscriptions.values()].includes(subject); }

  deliver(subject, data, reply = '') {
    const [sid] = [...this.subscriptions].find(([, heard]) => heard === subject) ?? [];
    if (!sid || !this.isOpen) return;
    const bytes = Buffer.from(data);
    this.socket.write(Buffer.concat([Buffer.from(`MSG ${subject} ${sid} ${reply}${reply && ' '}${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]));
  }
}
