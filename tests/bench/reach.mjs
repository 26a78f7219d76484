// A camera's pictures at edges: thin uplinks, nodes of the engine that fail, what picam-relay takes beside a bare libnats
// publisher, and what many viewers of many cameras would take of engine, uplinks and edges, by the figures of this run.
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { seenOver, SlowLink } from '../faults/slow-link.mjs';
import { cameraUser, edgeUser, Engine } from '../integration/engine.mjs';
import { build, children, residentMegabytes, waitFor } from '../integration/harness.mjs';
import { cameraHost, edgeHost, Watcher } from '../integration/reach.mjs';
import { jpegOf, median, row, rounds } from './bench.mjs';
import { processSeconds, watch } from './stream.mjs';
import { wakeUps } from './times.mjs';

const kPublisher = path.join(build, 'tests/bench/nats_publisher');
const kSeconds = Number(process.env.ROUND_SECONDS ?? 5);
const kRoundTripMs = 40;
const kFps = 30;
const kIdleSeconds = 10;

// An engine, a camera that repeats one picture of about so many bytes, and edges.
class Reach {
  static async start(folder, { bytes, fps = kFps, nodes = 1, edges = 1, uplink = null, nginx = false }) {
    const reach = new Reach();
    reach.file = path.join(folder, `${bytes}/a.jpg`);
    mkdirSync(path.dirname(reach.file), { recursive: true });
    jpegOf(reach.file, '640x480', bytes);
    reach.bytes = statSync(reach.file).size;
    reach.camera = cameraUser('garden');
    reach.bare = cameraUser('bare');
    const users = Array.from({ length: edges }, () => edgeUser('garden'));
    reach.engine = await Engine.start({ nodes, users: [reach.camera, reach.bare, ...users] });
    reach.link = uplink && await SlowLink.to(reach.engine.nodes[0].port, uplink);
    reach.host = await cameraHost(reach.engine, reach.camera, {
      flags: ['--camera.source', 'replay', '--camera.file', reach.file, '--stream.size', '640x480', '--stream.fps', String(fps)],
      ...(uplink && { servers: [`tls://localhost:${reach.link.port}`] }),
    });
    reach.edges = await Promise.all(users.map((user) => edgeHost(reach.engine, user, { nginx, flags: ['--stream.max_viewers', '500'] })));
    return reach;
  }

  async stop() {
    for (const place of [...this.edges, this.host]) await place.stop();
    await this.link?.close();
    await this.engine.stop();
  }
}

async function uplinks(folder) {
  for (const [megabits, seconds, bar] of [[10, 10, 'p99 at most 150 ms'], [5, 10, ''], [1, 30, 'p99 at most 1.5 × (transfer + round trip)']]) {
    const kind = { bitsPerSecond: megabits * 1e6, roundTripMs: kRoundTripMs };
    const reach = await Reach.start(folder, { bytes: 60_000, uplink: kind });
    try {
      const watcher = new Watcher(reach.edges[0]);
      await watcher.see(2);
      const seen = await seenOver(watcher, seconds, 5);
      await watcher.close();
      const least = (reach.bytes * 8000) / kind.bitsPerSecond + kRoundTripMs;
      row(`an uplink of ${megabits} Mbit/s, ${kRoundTripMs} ms there and back, ${(reach.bytes / 1000).toFixed(0)} KB: at an edge, age p50 / p99`,
        `${seen.fps.toFixed(1)} fps, ${seen.p50.toFixed(0)} / ${seen.p99.toFixed(0)} ms: ${(seen.p99 / least).toFixed(2)} × (transfer + round trip)`, bar);
    } finally {
      await reach.stop();
    }
  }
}

// The longest time without a picture at any of three edges, when the node fails that the camera is connected to.
async function nodes(folder) {
  const reach = await Reach.start(folder, { bytes: 22_000, nodes: 3, edges: 3 });
  try {
    const fail = async (what, heal) => {
      // A picam-relay that has left a node a moment ago is more patient with the next one.
      for (const place of [reach.host, ...reach.edges]) {
        await place.relay.end();
        await place.startRelay();
      }
      const watchers = reach.edges.map((edge) => new Watcher(edge));
      await Promise.all(watchers.map((watcher) => watcher.see(10)));
      const node = reach.host.relay.nodeOf(reach.engine);
      const begun = Date.now();
      await what(node);
      await Promise.all(watchers.map((watcher) => watcher.seeSince(begun + 500)));
      const gap = Math.max(...watchers.map((watcher) => watcher.longestGap(begun)));
      await heal(node);
      await reach.engine.whole();
      await Promise.all(watchers.map((watcher) => watcher.close()));
      return gap;
    };
    const seen = await rounds({
      killed: () => fail((node) => node.kill(), (node) => node.start()),
      hung: () => fail((node) => node.hang(), (node) => node.goOn()),
    });
    row('the camera\'s node of three is killed: longest time without a picture, any of three edges', `${Math.max(...seen.killed)} ms`, 'at most 2000 ms');
    row('… hangs', `${Math.max(...seen.hung)} ms`, 'at most 5000 ms');
  } finally {
    await reach.stop();
  }
}

const perGB = (seconds, bytes) => seconds / (bytes / 1e9);

