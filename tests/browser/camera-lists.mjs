// What `GET /controls` says of cameras that are not here, from their drivers' lists: each with all that it has, as
// libcamera 0.5 and later offer it, or the kernel's driver of a webcam.
const bool = (group, value, more = {}) => ({ type: 'bool', group, level: 'basic', default: value, ...more });
const number = (group, min, max, value, more = {}) => ({ type: 'number', group, level: 'basic', min, max, step: 0.01, default: value, ...more });
const integer = (group, min, max, value, more = {}) => ({ type: 'integer', group, level: 'basic', min, max, step: 1, default: value, ...more });
const choice = (group, values, more = {}) => ({ type: 'enum', group, level: 'basic', values, default: values[0], ...more });
const numbers = (group, size, min, max, more = {}) => ({ type: 'numbers', group, level: 'basic', size, min, max, ...more });
const expert = (control) => ({ ...control, level: 'expert' });
const locked = (reason) => ({ locked: reason });

const ofSensor = (longest, highestGain) => ({
  Brightness: number('Image', -1, 1, 0),
  Contrast: number('Image', 0, 32, 1),
  Saturation: number('Image', 0, 32, 1),
  Sharpness: number('Image', 0, 16, 1),
  NoiseReductionMode: expert(choice('Image', ['Off', 'Fast', 'HighQuality', 'Minimal'])),
  ExposureValue: number('Exposure', -8, 8, 0),
  ExposureTimeMode: choice('Exposure', ['Auto', 'Manual']),
  ExposureTime: integer('Exposure', 26, longest, 20000, { actual: 16653, ...locked('ExposureTimeMode is Auto') }),
  AnalogueGainMode: choice('Exposure', ['Auto', 'Manual']),
  AnalogueGain: number('Exposure', 1, highestGain, 1, { actual: 2.286, ...locked('AnalogueGainMode is Auto') }),
  AeMeteringMode: expert(choice('Exposure', ['CentreWeighted', 'Spot', 'Matrix'])),
  AeConstraintMode: expert(choice('Exposure', ['Normal', 'Highlight', 'Shadows'])),
  AeExposureMode: expert(choice('Exposure', ['Normal', 'Short', 'Long'])),
  AeFlickerMode: expert(choice('Exposure', ['Off', 'Manual'])),
  AeFlickerPeriod: expert(integer('Exposure', 100, 1000000, 10000, locked('AeFlickerMode is Off'))),
  AwbEnable: bool('Colour', true),
  AwbMode: choice('Colour', ['Auto', 'Incandescent', 'Tungsten', 'Fluorescent', 'Indoor', 'Daylight', 'Cloudy']),
  ColourGains: expert(numbers('Colour', 2, 0, 32, { actual: [1.871, 2.104], ...locked('AwbEnable is true') })),
  ColourTemperature: expert(integer('Colour', 100, 100000, 6500, { actual: 4471, ...locked('AwbEnable is true') })),
});
const zoom = { Zoom: number('Zoom', 1, 16, 1), ZoomCentre: numbers('Zoom', 2, 0, 1, { default: [0.5, 0.5] }) };

const kC920 = {
  Brightness: number('Image', -1, 1, 0),
  Contrast: number('Image', 0, 2, 1),
  Saturation: number('Image', 0, 2, 1),
  'v4l2.sharpness': expert(integer('Image', 0, 255, 128)),
  ExposureTimeMode: choice('Exposure', ['Auto', 'Manual']),
  ExposureTime: integer('Exposure', 300, 204700, 25000, { step: 100, ...locked('ExposureTimeMode is Auto') }),
  AnalogueGain: number('Exposure', 0.1, 4, 1),
  'v4l2.power_line_frequency': choice('Exposure', ['Disabled', '50 Hz', '60 Hz'], { default: '60 Hz' }),
  'v4l2.exposure_dynamic_framerate': expert(bool('Exposure', false)),
  'v4l2.backlight_compensation': expert(integer('Exposure', 0, 1, 0)),
  'v4l2.white_balance_automatic': bool('Colour', true),
  'v4l2.white_balance_temperature': integer('Colour', 2000, 6500, 4000, locked('v4l2.white_balance_automatic is true')),
  'v4l2.focus_automatic_continuous': bool('Focus', true),
  'v4l2.focus_absolute': integer('Focus', 0, 250, 0, { step: 5, ...locked('v4l2.focus_automatic_continuous is true') }),
  'v4l2.zoom_absolute': integer('Zoom', 100, 500, 100),
  'v4l2.pan_absolute': expert(integer('Zoom', -36000, 36000, 0, { step: 3600 })),
  'v4l2.tilt_absolute': expert(integer('Zoom', -36000, 36000, 0, { step: 3600 })),
};
// Where libcamera has none of them: what the driver alone calls them.
const kPlainWebcam = {
  'v4l2.brightness': expert(integer('Image', 0, 255, 128)),
  'v4l2.contrast': expert(integer('Image', 0, 255, 128)),
  'v4l2.saturation': expert(integer('Image', 0, 255, 128)),
  'v4l2.gamma': expert(integer('Image', 72, 500, 100)),
  'v4l2.auto_exposure': expert(choice('Exposure', ['Manual Mode', 'Aperture Priority Mode'], { default: 'Aperture Priority Mode' })),
  'v4l2.exposure_time_absolute': expert(integer('Exposure', 3, 2047, 250, locked('v4l2.auto_exposure is Aperture Priority Mode'))),
  'v4l2.gain': expert(integer('Exposure', 0, 100, 0)),
  'v4l2.hue': expert(integer('Colour', -40, 40, 0)),
};

export const kCameras = {
  'Camera Module 3': {
    controls: {
      ...ofSensor(112015443, 16),
      AfMode: choice('Focus', ['Manual', 'Auto', 'Continuous'], { default: 'Continuous' }),
      LensPosition: number('Focus', 0, 15, 1, { actual: 2.31, ...locked('AfMode is Continuous') }),
      AfRange: expert(choice('Focus', ['Normal', 'Macro', 'Full'])),
      AfSpeed: expert(choice('Focus', ['Normal', 'Fast'])),
      AfMetering: expert(choice('Focus', ['Auto', 'Windows'])),
      AfWindows: expert(numbers('Focus', 4, 0, 1, { default: [0.4, 0.4, 0.2, 0.2] })),
      ...zoom,
    },
    state: { exposure: 'converged', white_balance: 'searching', focus: 'focused' },
  },
  'HQ on a Pi 5': {
    controls: { ...ofSensor(694422939, 22.261), HdrMode: expert(choice('Exposure', ['Off', 'MultiExposureUnmerged', 'MultiExposure', 'SingleExposure', 'Night'])), ...zoom },
    state: { exposure: 'searching', white_balance: 'converged' },
  },
  C920: { controls: kC920, state: {} },
  'a webcam that libcamera knows little of': { controls: kPlainWebcam, state: {} },
};

// The whole document of one of them, as the server says it to who may change.
export function documentOf(camera) {
  const { controls, state } = kCameras[camera];
  const all = Object.entries(controls).map(([name, control]) => [name, { ...control, wanted: control.default, set: false }]);
  return {
    camera: { id: camera, name: camera }, open: true, generation: 1, in_force: 1, may_change: true, user: 'anna', held_back: false, kept: true,
    controls: Object.fromEntries(all), state, problems: {}, misfits: {}, presets: {},
  };
}
