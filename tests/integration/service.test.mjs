// What the service manager hears of streamd: ready, alive as often as it asks, stopping.
import { test } from 'node:test';
import { assertWithin, ServiceManager, Site, waitFor } from './harness.mjs';

test('the service manager hears READY, WATCHDOG and STOPPING', async () => {
  const manager = await ServiceManager.start();
  let site;
  try {
    site = await Site.start([], { nginx: false, env: { ...manager.env, WATCHDOG_USEC: '200000' } });
    await waitFor('READY', () => manager.log.includes('READY=1\n'));
    const begun = Date.now();
    await waitFor('ten signs of life', () => manager.log.split('WATCHDOG=1\n').length > 10);
    assertWithin(begun, 10 * 200, 'ten words, each in the time that it was given,');
    await site.streamd.end();
    await waitFor('STOPPING', () => manager.log.includes('STOPPING=1\n'));
  } finally {
    await site?.stop();
    await manager.stop();
  }
});
