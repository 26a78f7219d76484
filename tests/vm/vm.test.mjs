// picam installed for good: the package on Debian 13 with its own kernel and systemd, libcamera's virtual camera with
// the kernel's own buffers, and the site looked at from outside. One machine, from its installation to its purge.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { end, ticketOf, view } from '../integration/guarded-viewer.mjs';
import { Site, waitFor } from '../integration/harness.mjs';
import { Machine } from './machine.mjs';

const packages = process.env.VM_PACKAGES;
const kSlowMs = 120000; // the machine is ten times slower than one with a processor of its own
const kInstall = 'DEBIAN_FRONTEND=noninteractive apt-get -q -y';

// One after the other, on what the one before has left.
const step = (name, body) => test(name, { timeout: 800000 }, body);

describe('the installed package', () => {
  let machine;
  let site; // what harness.mjs's Site is to its viewers: a port and a password
  before(async () => {
    machine = await Machine.start(process.env.VM_ROOT);
    site = { port: machine.ports.https, httpPort: machine.ports.http, ask: Site.prototype.ask };
    for (const name of readdirSync(packages).filter((n) => n.endsWith('.deb'))) machine.bring(path.join(packages, name));
  }, { timeout: 700000 });
  after(() => machine?.stop());

  // 0 when nobody answers.
  const statusOf = async (target, options) => (await site.ask(target, options).catch(() => ({ status: 0 }))).status;
  const stillWorks = () => waitFor('a still', async () => await statusOf('/pi.jpg') === 200, kSlowMs);
  const loggedIn = () => `picam:${site.password}`;
  async function streamWorks() {
    const viewer = await waitFor('a viewer', async () => {
      const answer = await view(site, { auth: loggedIn() });
      return answer instanceof WebSocket && answer;
    }, kSlowMs);
    await waitFor('frames', () => viewer.frames.length > 5, kSlowMs);
    await end(viewer);
  }
  const mainPid = (unit) => machine.sh(`systemctl show -p MainPID --value ${unit}`).trim();

  step('installs, and tells the first password once', async (t) => {
    const began = performance.now();
    const said = machine.sh(`${kInstall} install /root/picam_0.1.0-1_amd64.deb`, { timeout: 300000 });
    t.diagnostic(`installed in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    site.password = /picam {2}([a-z0-9]{20})\s/.exec(said)[1];
    assert.equal(machine.sh('cat /etc/picam/first-password'), `${site.password}\n`);
    assert.equal(machine.sh('stat -c "%a %U" /etc/picam/first-password /etc/picam/tls/self-signed.key'), '600 root\n600 root\n');
    assert.equal(machine.sh('stat -c "%a %U %G" /etc/picam/users'), '640 root www-data\n');
    assert.equal(machine.sh('systemctl is-active picam.target picam-streamd@pi.service picam-snapshot@pi.socket nginx.service').replaceAll('\n', ' '),
      'active active active active ');
    assert.equal(machine.sh('systemctl is-enabled picam.target picam-certificate.timer'), 'enabled\nenabled\n');
  });

  step('answers over HTTPS with the password, and refuses without', async () => {
    await stillWorks();
    assert.equal(await statusOf('/'), 200);
    for (const target of ['/', '/pi.jpg', '/stream', '/stream.mjpg', '/status']) {
      assert.equal(await statusOf(target, { auth: null }), 401, target);
      assert.equal(await statusOf(target, { auth: 'picam:wrong-one' }), 401, target);
    }
    assert.equal(await statusOf('/', { headers: { Host: 'evil.example' } }), 421);
    const moved = await site.ask('/', { plain: true, auth: null });
    assert.equal(moved.status, 301);
    assert.equal(moved.headers.location, 'https://127.0.0.1/');
    assert.equal(await statusOf('/metrics'), 403);
  });

  step('shows still and stream of the camera', async () => {
    const still = await site.ask('/pi.jpg');
    assert.equal(still.body.readUInt16BE(0), 0xffd8);
    await streamWorks();
    await end(await view(site, { ticket: await ticketOf(site) }));
    const viewer = await view(site, { auth: loggedIn() });
    await waitFor('frames', () => viewer.frames.length > 2, kSlowMs);
    const { camera } = JSON.parse((await site.ask('/status')).body);
    assert.equal(camera.source, 'Virtual bars');
    assert.equal(camera.state, 'streaming');
    await end(viewer);
    // The same from the kernel's udmabuf, where there is no other heap.
    machine.sh('chmod 000 /dev/dma_heap/system; systemctl restart picam.target');
    await stillWorks();
    await streamWorks();
    assert.equal(machine.try('journalctl -u "picam*" | grep -i "test pattern"').stdout, '');
    machine.sh('chmod 660 /dev/dma_heap/system; systemctl restart picam.target');
    await stillWorks();
  });

  step('is hardened, with the camera at work', async (t) => {
    for (const unit of ['picam-streamd@pi.service', 'picam-snapshot@pi.service']) {
      const said = machine.sh(`systemd-analyze security --no-pager ${unit} | tail -1`);
      const exposure = Number(/exposure level for .*: ([0-9.]+)/.exec(said)[1]);
      t.diagnostic(`${unit}: ${exposure}`);
      assert.ok(exposure <= 2.0, said);
      const pid = mainPid(unit);
      assert.match(machine.sh(`cat /proc/${pid}/status`), /CapEff:\t0+\n[^]*NoNewPrivs:\t1\nSeccomp:\t2\n/);
      assert.equal(machine.sh(`stat -c %U /proc/${pid}`), 'picam\n');
    }
  });

  step('lets no other user past nginx', async () => {
    machine.sh('useradd --system eve; usermod -aG video,users eve');
    const as = (user, commands) => machine.try(`setpriv --reuid ${user} --regid ${user} --init-groups sh -c '${commands}'`);
    for (const socket of ['stream', 'http', 'snapshot']) {
      const refused = as('eve', `curl -sS -m 5 --unix-socket /run/picam/pi.${socket}.sock http://localhost/status`);
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, /Could not connect|Failed to connect|Couldn/, socket);
    }
    assert.equal(as('www-data', 'curl -sS -m 5 --unix-socket /run/picam/pi.http.sock http://localhost/healthz').stdout, 'ok\n');
    for (const file of ['/etc/picam/users', '/etc/picam/first-password', '/etc/picam/tls/self-signed.key', '/run/picam/pi.frames', '/run/picam/pi.lock',
      '/run/picam-nginx/login.sock', '/run/picam-logins', '/var/log/nginx/picam.log']) {
      assert.notEqual(as('eve', `cat ${file}`).status, 0, file);
    }
    assert.notEqual(as('eve', 'curl -sS -m 5 --unix-socket /run/picam-nginx/login.sock http://localhost/').status, 0);
  });

  step('heals after kill -9 of each program', async () => {
    for (const unit of ['picam-streamd@pi.service', 'picam-snapshot@pi.service', 'nginx.service']) {
      await streamWorks();
      await stillWorks();
      const pid = mainPid(unit);
      machine.sh(`kill -9 ${pid}`);
      await waitFor(`another ${unit}`, () => !['0', pid].includes(mainPid(unit)), kSlowMs);
      await streamWorks();
      await stillWorks();
    }
  });

  step('heals when streamd stands still', async () => {
    const pid = mainPid('picam-streamd@pi.service');
    machine.sh(`kill -STOP ${pid}`);
    await waitFor('the watchdog', () => !['0', pid].includes(mainPid('picam-streamd@pi.service')), kSlowMs);
    assert.match(machine.sh('journalctl -u picam-streamd@pi --no-pager'), /Watchdog timeout/);
    await streamWorks();
  });

  step('keeps a stream through nginx\'s reload, and opens as many times as it is told', async () => {
    const viewer = await view(site, { auth: loggedIn() });
    await waitFor('frames', () => viewer.frames.length > 2, kSlowMs);
    machine.sh('systemctl reload nginx');
    const before = viewer.frames.length;
    await waitFor('frames from before the reload', () => viewer.frames.length > before + 5, kSlowMs);
    // Beside this process, which has to acknowledge the viewer's frames meanwhile, however long it takes.
    const change = await machine.start("echo a-password-of-mine | picamctl passwd").ended;
    assert.equal(change.code, 0);
    site.password = 'a-password-of-mine';
    await stillWorks();
    const later = viewer.frames.length;
    await waitFor('frames after a change of passwords', () => viewer.frames.length > later + 5, kSlowMs);
    assert.equal(viewer.readyState, WebSocket.OPEN);
    await end(viewer);
    assert.notEqual(machine.try('test -e /etc/picam/first-password').status, 0);
  });

  step('picamctl checks it, and says what is wrong', async (t) => {
    const said = await waitFor('a camera that is free', () => {
      const text = machine.sh('picamctl check');
      return /lock is free/.test(text) && text;
    });
    assert.doesNotMatch(said, /BAD/);
    assert.match(said, /ok {4}pi: a camera: Virtual0/);
    assert.match(machine.sh('picamctl status'), /camera\.state +"?idle|streaming/);
    for (const [what, remedy, spoil, mend] of [
      ['picam-streamd@pi.service is inactive', 'systemctl restart', 'systemctl stop picam-streamd@pi', 'systemctl start picam-streamd@pi'],
      ['pi.http.sock is: socket 666', 'systemctl restart', 'chmod 666 /run/picam/pi.http.sock', 'chmod 660 /run/picam/pi.http.sock'],
      ['640 root www-data', 'chmod and chown', 'chmod 644 /etc/picam/users', 'chmod 640 /etc/picam/users'],
      ['nginx refuses', 'nginx -t', 'echo nonsense >/etc/nginx/conf.d/x.conf', 'rm /etc/nginx/conf.d/x.conf'],
      ['site is not enabled', 'sites-available', 'rm /etc/nginx/sites-enabled/picam', 'ln -s ../sites-available/picam /etc/nginx/sites-enabled/'],
      ['does not answer', 'port 443', 'systemctl stop nginx', 'systemctl start nginx'],
      ['colour', 'picam.conf', 'echo "colour = 1" >/root/c; cat /etc/picam/picam.conf >>/root/c; cp /etc/picam/picam.conf /root/was; cp /root/c /etc/picam/picam.conf', 'cp /root/was /etc/picam/picam.conf'],
      ['certificate ends in', 'picamctl tls renew', 'cp -a /etc/picam/tls /root/tls; openssl req -x509 -key /etc/picam/tls/self-signed.key -days 5 -subj /CN=x -out /etc/picam/tls/self-signed.pem', 'cp /root/tls/self-signed.pem /etc/picam/tls/'],
      ['not of group video', 'udevadm', 'chgrp root /dev/dma_heap/system', 'chgrp video /dev/dma_heap/system'],
    ]) {
      machine.sh(spoil);
      const { status, stdout } = machine.try('picamctl check');
      machine.sh(mend);
      assert.equal(status, 1, what);
      const lines = stdout.split('\n');
      const at = lines.findIndex((line) => line.startsWith('BAD') && line.includes(what));
      assert.ok(at >= 0, `${what}:\n${stdout}`);
      assert.ok(lines[at + 1].includes(remedy), lines[at + 1]);
    }
    assert.equal(machine.try('picamctl check').status, 0);
    t.diagnostic(`check says ${said.split('\n').length - 1} things`);
  });

  step('has a further camera', async () => {
    machine.sh('picamctl camera add garage 8443; echo PICAM_CAMERA_SOURCE=pattern >/etc/picam/garage.env; systemctl restart picam@garage.target');
    const ask = (target) => machine.try(`curl -sk -m 20 -o /root/garage -w '%{http_code}' -u picam:a-password-of-mine https://localhost:8443${target}`).stdout;
    await waitFor('its still', () => ask('/pi.jpg') === '200', kSlowMs);
    assert.equal(ask('/status'), '200');
    assert.equal(JSON.parse(machine.sh('cat /root/garage')).instance, 'garage');
    assert.equal(machine.try(`curl -sk -o /dev/null -w '%{http_code}' https://localhost:8443/pi.jpg`).stdout, '401');
    await stillWorks();
    machine.sh('picamctl camera del garage; rm /etc/picam/garage.env');
    assert.equal(machine.try('systemctl is-active picam-streamd@garage.service').stdout, 'inactive\n');
    assert.equal(machine.sh('picamctl camera list'), 'pi\n');
    assert.equal(machine.sh('find /run/picam -name "garage*"'), '');
  });

  step('comes back after a reboot', async () => {
    await machine.reboot();
    await stillWorks();
    await streamWorks();
    assert.equal(await statusOf('/pi.jpg', { auth: null }), 401);
  });

  step('an upgrade keeps settings and passwords, and a viewer is away for the restart alone', async (t) => {
    machine.sh('sed -i "s/^#fps = 30/fps = 10/" /etc/picam/picam.conf; systemctl restart picam.target');
    const before = machine.sh('cat /etc/picam/users /etc/picam/picam.conf /etc/picam/nginx/*.conf');
    await streamWorks();
    const away = [];
    let upgrading = true;
    const watching = (async () => {
      let lost = performance.now();
      for (;;) {
        const viewer = await view(site, { auth: loggedIn() }).catch(() => 0);
        if (viewer instanceof WebSocket) {
          let first = 0;
          viewer.once('message', () => { first = performance.now(); });
          await new Promise((resolve) => {
            viewer.once('close', resolve);
            const look = setInterval(() => { if (!upgrading && first) viewer.close(); }, 50);
            viewer.once('close', () => clearInterval(look));
          });
          if (first) {
            away.push(first - lost);
            lost = performance.now();
          }
          if (!upgrading && first) return;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await waitFor('a viewer', () => JSON.parse(machine.sh('curl -s --unix-socket /run/picam/pi.http.sock http://localhost/status')).viewers.total === 1, kSlowMs);
    const pid = mainPid('picam-streamd@pi.service');
    // Beside the viewer: it lives in this process, which must not wait.
    const installing = machine.start(`${kInstall} install /root/picam_0.1.0-2_amd64.deb`);
    const { code } = await installing.ended;
    assert.equal(code, 0, installing.log);
    upgrading = false;
    await watching;
    assert.notEqual(mainPid('picam-streamd@pi.service'), pid);
    assert.equal(machine.sh('dpkg-query -W -f "\\${Version}" picam'), '0.1.0-2');
    assert.equal(machine.sh('cat /etc/picam/users /etc/picam/picam.conf /etc/picam/nginx/*.conf'), before);
    t.diagnostic(`interrupted ${away.length - 1} time(s), for ${away.slice(1).map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`);
    assert.equal(away.length, 2, 'one interruption');
    await stillWorks();
  });

  step('removed and installed again it is as before', async () => {
    machine.sh(`${kInstall} remove picam`, { timeout: 300000 });
    assert.equal(await statusOf('/'), 0);
    machine.sh('nginx -t && systemctl is-active nginx');
    assert.equal(machine.sh('pgrep -c picam || true'), '0\n');
    assert.ok(machine.sh('cat /etc/picam/users').startsWith('picam:'));
    machine.sh(`${kInstall} install /root/picam_0.1.0-2_amd64.deb`, { timeout: 300000 });
    await stillWorks();
    await streamWorks();
  });

  step('a purge leaves nothing', async () => {
    machine.sh(`${kInstall} purge picam; rm -rf /root/*`, { timeout: 300000 });
    const left = machine.sh('find / -xdev -iname "*picam*" -not -path "/proc/*" -not -path "/sys/*" -not -path "/var/lib/apt/*" -not -path "/var/log/journal/*"; ' +
      'find /run /dev /var/lib/systemd -iname "*picam*"; getent passwd picam; getent group picam; systemctl list-unit-files "picam*" --no-legend; true');
    assert.equal(left, '');
    machine.sh('nginx -t && systemctl is-active nginx');
    assert.equal(await statusOf('/', { plain: true, auth: null }), 200); // Debian's own page
    assert.equal(machine.sh('systemctl --failed --no-legend'), '');
  });
});
