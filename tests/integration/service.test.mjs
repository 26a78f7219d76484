// What the service manager hears of streamd: ready, alive as often as it asks, stopping.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { assertWithin, Child, Site, waitFor } from './harness.mjs';

// Node has no datagrams on unix sockets.
const kListen = `use Socket; socket(S, PF_UNIX, SOCK_DGRAM, 0) or die; bind(S, pack_sockaddr_un($ARGV[0])) or die;
$| = 1; while (defined(recv(S, $m, 1000, 0))) { print "$m\\n"; }`;

test('the service manager hears READY, WATCHDOG and STOPPING', async () => {
  const folder = mkdtempSync('/dev/shm/picam-service.');
  const socket = path.join(folder, 'notify');
  const manager = new Child('perl', ['-e', kListen, socket]);
  let site;
  try {
    await waitFor('the socket', () => existsSync(socket));
    site = await Site.start([], { nginx: false, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' } });
    await waitFor('READY', () => manager.log.includes('READY=1\n'));
    const begun = Date.now();
    await waitFor('ten signs of life', () => manager.log.split('WATCHDOG=1\n').length > 10);
    assertWithin(begun, 10 * 200, 'ten words, each in the time that it was given,');
    await site.streamd.end();
    await waitFor('STOPPING', () => manager.log.includes('STOPPING=1\n'));
  } finally {
    await site?.stop();
    await manager.end();
    rmSync(folder, { recursive: true });
  }
});
