// picam-relay as it is installed: engine, camera and edge on one machine, each with its units as the packages and
// deploy/engine bring them, set up by what README.md's "Reach" says.
import assert from 'node:assert/strict';
import path from 'node:path';
import { waitFor } from '../integration/harness.mjs';
import { apt, kSlowMs } from './installed-site.mjs';

const kExamples = '/usr/share/doc/picam-relay/examples/engine';
const entryOf = (said) => /^ +# .*\n +\{ nkey: [^]*\} \}\n/m.exec(said)[0];

export async function relayReaches(machine, site, packageFile) {
  machine.bring(packageFile);
  await machine.sh(apt(`install /root/${path.basename(packageFile)}`), { timeout: 300000 });
  assert.equal((await machine.sh('systemctl list-units --all --no-legend "picam-relay@*" | wc -l')).trim(), '0', 'nothing runs that nobody asked for');
  await machine.sh(`set -e
    cd /root
    ${kExamples}/make-certificates ca camera,127.0.0.1
    mkdir -p /etc/picam-engine /etc/systemd/system/nats-server.service.d
    cp ${kExamples}/nats-server.conf ${kExamples}/cluster.conf ${kExamples}/users.conf ca/ca.pem /etc/picam-engine/
    cp ${kExamples}/nats-server.service.conf /etc/systemd/system/nats-server.service.d/picam.conf
    install -m 644 ca/camera.pem /etc/picam-engine/node.pem
    install -m 600 -o nats ca/camera.key /etc/picam-engine/node.key
    systemctl daemon-reload
    systemctl restart nats-server`);
  const relay = '--camera garage --ca /root/ca/ca.pem --server tls://camera:4222';
  const settings = await machine.sh('cat /etc/picam/pi.env 2>/dev/null || true');
  await machine.sh('echo PICAM_CAMERA_SOURCE=pattern >>/etc/picam/pi.env');
  const entries = [];
  for (const command of [`relay publish ${relay}`, `relay join cellar ${relay}`]) entries.push(entryOf(await machine.sh(`picamctl ${command}`)));
  const checked = async () => (await machine.try('picamctl check')).stdout.split('\n').filter((line) => /relay|feed/.test(line)).join('\n');
  await waitFor('the refusal', async () => (await checked()).includes('does not let this key in'), kSlowMs);
  await machine.sh(`cat >/tmp/entries && sed -i '/^users: \\[/r /tmp/entries' /etc/picam-engine/users.conf
    nats-server -c /etc/picam-engine/nats-server.conf -t && systemctl reload nats-server`, { input: entries.join('') });
  const state = async (camera) => (await machine.sh(`systemctl show -P StatusText picam-relay@${camera}`)).trim();
  for (const camera of ['pi', 'cellar']) {
    await waitFor(`the relay of ${camera}`, async () => (await state(camera)).startsWith('connected to tls://camera:4222'), kSlowMs)
      .catch(async (error) => { throw new Error(`${error.message}: ${await state(camera)}\n${await machine.sh(`journalctl -u picam-relay@${camera} | tail -n 20`)}`); });
  }
  assert.doesNotMatch(await checked(), /^BAD/m);
  assert.match(await checked(), /^ok +cellar: the relay is connected to tls:\/\/camera:4222/m);
  await waitFor('a picture from the edge', async () => (await site.statusOf('/cellar/pi.jpg')) === 200, kSlowMs)
    .catch(async (error) => { throw new Error(`${error.message}: ${(await site.ask('/cellar/pi.jpg')).body}\n${await checked()}\n${await machine.sh('journalctl -u "picam-relay@*" | tail -n 40')}`); });
  const still = await site.ask('/cellar/pi.jpg');
  assert.deepEqual([...still.body.subarray(0, 2)], [0xff, 0xd8]);

  // As whom, and what of it others can reach.
  assert.equal(await machine.sh('stat -c "%a %U" /etc/picam/relay /etc/picam/relay/pi.seed'), '700 root\n600 root\n');
  assert.equal(await machine.sh('stat -c "%F %a %G" /run/picam-feed/cellar.sock'), 'socket 660 picam\n');
  assert.equal((await machine.sh('ps -o user= -p "$(systemctl show -P MainPID picam-relay@pi)"')).trim(), 'picam-relay');
  assert.notEqual((await machine.try('setpriv --reuid picam-relay --regid picam-relay --clear-groups cat /etc/picam/relay/pi.seed')).status, 0);
  assert.doesNotMatch(await machine.sh('ss -Htlnp'), /picam-relay/);
  // What ends comes back, the engine too.
  await machine.sh('systemctl kill -s KILL picam-relay@pi picam-relay@cellar nats-server');
  await waitFor('both relays again', async () => (await Promise.all(['pi', 'cellar'].map(state))).every((text) => text.startsWith('connected to')), kSlowMs);
  await waitFor('a picture again', async () => (await site.statusOf('/cellar/pi.jpg')) === 200, kSlowMs);
  // With its camera it stops and starts.
  await machine.sh('systemctl restart picam@pi.target; systemctl stop picam@cellar.target');
  assert.equal((await machine.try('systemctl is-active picam-relay@pi picam-relay@cellar')).stdout, 'active\ninactive\n');
  await machine.sh('systemctl start picam@cellar.target');
  assert.equal(await machine.sh('systemctl is-active picam-relay@cellar'), 'active\n');

  // And goes.
  await machine.sh('picamctl camera del cellar && picamctl relay leave');
  assert.equal((await machine.try('systemctl is-active picam-relay@pi picam-relay@cellar')).stdout, 'inactive\ninactive\n');
  await machine.sh('cat >/etc/picam/pi.env && systemctl restart picam@pi.target', { input: settings });
  await machine.sh(apt('purge picam-relay'), { timeout: 300000 });
  await machine.sh('systemctl disable --now nats-server; rm -rf /etc/picam-engine /etc/systemd/system/nats-server.service.d /root/ca; systemctl daemon-reload');
  assert.equal(await machine.sh('getent passwd picam-relay; ls -d /etc/picam/relay /etc/systemd/system/picam@*.target.wants 2>/dev/null; true'), '');
}
