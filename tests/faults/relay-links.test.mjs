// A camera behind a thin uplink: its pictures are few at an edge, and fresh. The bars, with their figures, are the
// benchmark's; here each has room for a busy machine.
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cameraUser, edgeUser, Engine } from '../integration/engine.mjs';
import { cameraHost, edgeHost, makePictures, Watcher } from '../integration/reach.mjs';
import { seenWell, SlowLink } from './slow-link.mjs';

const kFps = 30;
const kRoundTripMs = 40;
const kRoom = 2.5; // times what a frame must take: DESIGN's 1.5 on a quiet machine
const kRoomMs = 150;

describe('a camera behind an uplink', () => {
  const folder = mkdtempSync('/dev/shm/picam-relay.');
  const pictures = path.join(folder, 'pictures');
  const users = { camera: cameraUser('garden'), edge: edgeUser('garden') };
  let bytes;
  let engine;
  let edge;
  let host;
  let link;
  const transferMs = ({ bitsPerSecond }) => (bytes * 8000) / bitsPerSecond;

  before(async () => {
    const [jpeg] = makePictures(pictures, 1, { size: '640x480' });
    bytes = jpeg.length;
    engine = await Engine.start({ users: Object.values(users) });
    link = await SlowLink.to(engine.nodes[0].port, { bitsPerSecond: 10e6, roundTripMs: kRoundTripMs });
    host = await cameraHost(engine, users.camera, { servers: [`tls://localhost:${link.port}`],
      flags: ['--camera.source', 'replay', '--camera.file', pictures, '--stream.size', '640x480', '--stream.fps', String(kFps)] });
    edge = await edgeHost(engine, users.edge);
  });
  after(async () => {
    await edge?.stop();
    await host?.stop();
    await link?.close();
    await engine?.stop();
    rmSync(folder, { recursive: true });
  });

  for (const [megabits, seconds, settleSeconds] of [[10, 3, 2], [5, 3, 2], [1, 6, 3]]) {
    test(`of ${megabits} Mbit/s`, async (t) => {
      const kind = { bitsPerSecond: megabits * 1e6, roundTripMs: kRoundTripMs };
      link.set(kind);
      const watcher = new Watcher(edge);
      await watcher.see(2);
      const capacity = Math.min(kFps, 1000 / transferMs(kind));
      const most = kRoom * (transferMs(kind) + kRoundTripMs) + kRoomMs;
      const { fps, p50, p99 } = await seenWell(watcher, seconds, settleSeconds, ({ fps: rate, slower, p99: oldest }) =>
        !(oldest <= slower * most && rate >= 0.4 * capacity / slower) && `p99 ${oldest} ms, at most ${slower * most}; ${rate} fps of ${capacity / slower}`);
      t.diagnostic(`${fps.toFixed(1)} of ${capacity.toFixed(1)} fps, ages ${p50.toFixed(0)} / ${p99.toFixed(0)} ms; ${bytes} bytes take ${transferMs(kind).toFixed(0)} ms`);
      await watcher.close();
    });
  }
});
