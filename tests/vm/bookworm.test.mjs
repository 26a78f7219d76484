// picam's package on Debian 12, which has libcamera 0.0.3 (no virtual camera), nginx 1.22 and systemd 252, without IPv6, and
// where another site has port 80: installed afresh, it leaves that site what it has, says that there is no camera, shows a
// webcam that is plugged in, below a path of the other site and through Caddy, too, and goes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { end, view } from '../integration/guarded-viewer.mjs';
import { Child, freePort, waitFor } from '../integration/harness.mjs';
import { apt, assertRawColors, assertSent, InstalledSite, kSlowMs, seconds, stepsOn } from './installed-site.mjs';
import { Machine } from './machine.mjs';
import { makePictures, sequenceOf, Webcam } from './webcam.mjs';
import { changesReachTheCamera } from './webcam-controls.mjs';

const today = process.env.VM_PACKAGE;

describe('the installed package, on Debian 12', () => {
  let machine;
  let site;
  let webcam;
  let caddy;
  const step = stepsOn(() => site);
  const mainsail = async (Host) => (await site.ask('/', { plain: true, port: machine.ports.http, auth: null, headers: { Host } })).body.toString();
  before(async () => {
    machine = await Machine.start(process.env.VM_ROOT, { append: 'ipv6.disable=1' });
    site = new InstalledSite(machine);
    site.httpPort = machine.ports.otherHttp;
    machine.bring(today);
    // As Mainsail's. The line that mounts picam is there before picam is.
    await machine.sh(`set -e
      rm /etc/nginx/sites-enabled/default
      cat >/etc/nginx/sites-available/mainsail <<'TEXT'
server {
    listen 80 default_server;
    server_name _;
    location / { return 200 "mainsail\\n"; }
    include /etc/picam/nginx/mount-webcam.con[f];
}
TEXT
      ln -s ../sites-available/mainsail /etc/nginx/sites-enabled/
      systemctl restart nginx`);
  }, { timeout: 700000 });
  after(async () => {
    webcam?.end();
    await caddy?.end();
    await machine?.stop();
  });

  step('installs, and tells where the first password is', async (t) => {
    const began = performance.now();
    const said = await machine.sh(apt(`install /root/${path.basename(today)}`), { timeout: 300000 });
    t.diagnostic(`installed in ${seconds(began)}, on ${(await machine.sh('uname -r; systemctl --version | head -1; nginx -v 2>&1')).replaceAll('\n', ', ')}`);
    assert.match(said, /\/etc\/picam\/first-password/);
    assert.match(said, /Port 80 is left to the site \S*mainsail, which has it: picam's HTTP is at port 8080 /);
    for (const Host of ['localhost', 'camera.local', '127.0.0.1', 'camera']) assert.equal(await mainsail(Host), 'mainsail\n', Host);
    assert.doesNotMatch(await machine.sh('ss -tln'), /\[/);
    site.password = (await machine.sh('cat /etc/picam/first-password')).trim();
    assert.match(site.password, /^[a-z0-9]{20}$/);
    assert.equal(await machine.sh('stat -c "%a %U" /etc/picam/first-password /etc/picam/tls/self-signed.key'), '600 root\n600 root\n');
    assert.equal(await machine.sh('stat -c "%a %U %G" /etc/picam/users'), '640 root www-data\n');
    assert.equal((await machine.sh('systemctl is-active picam.target picam-streamd@pi.service picam-snapshot@pi.socket nginx.service')).replaceAll('\n', ' '),
      'active active active active ');
    assert.equal(await machine.sh('systemctl is-enabled picam.target picam-certificate.timer'), 'enabled\nenabled\n');
    await machine.sh('echo a-password-of-mine | picamctl passwd; test ! -e /etc/picam/first-password');
    await site.setPatience();
    site.password = 'a-password-of-mine';
  });

  step('without a camera it says so', async () => {
    assert.equal(await site.statusOf('/', { auth: null }), 401);
    const viewer = await site.watch();
    await waitFor('a word about it', () => viewer.states.some(({ reason }) => /no camera/.test(reason)), kSlowMs);
    const still = await site.ask('/pi.jpg');
    assert.equal(still.status, 503);
    assert.match(`${still.body}`, /no camera/);
    await end(viewer);
    const { status, stdout } = await machine.try('picamctl check');
    assert.equal(status, 1);
    assert.deepEqual(stdout.split('\n').filter((line) => line.startsWith('BAD')), ['BAD   pi: no camera was found']);
  });

  step('shows a webcam that is plugged in, byte for byte', async (t) => {
    const modes = [...[[1280, 720], [1920, 1080]].map(([width, height]) => ({ format: 'mjpeg', width, height, fps: [30] })),
      { format: 'nv12', width: 320, height: 240, fps: [30] }];
    makePictures(path.join(machine.folder, 'pictures'), modes);
    webcam = await Webcam.make(machine.usb(0), path.join(machine.folder, 'pictures'), { modes });
    await site.configure({ STREAM_SIZE: '1920x1080', SNAPSHOT_SIZE: '320x240' });
    const viewer = await site.watch();
    await waitFor('a word about it', () => viewer.states.some(({ reason }) => /no camera/.test(reason)), kSlowMs);
    const plugged = performance.now();
    await webcam.plug();
    await waitFor('its pictures', () => viewer.pictures.length > 0, kSlowMs);
    t.diagnostic(`from the plug to a picture: ${seconds(plugged)}`);
    const since = performance.now();
    await waitFor('more of them', () => viewer.pictures.length > 100, kSlowMs);
    t.diagnostic(`${(99000 / (performance.now() - since)).toFixed(1)} fps`);
    await assertSent(webcam, viewer.pictures);
    const still = await site.ask('/pi.jpg');
    assert.equal(still.status, 200);
    assert.ok((await webcam.sent()).has(sequenceOf(still.body))); // with our EXIF
    await end(viewer);
    const raw = await waitFor('a still of picam-snapshot\'s own', async () => {
      const answer = await site.ask('/pi.jpg');
      return answer.headers['x-picam-source'] === 'capture' && answer;
    }, kSlowMs);
    assert.equal((await webcam.stats()).mode.format, 'nv12');
    assertRawColors(raw.body);
    await site.checksWell();
  });

  step('its controls: a change reaches the camera, through the driver, and is kept', () => changesReachTheCamera(machine, site, webcam));

  step('unplugged, and plugged in again, it comes back', async (t) => {
    const pids = () => Promise.all(['picam-streamd@pi', 'picam-snapshot@pi'].map((unit) => site.mainPid(unit)));
    const before = await pids();
    const viewer = await site.watch();
    const took = [];
    for (let i = 0; i < 3; ++i) {
      let had = viewer.pictures.length;
      await waitFor('pictures', () => viewer.pictures.length > had + 2, kSlowMs);
      viewer.states.length = 0;
      await webcam.unplug();
      await waitFor('a word about it', () => viewer.states.some(({ state }) => state === 'unavailable'), kSlowMs);
      const plugged = performance.now();
      await webcam.plug();
      had = viewer.pictures.length;
      await waitFor('pictures again', () => viewer.pictures.length > had, kSlowMs);
      took.push(seconds(plugged));
    }
    t.diagnostic(`from the plug to a picture: ${took.join(', ')}`);
    assert.ok(viewer.pictures.every((picture) => sequenceOf(picture) !== null));
    await end(viewer);
    await site.stillWorks();
    assert.deepEqual(await pids(), before, 'the same processes');
    assert.equal(await site.lostDevices('picam-streamd@pi'), '');
    assert.equal(await machine.sh('systemctl list-units --failed --no-legend "picam*" "nginx*"'), '');
    await webcam.unplug();
  });

  step('below a path of the other site, and through Caddy, which strips one', async () => {
    await webcam.plug();
    await machine.sh('picamctl mount /webcam/; picamctl proxy add 10.0.2.2'); // where the machine sees us
    const below = { plain: true, port: machine.ports.http };
    await waitFor('a still', async () => (await site.ask('/webcam/pi.jpg', below)).status === 200, kSlowMs);
    assert.equal((await site.ask('/webcam/pi.jpg', { ...below, auth: null })).status, 401);
    assert.equal(await mainsail('localhost'), 'mainsail\n');
    const frames = async (port, options) => {
      const viewer = await view({ port }, { auth: site.auth, ...options });
      await waitFor('frames', () => viewer.frames.length > 5, kSlowMs);
      await end(viewer);
    };
    await frames(machine.ports.http, { plain: true, target: '/webcam/stream' });

    const port = await freePort();
    const file = (name) => path.join(machine.folder, name);
    const { status, stderr } = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-subj', '/CN=127.0.0.1', '-keyout', file('key.pem'), '-out', file('certificate.pem')], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    writeFileSync(file('Caddyfile'), `{
    admin off
    auto_https off
}
https://127.0.0.1:${port} {
    tls ${file('certificate.pem')} ${file('key.pem')}
    handle_path /cam/* {
        reverse_proxy 127.0.0.1:${machine.ports.otherHttp}
    }
}
`);
    caddy = new Child('caddy', ['run', '--config', file('Caddyfile')], { env: { ...process.env, HOME: machine.folder } });
    await waitFor('Caddy', () => {
      if (!caddy.running) throw new Error(caddy.log);
      return site.ask('/cam/', { port }).then(({ status: s }) => s === 200, () => false);
    }, kSlowMs);
    for (const target of ['/cam/', '/cam/pi.jpg', '/cam/stream', '/cam/status']) {
      assert.equal((await site.ask(target, { port })).status, 200, target);
      assert.equal((await site.ask(target, { port, auth: null })).status, 401, target);
    }
    assert.equal((await site.ask('/cam/metrics', { port })).status, 403);
    await frames(port, { target: '/cam/stream', headers: { Origin: `https://127.0.0.1:${port}` } });
    assert.equal((await machine.sh('nginx -t 2>&1 | tail -1')).includes('successful'), true);
    await site.checksWell();
    await webcam.unplug();
  });

  step('a purge leaves nothing', async () => {
    await machine.sh(`${apt('purge picam')}; rm -rf /root/*`, { timeout: 300000 });
    assert.equal(await site.traces(), '');
    await machine.sh('nginx -t && systemctl is-active nginx');
    assert.equal(await mainsail('localhost'), 'mainsail\n');
  });
});
