// Viewers who ask for a large still and then read nothing of it: everybody else is served as before.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { assertWithin, Site } from '../integration/harness.mjs';

const kThreads = 4;
const kServedWithinMs = 2000;
const kMoreThanSocketsHold = 11e6; // bytes: more than the kernel keeps for a viewer on loopback

test('twice as many as the worker has threads stop reading', async () => {
  const folder = mkdtempSync('/dev/shm/picam-slow.');
  const sockets = [];
  let site;
  try {
    // Noise at full quality: a picture as large as any camera's.
    const file = path.join(folder, 'large.jpg');
    execFileSync('convert', ['-size', '4000x3000', 'xc:gray', '-seed', '7', '+noise', 'Random', '-quality', '100', file]);
    assert.ok(statSync(file).size > kMoreThanSocketsHold, `${statSync(file).size} bytes`);
    site = await Site.start(['--camera.source', 'replay', '--camera.file', file, '--snapshot.size', '4000x3000',
      '--snapshot.threads', String(kThreads)]);
    const served = async () => {
      const response = await fetch(`${site.url}/pi.jpg`);
      const { byteLength } = await response.arrayBuffer();
      assert.equal(response.status, 200);
      assert.ok(byteLength > kMoreThanSocketsHold);
    };
    await served();
    for (let i = 0; i < 2 * kThreads; ++i) {
      const socket = net.connect(site.port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('GET /pi.jpg HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'readable'); // the answer has begun; nothing reads on
    }
    const begun = Date.now();
    await served();
    assertWithin(begun, kServedWithinMs, 'a still');
  } finally {
    for (const socket of sockets) socket.destroy();
    await site?.stop();
    rmSync(folder, { recursive: true });
  }
});
