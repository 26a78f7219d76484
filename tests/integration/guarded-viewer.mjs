// Viewers of the guarded site, with a password or a ticket.
import { once } from 'node:events';
import WebSocket from 'ws';

// Resolves with a viewer once it is open, or with the status that refused it; 0: the connection ended without an answer, as
// one to a worker of nginx's that goes. `site`: where, {port} at the least; `plain`: without TLS.
export async function view(site, { plain = false, ticket, auth = null, headers = {}, target = '/stream', protocols = ['picam.v1'] } = {}) {
  const viewer = new WebSocket(`${plain ? 'ws' : 'wss'}://127.0.0.1:${site.port}${target}`, ticket === undefined ? protocols : [...protocols, `picam.ticket.${ticket}`],
    { rejectUnauthorized: false, headers, auth: auth ?? undefined, handshakeTimeout: 20_000 });
  viewer.frames = [];
  viewer.on('message', (data, binary) => {
    if (!binary) return;
    viewer.frames.push(performance.now());
    viewer.send(JSON.stringify({ type: 'ack', sequence: Number(data.readBigUInt64BE(0)) }));
  });
  return new Promise((resolve) => {
    viewer.on('error', () => resolve(0)).once('open', () => resolve(viewer));
    viewer.once('unexpected-response', (request, response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
}

export async function end(viewer) {
  if (viewer.readyState === WebSocket.CLOSED) return;
  const closed = once(viewer, 'close');
  viewer.close();
  await closed;
}

export const ticketOf = async (site) => JSON.parse((await site.ask('/ticket')).body).ticket;
