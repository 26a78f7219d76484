// The camera's controls on the real programs, with the test pattern's: what a change does to the pictures, and when; that
// no picture from before a change is given after it; what is kept through ends of every kind; and what nobody can do.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Controls, isLuma, kJson, kLevels, levelAt, levelOf, lumaAt, lumaOf, matches, pictureOf, pixelsOf, ycc } from './controls-client.mjs';
import { view } from './guarded-viewer.mjs';
import { assertWithin, Child, lockIsFree, programs, said, Site, undisturbed, Viewer, waitFor } from './harness.mjs';

// A machine that stands still is no camera that does.
const kSmall = ['--stream.size', '320x240', '--snapshot.size', '320x240', '--snapshot.settle', '0s', '--camera.stall', '30s'];
const kAtOnce = ['--stream.linger', '0s', '--snapshot.linger', '0s'];
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const stateFile = (site, instance = 'pi') => path.join(site.state, `${instance}.json`);
const documentAt = (file) => JSON.parse(readFileSync(file, 'utf8'));
const kept = (site, instance) => (existsSync(stateFile(site, instance)) ? documentAt(stateFile(site, instance)) : null);

// With the site while it is there; its clients do not outlive it.
async function onSite(flags, body, options) {
  const site = await Site.start(flags, options);
  const viewers = [];
  const watch = (settings) => {
    viewers.push(new Viewer(site, { protocols: ['picam.v1'], ...settings }));
    return viewers.at(-1);
  };
  try {
    return await body(site, new Controls(site), watch);
  } finally {
    for (const viewer of viewers) viewer.socket.terminate();
    await site.stop();
  }
}

