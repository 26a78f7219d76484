// A webcam's controls from the installed site to the camera, through the kernel's own driver: what the tests of every
// Debian ask of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { end } from '../integration/guarded-viewer.mjs';
import { waitFor } from '../integration/harness.mjs';
import { kSlowMs } from './installed-site.mjs';

const kOutOfRange = 4; // of UVC's errors
// Of a camera whose brightness is not at its default every pixel is this dark, or this bright (webcam.mjs).
const kDark = 110, kBright = 145;

// The mean luma of a JPEG.
function lumaOf(jpeg) {
  const { status, stdout, stderr } = spawnSync('djpeg', ['-scale', '1/8', '-grayscale', '-pnm'], { input: jpeg, maxBuffer: 1 << 26 });
  assert.equal(status, 0, `${stderr}`);
  const pixels = stdout.subarray(/^P5\s+\d+\s+\d+\s+255\s/.exec(stdout.toString('latin1', 0, 40))[0].length);
  return pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
}

class WebcamControls {
  constructor(site, webcam) { Object.assign(this, { site, webcam }); }

  async get() {
    const { status, body } = await this.site.ask('/controls');
    assert.equal(status, 200, `${body}`);
    return JSON.parse(body);
  }

  async change(body, { target = '/controls', method = 'PATCH' } = {}) {
    const answer = await this.site.ask(target, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', 'If-Match': '*' } });
    assert.equal(answer.status, 200, `${JSON.stringify(body)}: ${answer.body}`);
    return JSON.parse(answer.body);
  }

  reset() { return this.change({}, { target: '/controls/reset', method: 'POST' }); }

  // What the camera was told by a change, when it has been told these, by the names that Linux gives them, and of them the
  // last values; in this order.
  async arrives(body, expected) {
    const at = Date.now();
    const document = await this.change(body);
    const names = Object.keys(expected);
    const told = async () => (await this.webcam.stats()).set.filter((one) => one.at >= at && names.includes(one.control)).map(({ control, value }) => [control, value]);
    const last = (list) => Object.fromEntries(list);
    await waitFor(`${JSON.stringify(expected)} at the camera`, async () => {
      const now = last(await told());
      return names.every((name) => now[name] === expected[name]);
    }, kSlowMs).catch(async (error) => { throw new Error(`${error.message}: ${JSON.stringify(await told())}, ${JSON.stringify((await this.get()).problems)}`); });
    const order = [...new Set((await told()).map(([name]) => name))];
    assert.deepEqual(order, names, 'in this order');
    return document;
  }

  // So the document says that the camera has them; also what is read only while somebody asks.
  async says(values) {
    const actual = async () => Object.fromEntries(Object.entries((await this.get()).controls).map(([name, control]) => [name, control.actual]));
    await waitFor(`${JSON.stringify(values)} as actual values`, async () => {
      const now = await actual();
      return Object.entries(values).every(([name, value]) => now[name] === value);
    }, kSlowMs).catch(async (error) => { throw new Error(`${error.message}: ${JSON.stringify(await actual())}`); });
  }

  // The camera itself has these values.
  async has(values) {
    await waitFor(`${JSON.stringify(values)} in the camera`, async () => {
      const now = await this.webcam.controls();
      return Object.entries(values).every(([name, value]) => now[name] === value);
    }, kSlowMs).catch(async (error) => { throw new Error(`${error.message}: ${JSON.stringify(await this.webcam.controls())}`); });
  }
}

const kDefaults = { brightness: 0, contrast: 32, auto_exposure: 8, power_line_frequency: 1, white_balance_automatic: 1, focus_automatic_continuous: 1, sharpness: 2 };

// With the webcam plugged in and the stream its JPEGs. Leaves the camera with its defaults.
export async function changesReachTheCamera(machine, site, webcam) {
  const controls = new WebcamControls(site, webcam);
  const viewer = await site.watch();
  const pictures = (what, condition) => {
    let next = viewer.pictures.length;
    return waitFor(what, () => {
      for (; next < viewer.pictures.length; ++next) if (condition(viewer.pictures[next])) return true;
      return false;
    }, kSlowMs);
  };
  await pictures('pictures', () => true);
  const { controls: all, may_change: mayChange } = await controls.get();
  assert.equal(mayChange, true);
  // By libcamera, and what it does not offer by V4L2.
  for (const name of ['Brightness', 'Contrast', 'Saturation', 'ExposureTimeMode', 'ExposureTime', 'v4l2.power_line_frequency', 'v4l2.white_balance_automatic', 'v4l2.white_balance_temperature',
    'v4l2.focus_automatic_continuous', 'v4l2.focus_absolute', 'v4l2.sharpness', 'v4l2.backlight_compensation', 'v4l2.zoom_absolute']) {
    assert.ok(all[name], `${name} of ${Object.keys(all)}`);
  }
  for (const name of ['v4l2.brightness', 'v4l2.contrast', 'v4l2.saturation', 'v4l2.exposure_time_absolute', 'v4l2.auto_exposure']) assert.equal(all[name], undefined, name);
  assert.deepEqual(all['v4l2.power_line_frequency'].values.slice(0, 3), ['Disabled', '50 Hz', '60 Hz']);
  assert.equal(all.ExposureTime.locked, 'ExposureTimeMode is Auto');

  const { starts } = await site.cameraStatus();
  await controls.arrives({ Brightness: 0.5 }, { brightness: 32 });
  await pictures('a brighter picture', (jpeg) => lumaOf(jpeg) > kBright);
  await controls.arrives({ Brightness: -0.5 }, { brightness: -32 });
  await pictures('a darker picture', (jpeg) => lumaOf(jpeg) < kDark);
  await controls.arrives({ ExposureTimeMode: 'Manual', ExposureTime: 10000 }, { auto_exposure: 1, exposure_time_absolute: 100 });
  await controls.arrives({ 'v4l2.power_line_frequency': '60 Hz' }, { power_line_frequency: 2 });
  await controls.says({ 'v4l2.power_line_frequency': '60 Hz', 'v4l2.sharpness': kDefaults.sharpness, 'v4l2.white_balance_automatic': true });
  // What an automatism moves, as the camera has it now.
  const { white_balance_temperature: temperature, focus_absolute: focus } = await webcam.controls();
  await controls.says({ 'v4l2.white_balance_temperature': temperature, 'v4l2.focus_absolute': focus });
  const at = Date.now();
  const { controls: { 'v4l2.white_balance_temperature': locked } } = await controls.change({ 'v4l2.white_balance_temperature': 5000 });
  assert.equal(locked.locked, 'v4l2.white_balance_automatic is true');
  await controls.arrives({ 'v4l2.white_balance_automatic': false }, { white_balance_automatic: 0, white_balance_temperature: 5000 });
  assert.deepEqual((await webcam.stats()).refused.filter((one) => one.at >= at), [], 'nothing was tried in vain');
  await controls.arrives({ 'v4l2.focus_absolute': 100, 'v4l2.focus_automatic_continuous': false }, { focus_automatic_continuous: 0, focus_absolute: 100 });
  await controls.says({ 'v4l2.focus_automatic_continuous': false, 'v4l2.focus_absolute': 100, 'v4l2.white_balance_temperature': 5000 });
  assert.deepEqual((await controls.get()).problems, {});

  // What the camera refuses costs no picture more than it has to, and no other value.
  await webcam.refuse({ sharpness: kOutOfRange, contrast: kOutOfRange });
  await controls.change({ 'v4l2.sharpness': 5, Contrast: 1.5, Brightness: 0.5 });
  await waitFor('the problems', async () => {
    const { problems } = await controls.get();
    return problems['v4l2.sharpness'] && problems.Contrast;
  }, kSlowMs);
  await pictures('a brighter picture', (jpeg) => lumaOf(jpeg) > kBright);
  await webcam.refuse({});
  await controls.change({ 'v4l2.sharpness': null, Contrast: null });
  await waitFor('no problem', async () => Object.keys((await controls.get()).problems).length === 0, kSlowMs);
  await pictures('pictures', () => true);
  assert.deepEqual(viewer.states.filter(({ state }) => state === 'unavailable'), []);
  assert.equal((await site.cameraStatus()).starts, starts, 'it was not opened again');

  // Without power it forgets, and the daemon's next process knows.
  const mine = { brightness: 32, auto_exposure: 1, exposure_time_absolute: 100, power_line_frequency: 2, white_balance_automatic: 0, white_balance_temperature: 5000, focus_automatic_continuous: 0, focus_absolute: 100 };
  await webcam.unplug();
  await waitFor('a word about it', () => viewer.states.some(({ state }) => state === 'unavailable'), kSlowMs);
  await webcam.plug();
  await pictures('a brighter picture', (jpeg) => lumaOf(jpeg) > kBright);
  await controls.has(mine);
  await end(viewer);
  await machine.sh('systemctl restart picam-streamd@pi');
  assert.equal(await machine.sh('stat -c "%a %U" /var/lib/picam-controls'), '700 picam\n');
  assert.match(await machine.sh('cat /var/lib/picam-controls/pi.json'), /"v4l2\.power_line_frequency": "60 Hz"/);
  await webcam.unplug();
  await webcam.plug();
  await site.streamWorks();
  await controls.has(mine);

  await controls.reset();
  await site.streamWorks(); // if it was closed
  await controls.has(kDefaults);
  await site.checksWell();
}
