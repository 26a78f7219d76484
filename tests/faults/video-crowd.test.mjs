// Crowds at the H.264 stream: viewers on links of all kinds who share two encoders, viewers who say nothing or read
// nothing, and viewers who come and go in thousands. Whoever has a good link sees fresh frames at the full rate
// meanwhile.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeClip } from '../integration/clips.mjs';
import { onceOfThree, Site, slowness, undisturbed, waitFor } from '../integration/harness.mjs';
import { staysFlat } from './memory.mjs';
import { clientFrame, handshake, RawViewer } from './raw-viewer.mjs';
import { seenWell, SlowLink } from './slow-link.mjs';
import { Chain } from './video-chain.mjs';

const kFps = 15;
const kRateKept = 0.8; // of the frames that a viewer should get; the machine is busy with the crowd itself
const kFreshMs = 250;  // 99 of 100 frames are younger, of viewers on a good link
const kAckTimeoutMs = 10000; // longer than this process may stand still
const kLingerMs = 1000;
const kClose = clientFrame(8, [0x03, 0xe8]);
const kTakesAll = { take: ['h264', 'jpeg'] };

const faultsMoment = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// What each rung had to do while `work` was done: no more than one frame for each of the camera's, and one key frame a
// second, whoever wants them.
async function encodingLittle(site, work) {
  const begun = Date.now();
  const { h264: { rungs: first } } = await site.status();
  await work();
  const { h264: { rungs: last, failures } } = await site.status();
  const seconds = (Date.now() - begun) / 1000;
  assert.equal(failures, 0);
  assert.equal(last.length, 2);
  last.forEach((rung, number) => {
    const frames = rung.frames - first[number].frames;
    const keys = rung.key_frames - first[number].key_frames;
    assert.ok(frames <= 1.1 * kFps * seconds + 2, `${frames} frames of rung ${number} in ${seconds} s`);
    assert.ok(keys <= seconds + 1, `${keys} key frames of rung ${number} in ${seconds} s`);
  });
}