// Processor seconds per GB of pictures: of the relay at either side, and of a program that does nothing but publish.
async function relay(folder) {
  const reach = await Reach.start(folder, { bytes: 60_000 });
  const seed = path.join(folder, 'bare.seed');
  writeFileSync(seed, `${reach.bare.seed}\n`, { mode: 0o600 });
  const relays = { camera: reach.host.relay.child.process.pid, edge: reach.edges[0].relay.child.process.pid };
  try {
    const watcher = new Watcher(reach.edges[0]);
    await watcher.see(10);
    const measured = async () => {
      const before = Object.values(relays).map(processSeconds);
      const from = watcher.frames;
      await new Promise((resolve) => { setTimeout(resolve, kSeconds * 1000); });
      const bytes = (watcher.frames - from) * reach.bytes;
      const [camera, edge] = Object.values(relays).map((pid, i) => perGB(processSeconds(pid) - before[i], bytes));
      return { camera, edge };
    };
    const publish = (...mark) => {
      const [node] = reach.engine.nodes;
      const seen = JSON.parse(execFileSync(kPublisher, [node.url, 'localhost', reach.engine.authority.file, reach.bare.nkey, seed,
        'picam.v1.bare.frame', reach.file, kFps, kSeconds, ...mark].map(String), { encoding: 'utf8' }));
      return perGB(seen.cpu_seconds, seen.bytes);
    };
    const seen = await rounds({ relay: measured, bare: () => publish(), marked: () => publish('picam.v1.bare.mark') });
    row('picam-relay at the camera, processor time per GB of pictures of a bare libnats publisher\'s, 60 KB at 30 fps, TLS',
      `${median(seen.relay.map((s, i) => s.camera / seen.bare[i])).toFixed(2)} × (${median(seen.relay.map((s) => s.camera)).toFixed(2)} s; ${median(seen.bare).toFixed(2)} s)`, 'at most 1.3 ×');
    row('… a bare libnats publisher that hears a mark behind each picture, and reads none', `${median(seen.marked.map((s, i) => s / seen.bare[i])).toFixed(2)} × (${median(seen.marked).toFixed(2)} s)`, '');
    row('… at an edge', `${median(seen.relay.map((s) => s.edge)).toFixed(2)} s`, '');
    await watcher.close();
  } finally {
    await reach.stop();
  }
}

async function idle(folder) {
  const reach = await Reach.start(folder, { bytes: 22_000 });
  try {
    const watcher = new Watcher(reach.edges[0]);
    await watcher.see(5);
    await watcher.close();
    await waitFor('the camera to be closed', () => reach.host.isIdle());
    for (const [name, place] of [['the camera', reach.host], ['an edge', reach.edges[0]]]) {
      const { pid } = place.relay.child.process;
      const before = wakeUps(pid);
      await new Promise((resolve) => { setTimeout(resolve, kIdleSeconds * 1000); });
      row(`picam-relay at ${name} when nobody looks`, `${wakeUps(pid) - before} wake-ups in ${kIdleSeconds} s, ${residentMegabytes(pid).toFixed(1)} MB`, 'the engine\'s pings alone');
    }
  } finally {
    await reach.stop();
  }
}

// What 10,000 viewers of 1,000 cameras take: each camera on one edge, as nginx hashes them, 22 KB and 10 frames a second.
const kViewers = 10_000;
const kCameras = 1000;
const kBusy = 0.7; // of a link or a core
const kEdgeBits = 1e9;

async function sum(folder) {
  const fps = 10;
  const viewers = 50;
  const reach = await Reach.start(folder, { bytes: 22_000, fps, nginx: true });
  try {
    const [edge] = reach.edges;
    const engine = reach.engine.nodes[0].child.process.pid;
    const programs = [edge.relay.child.process.pid, edge.site.streamd.process.pid, ...children(edge.site.nginx.process.pid)];
    const edgeSeconds = () => programs.reduce((total, pid) => total + processSeconds(pid), 0);
    const seen = await rounds({
      edge: () => watch(`tcp:${edge.site.port}`, '/stream', 'v1-batch', viewers, edgeSeconds),
      engine: () => watch(`tcp:${edge.site.port}`, '/stream', 'v1-batch', viewers, () => processSeconds(engine)),
    });
    // Of the engine one picture in and out for all of those viewers.
    const engineCores = median(seen.engine.map((s) => s.seconds / (s.frames / viewers))) * kCameras * fps;
    const edgeCores = median(seen.edge.map((s) => s.seconds / s.frames)) * kViewers * fps;
    const pictureBits = reach.bytes * 8;
    const edges = Math.ceil((kViewers * fps * pictureBits) / (kEdgeBits * kBusy));
    row(`${kViewers} viewers of ${kCameras} cameras, ${(reach.bytes / 1000).toFixed(0)} KB at ${fps} fps: a camera's uplink / edges of 1 Gbit/s, ${kBusy * 100} % of it / cores of all edges`,
      `${((fps * pictureBits) / 1e6).toFixed(1)} Mbit/s / ${edges} / ${(edgeCores / kBusy).toFixed(1)}`, '');
    row('… the engine: in and out / cores of its nodes, without what crosses between them', `${((kCameras * fps * pictureBits) / 1e9).toFixed(1)} Gbit/s each / ${(engineCores / kBusy).toFixed(1)}`, '');
    await waitFor('the viewers to be gone', async () => (await edge.status()).viewers.total === 0);
  } finally {
    await reach.stop();
  }
}

export async function reach(folder) {
  await uplinks(folder);
  await nodes(folder);
  await relay(folder);
  await idle(folder);
  await sum(folder);
}