// With a recording, as a camera without controls.
async function onRecording(body) {
  const folder = mkdtempSync('/dev/shm/picam-recording.');
  const file = path.join(folder, 'recording.y4m');
  const frame = Buffer.concat([Buffer.from('FRAME\n'), Buffer.alloc(64 * 48 * 3 / 2, 128)]);
  const recording = Buffer.concat([Buffer.from('YUV4MPEG2 W64 H48 F25:1 C420jpeg\n'), frame, frame]);
  writeFileSync(file, recording);
  try {
    return await body(file, recording);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// The first frame from now on of which it holds.
async function frameWith(viewer, what, condition) {
  let next = viewer.frames.length;
  return waitFor(what, () => {
    for (; next < viewer.frames.length; ++next) if (condition(viewer.frames[next].jpeg)) return viewer.frames[next];
    return null;
  });
}
const frameOfLuma = (viewer, luma) => frameWith(viewer, `a luma of ${luma}`, (jpeg) => isLuma(lumaOf(jpeg), luma));

describe('a change is seen', () => {
  let site;
  let controls;
  let viewer;
  const grey = { Contrast: 0, Saturation: 0 };
  before(async () => {
    site = await Site.start(kSmall);
    controls = new Controls(site);
    viewer = new Viewer(site, { protocols: ['picam.v1'] });
    await viewer.waitFrames(1);
  });
  after(() => {
    viewer?.socket.terminate();
    return site?.stop();
  });
  const colour = (what, u, v) => frameWith(viewer, what, (jpeg) => {
    const seen = ycc(jpeg);
    return Math.abs(seen.u - u) <= 4 && Math.abs(seen.v - v) <= 4;
  });

  test('a number, in the picture, in what is in force and in the status', async () => {
    const before = await controls.get();
    assert.equal(before.open, true);
    assert.equal(before.controls.Brightness.set, false);
    const document = await controls.patch({ ...grey, Brightness: 0.5 });
    assert.equal(document.generation, before.generation + 1);
    assert.deepEqual([document.controls.Brightness.wanted, document.controls.Brightness.set], [0.5, true]);
    await frameOfLuma(viewer, lumaAt(0.5));
    await controls.until('it in force', ({ in_force }) => in_force === document.generation);
    assert.equal((await controls.get()).etag, (await controls.get()).etag);
    const { controls: { generation, values } } = await site.status();
    assert.equal(generation, document.generation);
    assert.deepEqual([values.Brightness, values.Contrast, values.AwbMode, values.ExposureTime], [0.5, 0, 'Auto', 20000]);
    await controls.patch({ Brightness: null });
    await frameOfLuma(viewer, lumaAt(0));
    assert.equal((await site.status()).controls.values.Brightness, 0);
  });

  test('an enumeration', async () => {
    await controls.patch({ ...grey, AwbMode: 'Tungsten' });
    await colour('a tungsten lamp\'s', 128 + 12.8, 128 - 12.8);
    await controls.patch({ AwbMode: 'Daylight' });
    await colour('daylight', 128 - 12.8, 128 + 12.8);
    await controls.patch({ AwbMode: null });
    await colour('neither', 128, 128);
  });

  test('a bool, and the numbers that it sets free', async () => {
    const { controls: { ColourGains } } = await controls.patch({ ...grey, ColourGains: [3.5, 1.5] });
    assert.equal(ColourGains.locked, 'AwbEnable is true');
    const document = await controls.patch({ AwbEnable: false });
    assert.equal(document.controls.ColourGains.locked, undefined);
    assert.equal(document.controls.AwbMode.locked, 'AwbEnable is false');
    await colour('more red', 128, 128 + 32);
    await controls.until('the gains, as the camera has them', ({ controls: now }) => now.ColourGains.actual?.[0] === 3.5);
    assert.deepEqual((await site.status()).controls.values.ColourGains, [3.5, 1.5]);
    await controls.patch({ AwbEnable: null });
    await colour('the automatism\'s again', 128, 128);
    assert.deepEqual((await controls.get()).controls.ColourGains.wanted, [3.5, 1.5]);
    await controls.patch({ ColourGains: null });
  });

  test('an integer, as late as the sensor is', async () => {
    await controls.reset();
    await controls.patch({ ...grey, ExposureTimeMode: 'Manual', AnalogueGainMode: 'Manual', ExposureTime: 20000 });
    await waitFor('both at their moments, in frames that all came', async () => {
      await controls.patch({ AwbMode: null, ExposureTime: 20000 });
      const from = await frameWith(viewer, 'both as before', (jpeg) => {
        const { y, u } = ycc(jpeg);
        return Math.abs(y - 128) <= 4 && Math.abs(u - 128) <= 4;
      });
      await controls.patch({ AwbMode: 'Tungsten', ExposureTime: 10000 });
      const last = await frameOfLuma(viewer, 64);
      const frames = viewer.frames.slice(viewer.frames.indexOf(from), viewer.frames.indexOf(last) + 1);
      const first = frames.find(({ jpeg }) => ycc(jpeg).u > 134);
      if (!frames.every(({ sequence }, i) => i === 0 || sequence === frames[i - 1].sequence + 1n)) return false;
      assert.equal(last.sequence - first.sequence, 2n);
      return true;
    });
    const { controls: now } = await controls.until('what the camera reports', (document) => document.controls.ExposureTime.actual === 10000);
    assert.equal(now.ExposureTime.locked, undefined);
    // What is locked is wanted all the same, and nothing else.
    await controls.patch({ ExposureTimeMode: null });
    await frameOfLuma(viewer, 128);
    await controls.until('the automatism\'s', (document) => document.controls.ExposureTime.actual === 20000 && document.controls.ExposureTime.wanted === 10000);
    await controls.reset();
  });

  test('focus: out of it, and back on demand', async () => {
    await controls.reset();
    const steepest = (jpeg) => {
      const pixels = pixelsOf(jpeg, { grey: true, scale: '1/1' });
      let most = 0;
      for (let x = 1; x < pixels.width; ++x) most = Math.max(most, Math.abs(pixels.at(x / pixels.width, 0.1) - pixels.at((x - 1) / pixels.width, 0.1)));
      return most;
    };
    await frameWith(viewer, 'a sharp one', (jpeg) => steepest(jpeg) > 15);
    await controls.patch({ AfMode: 'Manual', LensPosition: 8 });
    await frameWith(viewer, 'one that is not', (jpeg) => steepest(jpeg) < 8);
    const answer = await controls.send('POST', '/controls/focus', { x: 0.3, y: 0.6 });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.controls.AfMode.wanted, 'Auto');
    await frameWith(viewer, 'a sharp one', (jpeg) => steepest(jpeg) > 15);
    await controls.until('its state', ({ state }) => state.focus === 'focused');
    for (const [body, status] of [[{ x: 2, y: 0 }, 422], [{ x: 0.5 }, 422], [{ x: 'a', y: 'b' }, 422], ['[]', 400], ['', 400]]) {
      assert.equal((await controls.send('POST', '/controls/focus', body)).status, status, JSON.stringify(body));
    }
  });

  test('what the camera refuses is a problem, and the stream goes on', async () => {
    await controls.reset();
    await controls.patch({ HdrMode: 'SingleExposure', ...grey, Brightness: -0.5 });
    await frameOfLuma(viewer, lumaAt(-0.5));
    assert.deepEqual((await controls.until('the problem', ({ problems }) => problems.HdrMode)).problems, { HdrMode: 'the camera refused SingleExposure' });
    await controls.patch({ HdrMode: null });
    await controls.until('none', ({ problems }) => Object.keys(problems).length === 0);
  });

  test('presets: kept, taken up, deleted', async () => {
    await controls.reset();
    const document = await controls.patch({ ...grey, presets: { night: { ...grey, Brightness: 0.6 } } });
    assert.deepEqual(document.presets, { night: { ...grey, Brightness: 0.6 } });
    await controls.patch({ AwbMode: 'Daylight', preset: 'night' });
    await frameOfLuma(viewer, lumaAt(0.6));
    assert.deepEqual((await controls.get()).controls.AwbMode.wanted, 'Daylight');
    await controls.patch({ preset: 'night' });
    assert.equal((await controls.get()).controls.AwbMode.set, false);
    assert.equal((await controls.tryPatch({ preset: 'day' })).status, 422);
    assert.deepEqual((await controls.patch({ presets: { night: null } })).presets, {});
    assert.equal((await controls.tryPatch({ presets: { bad: { Brightness: 7 } } })).status, 422);
    assert.deepEqual((await controls.reset()).presets, {});
  });
});

test('a change is in the stream within half a second, through the site as the package installs it', (t) => onSite(kSmall, async (site, controls) => {
  const viewer = await view(site, { auth: `picam:${site.password}` });
  const frames = [];
  viewer.on('message', (data, binary) => binary && frames.push({ at: Date.now(), jpeg: data.subarray(16) }));
  try {
    await waitFor('frames', () => frames.length > 3);
    await controls.patch({ Contrast: 0 });
    const took = [];
    for (let i = 0; i < 10; ++i) {
      const wanted = i % 2 ? -0.5 : 0.5;
      await pause(210); // as many as are let through
      const from = frames.length;
      const begun = Date.now();
      const { status, body } = await site.ask('/controls', { method: 'PATCH', headers: kJson, body: JSON.stringify({ Brightness: wanted }) });
      assert.equal(status, 200, `${body}`);
      const changed = ({ jpeg }) => isLuma(lumaOf(jpeg), lumaAt(wanted));
      await waitFor('the change', () => frames.length > from && changed(frames.at(-1)));
      assertWithin(begun, 500, 'a change in the stream');
      took.push(frames.slice(from).find(changed).at - begun);
    }
    took.sort((a, b) => a - b);
    t.diagnostic(`from the request to the changed frame: ${took.join(', ')} ms`);
  } finally {
    viewer.terminate();
  }
}, { secure: true }));

test('zoom and its centre are of the picture as it is served, turned or not', async () => {
  for (const rotation of ['0', '90', '180', '270']) {
    await onSite([...kSmall, '--camera.rotation', rotation], async (site, controls, watch) => {
      const viewer = watch();
      const [whole] = await viewer.waitFrames(1);
      // The card's picture is above its clock, the lower quarter: where that is in the picture as it is served.
      const area = { 0: [0, 0, 1, 0.75], 90: [0.25, 0, 1, 1], 180: [0, 0.25, 1, 1], 270: [0, 0, 0.75, 1] }[rotation];
      const samples = (jpeg, [left, top, right, bottom]) => {
        const pixels = pixelsOf(jpeg, { scale: '1/1' });
        const places = [];
        for (let y = 0.5; y < 9; ++y) for (let x = 0.5; x < 9; ++x) places.push(pixels.at(left + (x / 9) * (right - left), top + (y / 9) * (bottom - top)));
        return places;
      };
      const like = (some, others) => some.filter((place, i) => place.every((value, k) => Math.abs(value - others[i][k]) <= 24)).length / some.length;
      const part = ([left, top, right, bottom], h, v) => {
        const [w, t] = [(right - left) / 2, (bottom - top) / 2];
        return [left + h * w, top + v * t, left + (h + 1) * w, top + (v + 1) * t];
      };
      for (const [h, v] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        await controls.patch({ Zoom: 2, ZoomCentre: [0.25 + h / 2, 0.25 + v / 2] });
        const wanted = samples(whole.jpeg, part(area, h, v));
        let best = 0;
        await frameWith(viewer, `the part ${h} ${v} of a picture turned by ${rotation}`, (jpeg) => {
          const now = like(samples(jpeg, area), wanted);
          best = Math.max(best, now);
          return now >= 0.8;
        }).catch((error) => { throw new Error(`${error.message}: ${best}`); });
      }
      // Past the edge: as far as there is a picture.
      await controls.patch({ ZoomCentre: [1, 1] });
      await frameWith(viewer, 'the last part', (jpeg) => like(samples(jpeg, area), samples(whole.jpeg, part(area, 1, 1))) >= 0.8);
      await controls.patch({ Zoom: null });
      await frameWith(viewer, 'the whole', (jpeg) => like(samples(jpeg, area), samples(whole.jpeg, area)) >= 0.8);
    });
  }
});

// Changes, and stills right after each: no still is from before a change that was made before it was asked for.
class Changes {
  constructor(site, clients = 1) {
    this.site = site;
    this.clients = clients;
    this.next = 0;
    this.levels = new Map(); // generation to level
    this.underWay = new Set();
    this.newest = 0;
    this.stills = 0;
    this.sources = {};
    this.slowest = 0;
  }

  async begin() {
    const document = await new Controls(this.site).patch({ Contrast: 0, Brightness: levelAt(this.next) });
    this.levels.set(document.generation, this.next++);
    this.newest = document.generation;
  }

  async change(controls) {
    const level = this.next++;
    this.underWay.add(level);
    const { generation } = await controls.patch({ Brightness: levelAt(level) });
    this.levels.set(generation, level);
    this.underWay.delete(level);
    this.newest = Math.max(this.newest, generation);
    return { generation, level };
  }

  async still(headers) {
    const from = this.newest;
    const picture = await pictureOf(this.site, headers);
    assert.equal(picture.status, 200, picture.bytes.toString('latin1', 0, 200));
    const level = levelOf(picture.bytes);
    const allowed = [...[...this.levels].filter(([generation]) => generation >= from).map(([, each]) => each), ...this.underWay];
    assert.ok(allowed.some((each) => each % kLevels === level),
      `a still (${picture.source}) of level ${level}, luma ${lumaOf(picture.bytes)}, after generation ${from} of level ${this.levels.get(from)}, which allows ${allowed}`);
    this.stills += 1;
    this.sources[picture.source] = (this.sources[picture.source] ?? 0) + 1;
    this.slowest = Math.max(this.slowest, picture.tookMs);
    return picture;
  }

  async hammer(changes) {
    await Promise.all(Array.from({ length: this.clients }, async (_, i) => {
      const controls = new Controls(this.site, { user: `client${i}` });
      let etag;
      for (let n = 0; n < changes; ++n) {
        await this.change(controls);
        const headers = etag && this.clients === 1 ? { 'If-None-Match': etag } : {};
        ({ etag } = await this.still(headers));
        await this.still();
      }
    }));
  }

  get text() { return `${this.stills} stills (${Object.entries(this.sources).map(([source, n]) => `${n} ${source}`).join(', ')}), the slowest after ${this.slowest} ms`; }
}

describe('no still is from before a change', { concurrency: true }, () => {
  const hammered = (name, flags, { changes = 14, clients = 1, viewer: streamed = false, settings, meanwhile } = {}) => test(name, (t) => onSite([...kSmall, ...flags], async (site, controls, watch) => {
    const all = new Changes(site, clients);
    if (streamed) {
      const viewer = watch(settings);
      await viewer.waitFrames(1);
    }
    await all.begin();
    await all.still();
    let ends = false;
    const beside = meanwhile?.(watch, () => ends);
    try {
      await all.hammer(changes);
    } finally {
      ends = true;
      await beside;
    }
    t.diagnostic(all.text);
  }));

  hammered('while the stream runs', [], { viewer: true });
  hammered('beside the stream, of another size', ['--snapshot.size', '400x300'], { viewer: true });
  hammered('while the stream runs, to several clients', [], { viewer: true, clients: 4, changes: 5 });
  hammered('while a slow stream runs', ['--stream.linger', '0s'], { viewer: true, settings: { target: '/stream?fps=1' }, changes: 4 });
  hammered('while the camera itself is slow', ['--stream.fps', '4'], { viewer: true, changes: 6 });
  hammered('while the snapshot worker has the camera open', ['--snapshot.linger', '60s']);
  hammered('while it has, to several clients', ['--snapshot.linger', '60s'], { clients: 4, changes: 5 });
  hammered('while nobody has it', kAtOnce);
  hammered('while nobody has it, to several clients, of a cache that is good for long', [...kAtOnce, '--snapshot.max_age', '10s'], { clients: 4, changes: 5 });
  hammered('while the stream comes and goes', kAtOnce, {
    changes: 20,
    meanwhile: async (watch, ended) => {
      while (!ended()) {
        const viewer = watch();
        await viewer.waitFrames(3);
        await viewer.close();
        await pause(100);
      }
    },
  });

  test('and a control that is moved all the time keeps no still away', (t) => onSite([...kSmall, '--stream.fps', '5', '--snapshot.linger', '60s'], async (site, controls, watch) => {
    const all = new Changes(site);
    await all.begin();
    for (const streamed of [false, true]) {
      const viewer = streamed && watch();
      if (viewer) await viewer.waitFrames(1);
      await all.still();
      let ends = false;
      const moved = (async () => {
        while (!ends) await all.change(controls);
      })();
      try {
        await pause(2000); // what may be made at once has been
        for (let i = 0; i < 3; ++i) {
          const begun = Date.now();
          await all.still();
          assertWithin(begun, 2500, 'a still meanwhile');
        }
      } finally {
        ends = true;
        await moved;
      }
    }
    t.diagnostic(all.text);
  }));

  test('a recording, which has no controls, gives stills after a change all the same', async () => {
    await onRecording(async (file) => {
      await onSite(['--camera.source', 'replay', '--camera.file', file], async (site, controls, watch) => {
        await controls.patch({ Brightness: 0.5 });
        assert.equal((await pictureOf(site)).status, 200);
        await watch().waitFrames(2);
        await controls.patch({ presets: { day: {} } });
        assert.equal((await pictureOf(site)).status, 200);
        const { controls: none, misfits } = await controls.get();
        assert.deepEqual([none, misfits], [{}, { Brightness: 0.5 }]);
        assert.equal((await controls.tryPatch({ Contrast: 1 })).status, 422);
        assert.deepEqual((await controls.patch({ Brightness: null })).misfits, {});
      });
    });
  });
});

// They wait for most of their time.
describe('beside each other:', { concurrency: true }, () => {
  describe('the camera is open, or not', { concurrency: true }, () => {
    test('a change reaches the snapshot worker\'s, and what is made while it is closed whichever program opens it', () => onSite([...kSmall, '--stream.linger', '0s', '--snapshot.linger', '300ms'], async (site, controls, watch) => {
      const closed = () => waitFor('a free camera lock', () => lockIsFree(site));
      const opened = () => matches(site.snapshot.log, 'camera pattern opened');
      // Before anyone has seen a camera.
      const first = await controls.patch({ Contrast: 0, Brightness: 0.5 });
      assert.deepEqual([first.camera, first.open, first.controls], [null, false, {}]);
      assert.deepEqual(first.misfits, { Brightness: 0.5, Contrast: 0 });
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(0.5)));
      await waitFor('the log', opened);
      await waitFor('a change in the worker\'s open camera', async () => {
        await controls.patch({ Brightness: -0.5 });
        const before = opened();
        const { bytes } = await pictureOf(site);
        assert.ok(isLuma(lumaOf(bytes), lumaAt(-0.5)));
        await controls.patch({ Brightness: 0.25 });
        assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(0.25)));
        return opened() === before;
      });
      await closed();
      await controls.patch({ Brightness: -0.25 });
      let viewer = watch();
      const [frame] = await viewer.waitFrames(1);
      assert.ok(isLuma(lumaOf(frame.jpeg), lumaAt(-0.25)), 'in the first frame');
      // What was wanted of any camera is this one's now.
      const document = await controls.get();
      assert.deepEqual([document.camera.id, document.controls.Brightness.wanted, document.misfits], ['pattern', -0.25, {}]);
      await viewer.close();
      await closed();
      assert.deepEqual((await controls.until('closed', ({ open }) => !open)).controls.Brightness.wanted, -0.25);
      assert.equal((await controls.tryPatch({ Brightness: 7 })).status, 422, 'it is known what it has');
      await controls.patch({ Brightness: 0.75 });
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(0.75)));
      await closed();
      viewer = watch();
      assert.ok(isLuma(lumaOf((await viewer.waitFrames(1))[0].jpeg), lumaAt(0.75)));
    }));

    test('two cameras keep their controls apart', () => onSite(kSmall, async (site, pi, watch) => {
      const other = new Child(programs.streamd, [...site.flags, '--runtime-dir', site.run, '--instance', 'garage']);
      try {
        await site.ready(other);
        const garage = new Controls(site, { instance: 'garage' });
        await pi.patch({ Contrast: 0, Brightness: 0.5 });
        await garage.patch({ Brightness: -0.5, Saturation: 2 });
        const viewer = watch();
        assert.ok(isLuma(lumaOf((await viewer.waitFrames(1))[0].jpeg), lumaAt(0.5)));
        assert.deepEqual([(await pi.get()).generation, (await garage.get()).generation], [1, 1]);
        await garage.reset();
        await pi.patch({ Brightness: 0.25 });
        await frameOfLuma(viewer, lumaAt(0.25));
        const [one, two] = await waitFor('both files', () => {
          const both = [kept(site), kept(site, 'garage')];
          return both.every((each) => each?.generation === 2) && both;
        });
        assert.deepEqual(one.cameras.pattern.values, { Brightness: 0.25, Contrast: 0 });
        assert.deepEqual(Object.values(two.cameras).flatMap(({ values }) => Object.keys(values)), []);
      } finally {
        await other.end();
      }
    }));
  });

  describe('several clients at once', { concurrency: true }, () => {
    test('of two with the same state one is let through, and with another try nothing is lost', () => onSite(kSmall, async (site, controls, watch) => {
      await watch().waitFrames(1);
      for (let i = 0; i < 5; ++i) {
        const { etag } = await controls.get();
        const answers = await Promise.all([0.1, 0.2, 0.3].map((by, k) => new Controls(site, { user: `client${k}` }).tryPatch({ Brightness: by + i / 100 }, { 'If-Match': etag })));
        assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412, 412]);
        const winner = answers.find(({ status }) => status === 200);
        const document = await controls.get();
        assert.equal(document.etag, winner.headers.etag);
        assert.equal(document.controls.Brightness.wanted, winner.json.controls.Brightness.wanted);
      }
      await controls.reset();
      const kEach = 4;
      await Promise.all([1, 2].map(async (k) => {
        const client = new Controls(site, { user: `client${k}` });
        for (let done = 0; done < kEach;) {
          const { etag, controls: { Zoom } } = await client.get();
          const { status } = await client.tryPatch({ Zoom: Math.round((Zoom.wanted + 0.1) * 10) / 10 }, { 'If-Match': etag });
          assert.ok([200, 412].includes(status), `${status}`);
          if (status === 200) done += 1;
        }
      }));
      assert.equal((await controls.get()).controls.Zoom.wanted, 1 + 2 * kEach / 10);
    }));
  });

  describe('what is kept', { concurrency: true }, () => {
    const start = { nginx: false };
    const wanted = async (controls) => (await controls.get()).misfits.Brightness;

    test('in a file within seconds, and through ends of every kind', () => onSite(kSmall, async (site, controls) => {
      const begun = Date.now();
      assert.equal((await controls.patch({ Brightness: 0.1 })).kept, true);
      await waitFor('the file', () => kept(site));
      assertWithin(begun, 4000, 'keeping a change');
      assert.deepEqual(kept(site).cameras[''].values, { Brightness: 0.1 });
      // Ended in good order, what is not yet there is written.
      await controls.patch({ Brightness: 0.2 });
      await site.streamd.end();
      assert.deepEqual(kept(site).cameras[''].values, { Brightness: 0.2 });
      await site.startStreamd();
      assert.equal(await wanted(controls), 0.2);
      // Killed at once: what was answered is in force, and is kept after all.
      const { generation } = await controls.patch({ Brightness: 0.3 });
      await site.streamd.end('SIGKILL');
      await site.startStreamd();
      assert.deepEqual([await wanted(controls), (await controls.get()).generation], [0.3, generation]);
      await waitFor('the change of before the kill, on the disk', () => kept(site).cameras[''].values.Brightness === 0.3);
      // The machine is started again.
      await site.streamd.end('SIGKILL');
      await site.snapshot.end('SIGKILL');
      for (const name of readdirSync(site.run)) rmSync(path.join(site.run, name), { recursive: true });
      await Promise.all([site.startSnapshot(), site.startStreamd()]);
      assert.equal(await wanted(controls), 0.3);
      assert.equal((await controls.get()).generation, generation);
      assert.equal(matches(site.streamd.log, 'warning'), 0, site.streamd.log);
    }, start));

    test('killed in the middle of changes, the files are whole and the last change counts', (t) => onSite(kSmall, async (site, controls) => {
      let acknowledged = 0;
      const files = [stateFile(site), path.join(site.run, 'pi.controls')];
      for (let round = 0; round < 24; ++round) {
        let last = await wanted(controls).catch(() => undefined);
        let asked = last;
        let killed = false;
        const storm = (async () => {
          for (let n = 1; !killed; ++n) {
            asked = Math.round(((round * 100 + n) % 1999) - 999) / 1000;
            const answer = await controls.request('PATCH', '/controls', { headers: kJson, body: JSON.stringify({ Brightness: asked }) }).catch(() => null);
            if (answer?.status === 200) {
              last = asked;
              acknowledged += 1;
            } else if (answer?.status === 429) {
              await pause(20);
            } else if (answer) {
              throw new Error(`${answer.status} ${answer.text}`);
            }
          }
        })();
        // While it is published; each sixth time when it is being kept.
        await pause(round % 6 === 5 ? 980 + Math.random() * 60 : Math.random() * 40);
        killed = true;
        await site.streamd.end('SIGKILL');
        await storm;
        for (const file of files) if (existsSync(file)) documentAt(file);
        await site.startStreamd();
        const now = await wanted(controls);
        assert.ok([last, asked].includes(now), `${now}, not ${last} or ${asked}`);
        assert.doesNotMatch(site.streamd.log, /damaged/);
      }
      t.diagnostic(`${acknowledged} changes`);
      assert.deepEqual(readdirSync(site.state).filter((name) => name.endsWith('.damaged')), []);
    }, start));

    test('a file that is no good: a warning, the defaults, and it stays beside', async () => {
      const good = JSON.stringify({ version: 1, generation: 9, camera: 'pattern', cameras: { pattern: { values: { Brightness: 0.5 } } } });
      const put = (text) => (file) => writeFileSync(file, text);
      const cases = {
        truncated: (file) => { writeFileSync(file, good); truncateSync(file, good.length - 9); },
        empty: put(''),
        garbage: put(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256))),
        'of another version': put(good.replace('"version":1', '"version":2')),
        'of another kind': put(good.replace('0.5', '{"a": 1}')),
        'with a generation that is none': put(good.replace('9', '-9')),
        'with a name that is none': put(good.replace('Brightness', 'Bright\\nness')),
        'an array': put('[]'),
        deep: put('['.repeat(200000)),
        large: put(`${good}${' '.repeat(300000)}`),
        'a folder': (file) => { mkdirSync(file); writeFileSync(path.join(file, 'x'), 'x'); },
        'a link': (file) => symlinkSync('/etc/passwd', file),
      };
      await Promise.all(Object.entries(cases).map(([name, damage]) => onSite([], async (site, controls) => {
        await site.streamd.end();
        await site.snapshot.end();
        const file = stateFile(site);
        damage(file);
        const had = name === 'a folder' || name === 'a link' ? null : readFileSync(file);
        await site.startStreamd();
        await said(site.streamd, /warning.*pi\.json/);
        assert.deepEqual((await controls.get()).misfits, {}, name);
        await controls.patch({ Brightness: 0.25 });
        await waitFor(`the new file where there was one ${name}`, () => {
          try { return kept(site)?.cameras['']?.values.Brightness === 0.25; } catch { return false; }
        });
        assert.equal((await controls.get()).kept, true, name);
        assert.ok(existsSync(`${file}.damaged`), name);
        if (had) assert.ok(readFileSync(`${file}.damaged`).equals(had), name);
        assert.equal(readFileSync('/etc/passwd', 'utf8').includes('Brightness'), false);
        await site.streamd.end();
        await site.startStreamd();
        assert.equal(await wanted(controls), 0.25);
      }, start)));
    });

    test('a folder that takes no file: changes hold, and it is said that they are not kept', () => onSite(kSmall, async (site, controls, watch) => {
      rmSync(site.state, { recursive: true });
      writeFileSync(site.state, '');
      await watch().waitFrames(1);
      await controls.patch({ Contrast: 0, Brightness: 0.5 });
      await controls.until('the word about it', (document) => !document.kept);
      await said(site.streamd, /warning.*until the next reboot/);
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(0.5)));
      await site.streamd.end('SIGKILL');
      await site.startStreamd();
      assert.equal((await controls.get()).controls.Brightness?.wanted ?? await wanted(controls), 0.5);
      rmSync(site.state);
      await controls.patch({ Brightness: 0.25 });
      await waitFor('the file, where there is a folder again', () => kept(site)?.generation > 1);
      await controls.until('the word about it', (document) => document.kept);
    }));

    test('for another camera, or out of its range: reported, and not lost', () => onSite([...kSmall, '--camera.controls', 'Saturation=0.5, Nothing=1'], async (site, controls, watch) => {
      await site.streamd.end();
      const before = { pattern: { values: { Brightness: 0.5, Contrast: 0, Gone: 3, Sharpness: 'high', ExposureTime: 1e12, AwbMode: 'Moonlight', ColourGains: [1] }, presets: { night: { Gone: 1, Brightness: 9 } } },
        'usb-1': { values: { Brightness: -1 } } };
      writeFileSync(stateFile(site), JSON.stringify({ version: 1, generation: 41, camera: 'usb-1', cameras: before }));
      await site.startStreamd();
      const viewer = watch();
      assert.ok(isLuma(lumaOf((await viewer.waitFrames(1))[0].jpeg), lumaAt(0.5)), 'what fits is in force');
      const document = await controls.until('a camera', ({ open }) => open);
      assert.deepEqual(document.misfits, { AwbMode: 'Moonlight', ColourGains: [1], ExposureTime: 1e12, Gone: 3, Nothing: 1, Sharpness: 'high' });
      assert.equal(document.controls.AwbMode.wanted, 'Auto');
      assert.equal(document.controls.Saturation.wanted, 0.5);
      await controls.patch({ Brightness: 0.25, AwbMode: 'Tungsten' });
      await waitFor('the file', () => kept(site).generation === 42);
      const { cameras } = kept(site);
      assert.deepEqual(cameras['usb-1'].values, { Brightness: -1 });
      assert.deepEqual(cameras.pattern.values, { ...before.pattern.values, Brightness: 0.25, AwbMode: 'Tungsten' });
      assert.deepEqual(cameras.pattern.presets, before.pattern.presets);
      assert.equal((await controls.patch({ preset: 'night' })).controls.Brightness.wanted, 0);
      assert.deepEqual((await controls.patch({ Gone: null, Brightness: null })).misfits, { Nothing: 1 });
      assert.deepEqual((await controls.get()).presets.night, before.pattern.presets.night);
    }));

    test('the settings\' defaults: in force, overridden, and back', () => onSite([...kSmall, '--camera.controls', 'Brightness=0.25, Contrast=0'], async (site, controls, watch) => {
      const viewer = watch();
      assert.ok(isLuma(lumaOf((await viewer.waitFrames(1))[0].jpeg), lumaAt(0.25)));
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(0.25)));
      const { controls: { Brightness } } = await controls.get();
      assert.deepEqual([Brightness.wanted, Brightness.set, Brightness.default], [0.25, false, 0]);
      await controls.patch({ Brightness: -0.5 });
      await frameOfLuma(viewer, lumaAt(-0.5));
      await controls.patch({ Brightness: null });
      await frameOfLuma(viewer, lumaAt(0.25));
      await controls.patch({ Brightness: 0 });
      await frameOfLuma(viewer, 128);
      await controls.reset();
      await frameOfLuma(viewer, lumaAt(0.25));
    }));

    test('more than a file has room for is refused, and costs nothing', () => onSite([], async (site, controls) => {
      await controls.patch({ Brightness: 0.5 });
      const room = Object.fromEntries(Array.from({ length: 88 }, (_, i) => [`a${i}`, Array(16).fill(1e9).map((n, k) => n + k)]));
      const body = (name) => {
        const text = JSON.stringify({ presets: { [name]: room } }).replaceAll(/10000000\d\d/g, '1e9');
        return text.length <= 4096 ? text : JSON.stringify({ presets: { [name]: Object.fromEntries(Object.entries(room).slice(0, 50)) } }).replaceAll(/10000000\d\d/g, '1e9');
      };
      const statuses = [];
      for (let i = 0; i < 16; ++i) statuses.push((await controls.tryPatch(body(`preset ${i}`))).status);
      assert.ok(statuses.every((status) => [200, 422].includes(status)), statuses.join());
      assert.equal((await controls.tryPatch({ presets: { 'one more': {}, 'and more': {} } })).status, 422);
      const had = await controls.get();
      await site.streamd.end('SIGKILL');
      await site.startStreamd();
      assert.doesNotMatch(site.streamd.log, /damaged|larger/);
      assert.deepEqual(Object.keys((await controls.get()).presets), Object.keys(had.presets));
      assert.equal(await wanted(controls), 0.5);
    }, start));
  });

  describe('a program that ends within seconds of a change', { concurrency: true }, () => {
    const kWarning = /warning.*opens the camera once with the camera's own defaults/;

    // Kills a program with a brightness on trial, and says which: with another one, where the trial was over before.
    async function killedOnTrial(site, name, begin) {
      for (const brightness of [-0.5, -0.4, -0.3, 0.4, 0.5]) {
        await begin(brightness);
        await site[name].end('SIGKILL');
        const file = path.join(site.run, `pi.${name === 'streamd' ? 'stream' : name}.trial`);
        if (readFileSync(file, 'utf8').startsWith('tried')) return brightness;
        await (name === 'streamd' ? site.startStreamd() : site.startSnapshot());
      }
      return assert.fail('there is no trial');
    }
    const changesStream = (controls, watch) => async (Brightness) => {
      await watch().waitFrames(1);
      await controls.patch({ Contrast: 0, Brightness });
      await controls.until('it in force', (document) => document.in_force === document.generation);
    };

    test('opens the camera once with its defaults: picam-streamd', () => onSite([...kSmall, ...kAtOnce], async (site, controls, watch) => {
      const tried = await killedOnTrial(site, 'streamd', changesStream(controls, watch));
      await site.startStreamd();
      const viewer = watch();
      const [frame] = await viewer.waitFrames(1);
      assert.ok(!isLuma(lumaOf(frame.jpeg), lumaAt(tried)));
      const document = await controls.get();
      assert.deepEqual([document.held_back, document.controls.Brightness.wanted], [true, tried]);
      assert.notEqual((await site.status()).controls.values.Brightness, tried);
      await said(site.streamd, kWarning);
      assert.equal((await pictureOf(site)).status, 200);
      await viewer.close();
      await controls.until('closed', ({ open }) => !open);
      const again = watch();
      assert.ok(isLuma(lumaOf((await again.waitFrames(1))[0].jpeg), lumaAt(tried)));
      assert.equal((await controls.get()).held_back, false);
      await said(site.streamd, kWarning);
      assert.equal(matches(site.streamd.log, kWarning.source), 1);
      await again.close();
    }));

    test('and a further change is tried at once', () => onSite([...kSmall, ...kAtOnce], async (site, controls, watch) => {
      await killedOnTrial(site, 'streamd', changesStream(controls, watch));
      await site.startStreamd();
      const viewer = watch();
      await viewer.waitFrames(1);
      assert.equal((await controls.get()).held_back, true);
      await controls.patch({ Brightness: -0.25 });
      await frameOfLuma(viewer, lumaAt(-0.25));
      assert.equal((await controls.get()).held_back, false);
    }));

    test('and what holds is an opening, not a try where there is no camera', () => onRecording(async (file, recording) => onSite([...kAtOnce, '--camera.stall', '30s', '--camera.source', 'replay', '--camera.file', file], async (site, controls, watch) => {
      // What the settings want is on trial, too.
      const settings = (brightness) => ['--camera.controls', `Brightness=${brightness}`];
      const tried = await killedOnTrial(site, 'streamd', async (brightness) => {
        await site.streamd.end();
        await site.startStreamd(settings(brightness));
        await watch().waitFrames(1);
      });
      rmSync(file);
      await site.startStreamd(settings(tried));
      const viewer = watch();
      await waitFor('the word that there is no camera', () => viewer.messages.some(({ state }) => state === 'unavailable'));
      writeFileSync(file, recording);
      await viewer.waitFrames(1);
      assert.equal((await controls.get()).held_back, true);
      await said(site.streamd, kWarning);
      assert.equal(matches(site.streamd.log, kWarning.source), 1);
    })));

    test('opens the camera once with its defaults: picam-snapshot', () => onSite([...kSmall, '--snapshot.linger', '60s'], async (site, controls) => {
      const tried = await killedOnTrial(site, 'snapshot', async (Brightness) => {
        await pictureOf(site);
        await controls.patch({ Contrast: 0, Brightness });
        assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(Brightness)));
      });
      await site.startSnapshot(['--snapshot.linger', '0s']);
      const seen = async () => {
        await waitFor('a free camera lock', () => lockIsFree(site));
        await pause(1100); // until what was captured before is too old
        return lumaOf((await pictureOf(site)).bytes);
      };
      assert.ok(!isLuma(await seen(), lumaAt(tried)));
      await said(site.snapshot, kWarning);
      assert.ok(isLuma(await seen(), lumaAt(tried)));
      assert.equal(matches(site.snapshot.log, kWarning.source), 1);
    }));

    test('but not when it has run with it for long, or was ended in good order', () => onSite([...kSmall, '--snapshot.linger', '60s'], async (site, controls, watch) => {
      const viewer = watch();
      await viewer.waitFrames(1);
      await controls.patch({ Contrast: 0, Brightness: -0.5 });
      await frameOfLuma(viewer, lumaAt(-0.5));
      await site.streamd.end();
      await site.startStreamd();
      const second = watch();
      assert.ok(isLuma(lumaOf((await second.waitFrames(1))[0].jpeg), lumaAt(-0.5)));
      const trial = (word = /^tried/) => readdirSync(site.run).filter((name) => name.endsWith('.trial') && word.test(readFileSync(path.join(site.run, name), 'utf8')));
      assert.equal(trial(/^(tried|passed)/).length, 1, `${readdirSync(site.run)}`);
      await waitFor('the end of the trial', () => trial().length === 0);
      await site.streamd.end('SIGKILL');
      await site.startStreamd();
      // The same of the worker.
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(-0.5)));
      await waitFor('the end of the trial', async () => {
        await pictureOf(site); // at rest it takes few frames
        return trial().length === 0;
      });
      await site.snapshot.end('SIGKILL');
      await site.startSnapshot();
      assert.ok(isLuma(lumaOf((await pictureOf(site)).bytes), lumaAt(-0.5)));
      const third = watch();
      assert.ok(isLuma(lumaOf((await third.waitFrames(1))[0].jpeg), lumaAt(-0.5)));
      assert.equal((await controls.get()).held_back, false);
      for (const child of [site.streamd, site.snapshot]) assert.doesNotMatch(child.log, kWarning);
    }));
  });

  test('a long exposure is no stall, and is told at once', (t) => undisturbed(500, () => onSite([...kSmall, '--camera.stall', '1s'], async (site, controls, watch) => {
    const viewer = watch();
    await viewer.waitFrames(5);
    const rate = () => viewer.messages.findLast(({ fps }) => fps !== undefined).fps;
    assert.equal(rate(), 30);
    const begun = Date.now();
    await controls.patch({ ExposureTimeMode: 'Manual', ExposureTime: 2000000, Contrast: 0 });
    await waitFor('the slow rate', () => rate() === 0.5);
    assertWithin(begun, 500, 'the word about the slow rate');
    const before = await site.status();
    await controls.until('the exposure', (document) => document.controls.ExposureTime.actual === 2000000);
    const had = viewer.frames.length;
    await viewer.waitFrames(had + 1);
    await controls.patch({ Brightness: 0.5 });
    const { bytes, tookMs } = await pictureOf(site);
    assert.ok(isLuma(lumaOf(bytes), lumaAt(0.5)));
    t.diagnostic(`a still with another brightness after ${tookMs} ms`);
    await controls.patch({ ExposureTimeMode: null });
    await waitFor('the rate of before', () => rate() === 30);
    const then = viewer.frames.length;
    await viewer.waitFrames(then + 30);
    await waitFor('the full rate', () => viewer.frames.at(-1).capturedMs - viewer.frames.at(-20).capturedMs < 1500);
    const { camera } = await site.status();
    assert.deepEqual([camera.starts, camera.failures, camera.state], [before.camera.starts, before.camera.failures, 'streaming']);
    assert.equal(camera.starts, 1);
    assert.doesNotMatch(site.streamd.log, /starting it again|gave no frame/);
  })));

  test('nor is one that is there from the beginning', () => undisturbed(500, () => onSite([...kSmall, '--camera.stall', '1s', '--camera.controls', 'ExposureTimeMode=Manual, ExposureTime=2000000'], async (site, controls, watch) => {
    assert.equal((await pictureOf(site)).status, 200);
    const viewer = watch();
    await viewer.waitFrames(4);
    assert.equal(viewer.messages.findLast(({ fps }) => fps !== undefined).fps, 0.5);
    assert.equal((await site.status()).camera.starts, 1);
    for (const child of [site.streamd, site.snapshot]) assert.doesNotMatch(child.log, /starting it again|gave no frame/);
  })));

  describe('what nobody can do', { concurrency: true }, () => {
    const kNasty = [1e308, -1e308, 5e-324, 1e19, -9223372036854775808, 9007199254740993, -1, 0, 0.5, true, false, 'NaN', 'Infinity', 'true', '', 'Auto', ' ', '0', 'é\u{1f600}\u2028', 'a\nb', 'a\0b', 'x'.repeat(64), 'x'.repeat(65),
      'x'.repeat(4000), [], [1], [0, 0], [1, 1e308], [0.5, 0.5, 0.5], [[1, 1]], ['a', 'b'], [null, 1], Array(17).fill(0), {}, { a: { b: [] } }, null];
    const kRaw = ['', ' ', '{', '[]', '1', 'null', '"Brightness"', '{"Brightness": NaN}', '{"Brightness": Infinity}', '{"Brightness": 1e999}', '{"Brightness": -1e999}', '{"Brightness": 01}', '{"Brightness": 1,}',
      '{"Brightness": 1} {}', '{"Brightness": 0x1}', `${'['.repeat(4000)}`, `{"a":${'['.repeat(4000)}`, '{"": 1}', '{"Bright ness": 1}', '{"a\\nb": 1}', '{"a\\u0000b": 1}', `{"${'n'.repeat(65)}": 1}`, '{"__proto__": 1}',
      '\ufeff{"Brightness": 0}', '{"Brightness": 0, "Brightness": 1}', '{"preset": 1}', '{"preset": null}', '{"preset": ""}', '{"presets": []}', '{"presets": null}', '{"presets": {"": {}}}', '{"presets": {"a\\nb": {}}}',
      `{"presets": {"${'p'.repeat(33)}": {}}}`, '{"presets": {"a": {"Brightness": null}}}', '{"presets": {"a": 1}}', '{"presets": {"a": {"a\\nb": 1}}}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), Buffer.alloc(4096, 0)];

    test('no value ends the program, or the stream', () => onSite(kSmall, async (site, first, watch) => {
      // Several, each with its own measure of changes.
      const names = ['pi', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
      const others = names.slice(1).map((name) => new Child(programs.streamd, [...site.flags, '--stream.size', '64x48', '--runtime-dir', site.run, '--instance', name]));
      try {
        await Promise.all(others.map((child) => site.ready(child)));
        const viewer = watch();
        await viewer.waitFrames(1);
        const known = Object.keys((await first.get()).controls);
        assert.ok(known.length > 10);
        const bodies = [...kRaw, ...known.flatMap((name) => kNasty.map((value) => ({ [name]: value })))];
        const starts = (await site.status()).camera.starts;
        await Promise.all(names.map(async (name, i) => {
          const controls = new Controls(site, { instance: name });
          // All but the first have not seen a camera, and check nothing but the form.
          for (let at = i; at < bodies.length; at += names.length) {
            const { status, json, text } = await controls.tryPatch(bodies[at]);
            const what = `${name}: ${JSON.stringify(bodies[at])?.slice(0, 80)}: ${status} ${text.slice(0, 200)}`;
            assert.ok(status === 200 || (status >= 400 && status < 500), what);
            assert.ok(json, what);
            if (status !== 200) assert.equal(typeof json.error, 'string', what);
          }
        }));
        for (const child of [site.streamd, site.snapshot, ...others]) assert.ok(child.running, child.log);
        // What was taken there is nothing that a camera is harmed by.
        for (const name of names) {
          for (const line of readFileSync(path.join(site.run, `${name}.controls`), 'utf8').split('\n')) assert.doesNotMatch(line, /[\0-\x08\x0b-\x1f]/);
        }
        const had = viewer.frames.length;
        await viewer.waitFrames(had + 3);
        assert.equal((await site.status()).camera.starts, starts);
        // Nor does a camera mind what was wished before it was known: the programs' own log has nothing of another's making.
        for (const child of [site.streamd, ...others]) {
          for (const line of child.log.trim().split('\n')) assert.match(line, /^(<\d>)?(\S+ )?(debug|info|warning|error|.*(ready|picam|controls|camera))/, line);
        }
      } finally {
        await Promise.all(others.map((child) => child.end()));
      }
    }));

    test('every value that there is, all in one opening', () => onSite(kSmall, async (site, controls, watch) => {
      const viewer = watch();
      await viewer.waitFrames(1);
      const { controls: all } = await controls.get();
      const extremes = ({ type, min, max, values, size }) => {
        if (type === 'bool') return [true, false];
        if (type === 'enum') return [values[0], values.at(-1)];
        return type === 'numbers' ? [Array(size).fill(min), Array(size).fill(max)] : [min, max];
      };
      for (const which of [0, 1]) {
        const body = Object.fromEntries(Object.entries(all).map(([name, control]) => [name, extremes(control)[which]]));
        delete body.ExposureTime; // ten seconds; there is a test of its own
        const { generation } = await controls.patch(body);
        await controls.until('it in force', (document) => document.in_force >= generation);
      }
      assert.equal((await controls.send('POST', '/controls/reset', {})).status, 200);
      assert.equal((await site.status()).camera.starts, 1);
    }));

    test('by other methods, types, sizes, states and roles nothing is changed', () => onSite([], async (site, controls) => {
      const { etag } = await controls.get();
      const ask = async (method, target, options) => (await controls.request(method, target, options));
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'patch', 'X'.repeat(100)]) {
        const answer = await ask(method, '/controls', { headers: kJson }).catch(() => ({ status: 400 }));
        assert.ok([400, 405].includes(answer.status), `${method} ${answer.status}`);
        if (answer.status === 405) assert.equal(answer.headers.allow, 'GET, HEAD, PATCH', method);
      }
      for (const target of ['/controls/focus', '/controls/reset']) {
        for (const method of ['GET', 'PATCH', 'PUT', 'HEAD']) {
          const { status, headers } = await ask(method, target, { headers: kJson });
          assert.deepEqual([status, headers.allow], [405, 'POST'], `${method} ${target}`);
        }
      }
      const body = '{"Brightness": 0.5}';
      for (const [status, headers, options] of [
        [428, { 'Content-Type': 'application/json' }], [412, { ...kJson, 'If-Match': '"1-1"' }], [412, { ...kJson, 'If-Match': `W/${etag}` }], [412, { ...kJson, 'If-Match': etag.replaceAll('"', '') }],
        [415, { 'If-Match': '*' }], [415, { ...kJson, 'Content-Type': 'text/plain' }], [415, { ...kJson, 'Content-Type': 'application/x-www-form-urlencoded' }], [415, { ...kJson, 'Content-Type': 'application/jsonx' }],
        [403, { ...kJson, 'X-Picam-Role': 'viewer' }], [403, { ...kJson, 'X-Picam-Role': '' }], [403, { ...kJson, 'X-Picam-Role': 'Operator' }], [403, { ...kJson, 'X-Picam-User': '' }],
        [403, { ...kJson, Origin: 'https://evil.example' }], [403, { ...kJson, Origin: 'null' }], [403, { ...kJson, 'Sec-Fetch-Site': 'cross-site' }], [403, { ...kJson, 'Sec-Fetch-Site': 'same-site' }],
        [413, kJson, { body: `{"Brightness": ${'0'.repeat(5000)}}` }]]) {
        const answer = await ask('PATCH', '/controls', { headers, body, ...options });
        assert.equal(answer.status, status, `${JSON.stringify(headers)}: ${answer.text}`);
        assert.equal(typeof answer.json.error, 'string');
      }
      assert.equal((await controls.get()).etag, etag);
      const head = await ask('HEAD', '/controls');
      assert.deepEqual([head.status, head.text, head.headers.etag, head.headers['cache-control']], [200, '', etag, 'no-store']);
      // More than five a second.
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask('PATCH', '/controls', { headers: kJson, body })));
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(refused.length > 0);
      for (const { headers, json } of refused) assert.deepEqual([headers['retry-after'], typeof json.error], ['1', 'string']);
      assert.equal((await site.request('/healthz')).status, 200);
    }, { nginx: false }));

    test('a change is one line of the log, with its user and values, and what is no change none', () => onSite([], async (site, controls) => {
      const lines = () => site.streamd.log.split('\n').filter((line) => line.includes('controls set by'));
      await controls.patch({ Brightness: 0.5, AwbMode: 'Auto' });
      await controls.patch({ Brightness: 0.5 });
      await new Controls(site, { user: 'anna' }).patch({ Brightness: null, ColourGains: [1, 2.5] });
      for (const bad of [{ 'a\nb': 1 }, { Brightness: 'a\ncontrols set by root: b' }, { presets: { 'a\ncontrols set by root': {} } }, { preset: 'a\ncontrols set by root' }, { 'a\rb': 1 }, { a: 'b\u001b[31m' }]) {
        const { status } = await controls.tryPatch(bad);
        assert.ok([400, 422].includes(status), JSON.stringify(bad));
      }
      await controls.patch({ presets: { 'day \u2028 \u0085 é': {} } });
      await controls.reset();
      await controls.reset();
      await waitFor('the lines', () => lines().length >= 4);
      assert.equal(lines().length, 4, lines().join('\n'));
      assert.match(lines()[0], /controls set by picam: AwbMode=Auto, Brightness=0\.5$/);
      assert.match(lines()[1], /controls set by anna: Brightness=default, ColourGains=1 2\.5$/);
      assert.match(lines()[3], /controls set by picam: all to their defaults$/);
      assert.ok(!site.streamd.log.includes('by root'));
    }, { nginx: false }));
  });
});
