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
  machine.sh(apt(`install /root/${path.basename(packageFile)}`), { timeout: 300000 });
  assert.equal(machine.sh('systemctl list-units --all --no-legend "picam-relay@*" | wc -l').trim(), '0', 'nothing runs that nobody asked for');
  machine.sh(`set -e
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
  const settings = machine.sh('cat /etc/picam/pi.env 2>/dev/null || true');
  machine.sh('echo PICAM_CAMERA_SOURCE=pattern >>/etc/picam/pi.env');
  const entries = [`relay publish ${relay}`, `relay join cellar ${relay}`].map((command) => entryOf(machine.sh(`picamctl ${command}`)));
  const checked = () => machine.try('picamctl check').stdout.split('\n').filter((line) => /relay|feed/.test(line)).join('\n');
  await waitFor('the refusal', () => checked().includes('does not let this key in'), kSlowMs);
  machine.sh(`cat >/tmp/entries && sed -i '/^users: \\[/r /tmp/entries' /etc/picam-engine/users.conf
    nats-server -c /etc/picam-engine/nats-server.conf -t && systemctl reload nats-server`, { input: entries.join('') });
  const state = (camera) => machine.sh(`systemctl show -P StatusText picam-relay@${camera}`).trim();
  for (const camera of ['pi', 'cellar']) {
    await waitFor(`the relay of ${camera}`, () => state(camera).startsWith('connected to tls://camera:4222'), kSlowMs)
      .catch((error) => { throw new Error(`${error.message}: ${state(camera)}\n${machine.sh(`journalctl -u picam-relay@${camera} | tail -n 20`)}`); });
  }
  assert.doesNotMatch(checked(), /^BAD/m);
  assert.match(checked(), /^ok +cellar: the relay is connected to tls:\/\/camera:4222/m);
  await waitFor('a picture from the edge', async () => (await site.statusOf('/cellar/pi.jpg')) === 200, kSlowMs)
    .catch(async (error) => { throw new Error(`${error.message}: ${(await site.ask('/cellar/pi.jpg')).body}\n${checked()}\n${machine.sh('journalctl -u "picam-relay@*" | tail -n 40')}`); });
  const still = await site.ask('/cellar/pi.jpg');
  assert.deepEqual([...still.body.subarray(0, 2)], [0xff, 0xd8]);

  // As whom, and what of it others can reach.
  assert.equal(machine.sh('stat -c "%a %U" /etc/picam/relay /etc/picam/relay/pi.seed'), '700 root\n600 root\n');
  assert.equal(machine.sh('stat -c "%F %a %G" /run/picam-feed/cellar.sock'), 'socket 660 picam\n');
  assert.equal(machine.sh('ps -o user= -p "$(systemctl show -P MainPID picam-relay@pi)"').trim(), 'picam-relay');
  assert.notEqual(machine.try('setpriv --reuid picam-relay --regid picam-relay --clear-groups cat /etc/picam/relay/pi.seed').status, 0);
  assert.doesNotMatch(machine.sh('ss -Htlnp'), /picam-relay/);
  // What ends comes back, the engine too.
  machine.sh('systemctl kill -s KILL picam-relay@pi picam-relay@cellar nats-server');
  await waitFor('both relays again', () => ['pi', 'cellar'].every((camera) => state(camera).startsWith('connected to')), kSlowMs);
  await waitFor('a picture again', async () => (await site.statusOf('/cellar/pi.jpg')) === 200, kSlowMs);
  // With its camera it stops and starts.
  machine.sh('systemctl restart picam@pi.target; systemctl stop picam@cellar.target');
  assert.equal(machine.try('systemctl is-active picam-relay@pi picam-relay@cellar').stdout, 'active\ninactive\n');
  machine.sh('systemctl start picam@cellar.target');
  assert.equal(machine.sh('systemctl is-active picam-relay@cellar'), 'active\n');

  // And goes.
  machine.sh('picamctl camera del cellar && picamctl relay leave');
  assert.equal(machine.try('systemctl is-active picam-relay@pi picam-relay@cellar').stdout, 'inactive\ninactive\n');
  machine.sh('cat >/etc/picam/pi.env && systemctl restart picam@pi.target', { input: settings });
  machine.sh(apt('purge picam-relay'), { timeout: 300000 });
  machine.sh('systemctl disable --now nats-server; rm -rf /etc/picam-engine /etc/systemd/system/nats-server.service.d /root/ca; systemctl daemon-reload');
  assert.equal(machine.sh('getent passwd picam-relay; ls -d /etc/picam/relay /etc/systemd/system/picam@*.target.wants 2>/dev/null; true'), '');
}
