// A virtual machine with a Debian, its own kernel and systemd, in qemu without KVM. Its root is a folder here (9p), so
// what it writes can be read from outside; commands go in over ssh, with keys of this run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Child, freePort, top, waitFor } from '../integration/harness.mjs';

const kBootMs = 600000; // without KVM, and beside other load
const kLookMs = 30000;  // at whether it answers
// In this order: what the kernel needs to reach its root. What is built in or not there is left out.
const kModules = ['virtio', 'virtio_ring', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci', 'netfs', 'fscache', '9pnet', '9pnet_virtio', '9p'];
const kInit = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod $module; done
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=262144 root /root || exec /bin/busybox poweroff -f
exec /bin/busybox switch_root /root /sbin/init
`;

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.error ?? ''}${result.stdout}${result.stderr}`);
  return result.stdout;
}

export class Machine {
  // From the root at `pristine`, which stays as it is. `append`: to the kernel's parameters.
  static async start(pristine, { append = '' } = {}) {
    const machine = new Machine();
    machine.append = append;
    machine.folder = mkdtempSync(path.join(tmpdir(), 'picam-vm.'));
    machine.root = path.join(top, 'build/vm', path.basename(pristine));
    rmSync(machine.root, { recursive: true, force: true });
    mkdirSync(path.dirname(machine.root), { recursive: true });
    run('cp', ['-a', '--reflink=auto', pristine, machine.root]);
    machine.ports = { ssh: await freePort(), https: await freePort(), http: await freePort(), garage: await freePort(), otherHttp: await freePort() };
    machine.#configure();
    machine.#makeInitramfs();
    try {
      await machine.#boot();
    } catch (error) {
      await machine.stop();
      throw error;
    }
    return machine;
  }