describe('viewers of H.264', () => {
  let folder;
  let site;
  before(async () => {
    folder = mkdtempSync('/dev/shm/picam-crowd.');
    site = await Site.start(['--camera.source', 'replay', '--camera.file', makeClip(folder, 'pan', { seconds: 2 }), '--stream.size', '640x480',
      '--stream.fps', String(kFps), '--stream.ack_timeout', `${kAckTimeoutMs}ms`, '--stream.linger', `${kLingerMs}ms`]);
  });
  after(async () => {
    await site?.stop();
    rmSync(folder, { recursive: true });
  });

  test('fifty on links of all kinds, some of whom fall silent, and some come and go', async (t) => {
    const links = new Set();
    const chains = [];
    let over = false;
    const behind = async (megabits, respond = () => {}) => {
      const link = await SlowLink.to(site.port, { bitsPerSecond: megabits * 1e6, roundTripMs: 20 });
      links.add(link);
      const chain = new Chain();
      chains.push(chain);
      const viewer = new RawViewer({ port: link.port, host: '127.0.0.1' }, (frame) => { chain.add(frame); return respond(); }, kTakesAll);
      return { megabits, viewer, chain, link };
    };
    const leave = async ({ viewer, link }) => {
      viewer.socket.destroy();
      links.delete(link);
      await link.close();
    };
    // Acknowledges nothing for a second, now and then.
    const fallSilent = async (everyMs) => {
      let silence;
      const one = await behind(10, () => silence);
      while (!over) {
        await faultsMoment(everyMs);
        silence = faultsMoment(1000);
        await silence;
        silence = undefined;
      }
      await leave(one);
    };
    const comeAndGo = async (stayMs) => {
      while (!over) {
        const one = await behind(100);
        await faultsMoment(stayMs);
        await leave(one);
      }
    };
    const others = [];
    try {
      const steady = [];
      for (const [megabits, count] of [[0.3, 5], [1, 10], [2, 10], [10, 7], [100, 8]]) for (let i = 0; i < count; ++i) steady.push(await behind(megabits));
      for (let i = 0; i < 5; ++i) others.push(fallSilent(1500 + 400 * i), comeAndGo(700 + 300 * i));
      await waitFor('frames for all', () => steady.every(({ viewer }) => viewer.frames > 1));
      const say = ({ megabits, chain }, { fps, p50, p99 }) => `${megabits} Mbit/s: ${fps.toFixed(1)} fps, ages ${p50?.toFixed(0)} / ${p99?.toFixed(0)} ms, ${
        chain.on(0)} full, ${chain.on(1)} half, ${chain.jpegs} JPEGs, ${chain.keys} keys`;
      const isGood = (megabits, { fps, p99, slower }) => {
        if (megabits >= 10) return fps >= kRateKept * kFps / slower && p99 <= kFreshMs * slower;
        return megabits >= 1 ? fps >= 0.5 * kFps / slower : fps > 0;
      };
      let seen;
      await encodingLittle(site, async () => {
        seen = await Promise.all(steady.map((one) => seenWell(one.viewer, 12, 3, (now) => !isGood(one.megabits, now) && say(one, now))));
      });
      over = true;
      await Promise.all(others);
      steady.forEach((one, i) => { if (steady[i - 1]?.megabits !== one.megabits) t.diagnostic(say(one, seen[i])); });
      for (const chain of chains) assert.equal(chain.broken, 0);
      for (const megabits of [0.3, 1, 2, 10, 100]) steady.find((one) => one.megabits === megabits).chain.decode();
      for (const one of steady) await leave(one);
    } finally {
      over = true;
      await Promise.allSettled(others);
      for (const link of links) await link.close();
    }
  });

  describe('who', () => {
    const straight = () => ({ path: site.socket('stream') });
    let steady;
    before(async () => {
      steady = Array.from({ length: 4 }, () => new RawViewer(straight(), () => {}, kTakesAll));
      await waitFor('steady viewers', () => steady.every((viewer) => viewer.frames > 5));
    });
    after(() => { for (const viewer of steady) viewer.socket.destroy(); });

    // The steady ones keep their rate, and their frames are fresh.
    const nobodyElseIsDisturbed = (work) => onceOfThree(async () => {
      const ages = [];
      const before_ = steady.map((viewer) => viewer.frames);
      for (const viewer of steady) viewer.onFrame = ({ ageMs }) => { ages.push(ageMs); };
      const begun = Date.now();
      await encodingLittle(site, work);
      const slower = slowness(begun);
      const due = ((Date.now() - begun) / 1000 / slower) * kFps;
      assert.ok(steady.every((viewer) => !viewer.ended));
      const least = Math.min(...steady.map((viewer, i) => viewer.frames - before_[i]));
      const p99 = ages.sort((a, b) => a - b)[Math.floor(ages.length * 0.99)];
      return least >= kRateKept * due - 1 && p99 <= kFreshMs * slower ? '' : `${least} of ${due.toFixed(0)} frames, p99 ${p99} ms`;
    });
    const viewers = async () => (await site.status()).viewers.total;

    test('acknowledges nothing is closed when its time is over, and disturbs nobody', () => nobodyElseIsDisturbed(async () => {
      const begun = Date.now();
      const silent = new RawViewer(straight(), () => false, kTakesAll);
      await waitFor('its end', () => silent.ended, kAckTimeoutMs + 20000);
      assert.ok(silent.frames > 0);
      assert.ok(Date.now() - begun >= kAckTimeoutMs);
      assert.equal(silent.closed, 'no acknowledgement');
    }));

    test('reads nothing is closed when its time is over, and disturbs nobody', () => nobodyElseIsDisturbed(async () => {
      const begun = Date.now();
      const deaf = new RawViewer(straight(), () => {}, kTakesAll);
      await waitFor('a frame', () => deaf.frames > 0);
      deaf.socket.pause();
      await waitFor('its end', async () => await viewers() === steady.length, kAckTimeoutMs + 20000);
      assert.ok(Date.now() - begun >= kAckTimeoutMs);
      deaf.socket.resume();
      await waitFor('why', () => deaf.ended);
      assert.equal(deaf.closed, 'no acknowledgement');
    }));

    // Programs acknowledge nothing; only their sockets say that they are slow.
    test('reads nothing of a stream for programs disturbs nobody', () => nobodyElseIsDisturbed(async () => {
      const kMoreThanSocketsHold = 5e5; // bytes, of each of them
      const sockets = [net.connect(site.socket('stream')), net.connect(site.socket('http'))];
      try {
        sockets[0].write(handshake(null).replace('/stream', '/stream?format=h264'));
        sockets[1].write('GET /stream.mp4 HTTP/1.1\r\nHost: x\r\n\r\n');
        for (const socket of sockets) await once(socket, 'readable'); // the answer has begun; nothing reads on
        const bytes = async () => (await site.status()).h264.rungs[0].bytes;
        const first = await bytes();
        await waitFor('more than sockets hold', async () => await bytes() - first > kMoreThanSocketsHold);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    }));
  });
});

// A library that is loaded before the others writes a character for each encoder that is made or freed.
const kShim = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int find(struct dl_phdr_info *info, size_t size, void *found)
{
    if (strstr(info->dlpi_name, "libopenh264.so"))
        *(const char **)found = info->dlpi_name;
    return 0;
}
static void *real(const char *function, char what)
{
    int fd = open(getenv("ENCODERS_FILE"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const char *library = NULL;
    dl_iterate_phdr(find, &library);
    if (write(fd, &what, 1) != 1 || library == NULL)
        abort();
    close(fd);
    return dlsym(dlopen(library, RTLD_LAZY | RTLD_NOLOAD), function);
}
int WelsCreateSVCEncoder(void **made) { return ((int (*)(void **))real(__func__, '+'))(made); }
void WelsDestroySVCEncoder(void *encoder) { ((void (*)(void *))real(__func__, '-'))(encoder); }
`;

test('the encoder is freed when nobody has taken H.264 for a while, though others still look', async () => {
  const folder = mkdtempSync('/dev/shm/picam-encoders.');
  const shim = path.join(folder, 'count.so');
  const file = path.join(folder, 'encoders');
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-w', '-x', 'c', '-', '-o', shim, '-ldl'], { input: kShim, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const site = await Site.start(['--stream.size', '160x120', '--stream.linger', '200ms'], { nginx: false, env: { LD_PRELOAD: shim, ENCODERS_FILE: file } });
  try {
    const encoders = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    const pictures = new RawViewer({ path: site.socket('stream') });
    await waitFor('pictures', () => pictures.frames > 5);
    assert.equal(encoders(), '');
    for (let times = 1; times <= 5; ++times) {
      const viewer = new RawViewer({ path: site.socket('stream') }, () => {}, kTakesAll);
      await waitFor('frames', () => viewer.frames > 2 * times);
      assert.equal(encoders(), `${'+-'.repeat(times - 1)}+`);
      viewer.socket.destroy();
      await waitFor('the end of the encoder', () => encoders() === '+-'.repeat(times));
    }
    const had = pictures.frames;
    await waitFor('pictures still', () => pictures.frames > had);
    pictures.socket.destroy();
  } finally {
    await site.stop();
    rmSync(folder, { recursive: true });
  }
});

describe('thousands', () => {
  const kVisits = 10_000;
  const kAtOnce = 500;
  const kPauseMs = 500; // of this process, in which nobody gets frames
  let site;
  let pid;
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  before(async () => {
    site = await Site.start(['--stream.size', '160x120', '--stream.fps', String(kFps), '--stream.linger', `${kLingerMs}ms`,
      '--stream.max_viewers', '2000', '--stream.ack_timeout', '60s'], { nginx: false });
    pid = site.streamd.process.pid;
  });
  after(() => site?.stop());

  // One of twenty takes /stream.mp4, one access units, one stays for a key frame; the others leave as soon as they are let
  // in. Half of all do not say that they leave.
  async function visit(number) {
    const politely = number % 40 < 19; // HTTP has no word for it
    const socket = await ([visitMp4, visitBare, visitUntilFrame][19 - (number % 20)] ?? visitShortly)();
    const closed = once(socket, 'close');
    if (politely) socket.resume().write(kClose);
    else socket.destroy();
    await closed;
  }
  async function letIn(name, say, answers) {
    const socket = net.connect(site.socket(name));
    socket.on('error', () => {});
    socket.write(say);
    const [answer] = await once(socket, 'data');
    assert.match(answer.toString('latin1'), answers);
    return socket;
  }
  const take = clientFrame(1, JSON.stringify({ type: 'take', codecs: ['h264'] })).toString('latin1');
  const visitShortly = () => letIn('stream', Buffer.from(handshake('picam.v2') + take, 'latin1'), /^HTTP\/1\.1 101/);
  const visitBare = () => letIn('stream', handshake(null).replace('/stream', '/stream?format=h264'), /^HTTP\/1\.1 101/);
  const visitMp4 = () => letIn('http', 'GET /stream.mp4 HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 200/);
  async function visitUntilFrame() {
    const viewer = new RawViewer({ path: site.socket('stream') }, () => {}, { take: ['h264'] });
    await new Promise((resolve) => {
      viewer.onFrame = () => {
        resolve();
        return false; // who leaves acknowledges nothing more
      };
      viewer.socket.on('close', resolve);
    });
    assert.ok(viewer.frames > 0);
    return viewer.socket;
  }

  test(`${kVisits} come and go, ${kAtOnce} at once, half of them without a close frame`, async () => (await undisturbed(kPauseMs, async () => {
    const steady = Array.from({ length: 5 }, () => new Chain()).map((chain) => ({ chain, viewer: new RawViewer({ path: site.socket('stream') }, (frame) => {
      chain.add(frame);
    }, kTakesAll) }));
    let atRest;
    const visits = async (count) => {
      let next = 0;
      await Promise.all(Array.from({ length: kAtOnce }, async () => {
        while (next < count) await visit(next++);
      }));
      await waitFor('closed descriptors', () => descriptors() <= atRest);
    };
    try {
      await waitFor('steady viewers', () => steady.every(({ viewer }) => viewer.frames > 5));
      atRest = descriptors();
      const had = steady.map(({ viewer }) => viewer.frames);
      const begun = Date.now();
      await encodingLittle(site, async () => {
        await staysFlat(pid, () => visits(kVisits / 2));
      });
      const due = ((Date.now() - begun) / 1000 / slowness(begun)) * kFps;
      steady.forEach(({ viewer, chain }, i) => {
        assert.ok(!viewer.ended);
        assert.ok(viewer.frames - had[i] >= kRateKept * due - 1, `${viewer.frames - had[i]} of ${due.toFixed(0)} frames`);
        assert.equal(chain.broken, 0);
      });
    } finally {
      for (const { viewer } of steady) viewer.socket.destroy();
    }
    await waitFor('nobody', async () => (await site.status()).camera.state === 'idle');
    assert.ok(site.streamd.running);
    return steady[0].chain;
  })).decode());
});
