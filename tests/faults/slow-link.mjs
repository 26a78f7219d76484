// A link in user space between a client and a TCP port: so many bits a second each way, so long a round trip, both
// changeable. What does not fit into the link waits in the kernel's buffers in front of it, as before a real one. A share
// of its packets is lost, as TCP shows it: what comes behind one waits until it has been sent again, a round trip later.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { slowness, waitFor } from '../integration/harness.mjs';

const kSlice = 4096; // bytes that cross the link in one piece
const kPacket = 1448;
const kNoticedMs = 10; // a loss, later than the packets behind it come

export class SlowLink {
  static async to(port, { bitsPerSecond, roundTripMs, loss = 0 }) {
    const link = new SlowLink();
    link.set({ bitsPerSecond, roundTripMs });
    link.loss = loss;
    link.packets = 0; // since the last one was lost
    link.isCut = false; // what is sent goes nowhere, and nobody is told, as behind a cable that is out
    link.sockets = new Set();
    link.server = net.createServer((client) => {
      const server = net.connect(port, '127.0.0.1');
      link.carry(client, server);
      link.carry(server, client);
    }).listen(0, '127.0.0.1');
    await once(link.server, 'listening');
    link.port = link.server.address().port;
    return link;
  }

  set({ bitsPerSecond, roundTripMs }) {
    this.bytesPerMs = bitsPerSecond / 8000;
    this.oneWayMs = roundTripMs / 2;
  }

  // One in so many, evenly: the same in each run.
  loses(bytes) {
    this.packets += bytes / kPacket;
    if (this.packets * this.loss < 1) return false;
    this.packets = 0;
    return true;
  }

  carry(from, to) {
    this.sockets.add(from);
    from.setNoDelay(true);
    let free = performance.now(); // when the link has taken all that it was given
    let again = 0; // … and what was lost once more
    const onTheWay = [];
    // Timers of a busy loop may go off out of order: the bytes stay in it.
    const arrive = () => {
      const slice = onTheWay.shift();
      if (to.writable) to.write(slice);
    };
    from.on('error', () => {}).on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
    from.on('data', (data) => {
      if (this.isCut) return;
      free = Math.max(free, performance.now());
      for (let at = 0; at < data.length; at += kSlice) {
        const slice = data.subarray(at, at + kSlice);
        onTheWay.push(slice);
        free += slice.length / this.bytesPerMs;
        if (this.loses(slice.length)) again = free + 2 * this.oneWayMs + kNoticedMs;
        setTimeout(arrive, Math.max(free, again) + this.oneWayMs - performance.now());
      }
      from.pause();
      setTimeout(() => from.resume(), free - performance.now());
    });
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

// What a viewer behind the link sees of the stream in so many seconds, after `settleSeconds`: frames a second, how old
// frames were when their last byte had come, and how much slower than a quiet one this machine was. Both times are part of
// the measurement, not a wait for something.
export async function seenOver(viewer, seconds, settleSeconds) {
  const ages = [];
  let seen = 0;
  let measuring = false;
  const before = viewer.onFrame;
  viewer.onFrame = (frame) => {
    if (measuring) {
      ages.push(frame.ageMs);
      ++seen;
    }
    return before(frame);
  };
  await new Promise((resolve) => { setTimeout(resolve, settleSeconds * 1000); });
  measuring = true;
  const begun = Date.now();
  await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
  viewer.onFrame = before;
  ages.sort((a, b) => a - b);
  return { fps: seen / seconds, slower: slowness(begun), p50: ages[Math.floor(ages.length * 0.5)], p99: ages[Math.floor(ages.length * 0.99)] };
}

// The same over so many seconds of the next minute of which `wrong(seen)` says nothing: a window that shrank while this
// machine stood still takes some to grow again.
export async function seenWell(viewer, seconds, settleSeconds, wrong) {
  let seen;
  let why;
  await waitFor('a good time', async () => {
    seen = await seenOver(viewer, seconds, settleSeconds);
    why = wrong(seen);
    return !why;
  }, 60_000).catch((error) => assert.fail(`${error.message}: ${why}`));
  return seen;
}