  #configure() {
    const file = (name, text, mode) => {
      mkdirSync(path.dirname(path.join(this.root, name)), { recursive: true });
      writeFileSync(path.join(this.root, name), text, { mode });
    };
    const link = (target, name) => {
      mkdirSync(path.dirname(path.join(this.root, name)), { recursive: true });
      rmSync(path.join(this.root, name), { force: true });
      symlinkSync(target, path.join(this.root, name));
    };
    for (const name of ['usr/sbin/policy-rc.d', 'etc/dpkg/dpkg.cfg.d/picam-root', '.picam-root']) rmSync(path.join(this.root, name), { force: true });
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(this.folder, 'key')]);
    file('root/.ssh/authorized_keys', readFileSync(path.join(this.folder, 'key.pub')), 0o600);
    file('etc/hostname', 'camera\n');
    file('etc/hosts', '127.0.0.1 localhost camera\n::1 localhost\n');
    file('etc/machine-id', '');
    file('etc/fstab', '');
    file('etc/systemd/journald.conf.d/vm.conf', '[Journal]\nStorage=volatile\nForwardToConsole=no\n');
    file('etc/systemd/network/80-vm.network', '[Match]\nType=ether\n[Network]\nDHCP=yes\n');
    link('/usr/lib/systemd/system/systemd-networkd.service', 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service');
    for (const unit of ['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'fstrim.timer', 'e2scrub_all.timer', 'getty@tty1.service',
      'serial-getty@ttyS0.service', 'systemd-networkd-wait-online.service']) link('/dev/null', `etc/systemd/system/${unit}`);
    file('usr/share/libcamera/pipeline/virtual/virtual.yaml', `"Virtual0":
  supported_formats:
  - width: 640
    height: 480
    frame_rates:
    - 15
    - 30
  test_pattern: "bars"
  location: "CameraLocationFront"
  model: "Virtual bars"
`);
  }

  #makeInitramfs() {
    const version = readdirSync(path.join(this.root, 'lib/modules'))[0];
    const kernel = path.join(this.root, 'lib/modules', version, 'kernel');
    const tree = path.join(this.folder, 'initramfs');
    for (const name of ['bin', 'dev', 'root', 'modules']) mkdirSync(path.join(tree, name), { recursive: true });
    copyFileSync(path.join(this.root, 'usr/bin/busybox'), path.join(tree, 'bin/busybox'));
    writeFileSync(path.join(tree, 'init'), kInit, { mode: 0o755 });
    kModules.forEach((name, i) => {
      const found = run('find', [kernel, '-name', `${name}.ko*`]).trim();
      if (!found) return;
      const to = path.join(tree, 'modules', `${i}-${name}.ko`);
      if (found.endsWith('.xz')) writeFileSync(to, run('xz', ['-dc', found], { encoding: 'buffer', maxBuffer: 1 << 26 }));
      else copyFileSync(found, to);
    });
    this.kernel = path.join(this.root, 'boot', `vmlinuz-${version}`);
    this.initramfs = path.join(this.folder, 'initramfs.cpio');
    run('sh', ['-c', `cd '${tree}' && find . | cpio -o -H newc --quiet >'${this.initramfs}'`]);
  }

  async #boot() {
    const forward = Object.entries({ ssh: 22, https: 443, http: 80, garage: 8443, otherHttp: 8080 }).map(([name, port]) => `hostfwd=tcp:127.0.0.1:${this.ports[name]}-:${port}`);
    this.qemu = new Child('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024',
      '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-user-config', '-kernel', this.kernel, '-initrd', this.initramfs,
      '-append', 'console=ttyS0 quiet loglevel=3 panic=1 mitigations=off systemd.show_status=false ' + this.append,
      '-virtfs', `local,path=${this.root},mount_tag=root,security_model=passthrough,multidevs=remap`,
      // USB ports: to connect to one's socket is to plug something in.
      '-device', 'qemu-xhci,id=xhci',
      ...[0, 1].flatMap((port) => ['-chardev', `socket,id=usb${port},path=${this.usb(port)},server=on,wait=off`, '-device', `usb-redir,chardev=usb${port},bus=xhci.0`]),
      '-netdev', `user,id=net,restrict=on,${forward.join(',')}`, '-device', 'virtio-net-pci,netdev=net', '-device', 'virtio-rng-pci']);
    await this.#reachable();
  }

  async #reachable() {
    await waitFor('the machine to answer', async () => {
      if (!this.qemu.running) throw new Error(`qemu ended:\n${this.qemu.log}`);
      return (await this.try('true', { timeout: kLookMs, connectSeconds: 5 })).status === 0;
    }, kBootMs).catch((error) => { throw new Error(`${error.message}\n${this.qemu.log.slice(-3000)}`); });
    await this.sh('systemctl is-system-running --wait || true', { timeout: kBootMs }); // until it has booted; what failed, the tests ask themselves
  }

  // One connection for all, as long as the machine runs: a busy one takes many seconds to make another.
  #ssh(connectSeconds, ...command) {
    return ['-q', '-p', `${this.ports.ssh}`, '-i', path.join(this.folder, 'key'), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
      '-o', 'BatchMode=yes', '-o', `ConnectTimeout=${connectSeconds}`, '-o', 'ControlMaster=auto', '-o', `ControlPath=${this.folder}/ssh`,
      '-o', 'ControlPersist=yes', '-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=20', ...command];
  }

  // {status, stdout, stderr} of a shell's commands, as root in the machine. Nothing here waits for it: a viewer has to
  // acknowledge its frames meanwhile, or is closed, and a command may take ten seconds to be heard at all.
  async try(commands, { input = '', timeout = 180000, connectSeconds = 60 } = {}) {
    const ssh = spawn('ssh', this.#ssh(connectSeconds, 'root@127.0.0.1', commands), { timeout });
    ssh.stdin.on('error', () => {}).end(input); // it may end without having read it
    const [[status], stdout, stderr] = await Promise.all([once(ssh, 'close'), text(ssh.stdout), text(ssh.stderr)]);
    return { status, stdout, stderr };
  }

  // What they print. Throws when they fail.
  async sh(commands, options) {
    const { status, stdout, stderr } = await this.try(commands, options);
    if (status !== 0) throw new Error(`in the machine: ${commands}\n${status}: ${stdout}${stderr}`);
    return stdout;
  }

  // The socket of a USB port, 0 or 1.
  usb(port) { return path.join(this.folder, `usb${port}`); }

  // Brings a file of this machine into /root there.
  bring(file) { copyFileSync(file, path.join(this.root, 'root', path.basename(file))); }

  async reboot() {
    const boot = await this.sh('cat /proc/sys/kernel/random/boot_id');
    await this.try('systemctl reboot');
    this.#disconnect();
    await waitFor('another boot', async () => {
      const now = await this.try('cat /proc/sys/kernel/random/boot_id', { timeout: kLookMs, connectSeconds: 5 });
      return now.status === 0 && now.stdout !== boot;
    }, kBootMs);
    await this.#reachable();
  }

  #disconnect() { spawnSync('ssh', this.#ssh(5, '-O', 'exit', 'root@127.0.0.1')); }

  async stop() {
    this.#disconnect();
    if (this.qemu) await this.qemu.end('SIGTERM');
    rmSync(this.root, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
