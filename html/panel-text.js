// What the panel of the camera's controls says, by language; English else. `names` are those of controls, `values` of what
// an enumeration offers, of one control alone as "Control.Value". What has no name here is called as the camera calls it.
import { language } from './text.js';

const en = {
  title: 'Controls',
  close: 'Close',
  groups: { Image: 'Image', Exposure: 'Exposure', Colour: 'Colour', Focus: 'Focus', Zoom: 'Zoom' },
  more: 'More',
  keep: 'Keep what auto found',
  undo: 'Undo',
  undone: (names) => `Taken back: ${names}`,
  reset: (name) => `Reset ${name}`,
  resetAll: 'Reset all',
  sure: 'Reset every control of this camera? Presets stay.',
  confirm: 'Reset',
  cancel: 'Cancel',
  presets: 'Presets',
  presetNames: { day: 'Day', night: 'Night' },
  editPresets: 'Save or delete presets',
  presetName: 'Name',
  save: 'Save',
  erase: (name) => `Delete ${name}`,
  point: 'Point at the picture',
  points: { view: 'Move view', zoom: 'Zoom here', focus: 'Focus here' },
  focusNow: 'Focus now',
  numberOf: (name) => `${name}, number`,
  parts: { ColourGains: ['Red', 'Blue'], ZoomCentre: ['Across', 'Down'] },
  locked: (name, value) => `No effect while ${name} is ${value}`,
  allowed: (range) => `Allowed: ${range}`,
  refused: (value) => `The camera refused ${value}`,
  on: 'on',
  off: 'off',
  state: {
    exposure: { searching: 'adjusting …' },
    white_balance: { searching: 'adjusting …' },
    focus: { focused: 'sharp', failed: 'not found', scanning: 'searching …', idle: '' },
  },
  forbidden: 'You may not change this camera any more.',
  none: 'This camera has no controls.',
  away: 'The camera\'s controls do not answer; trying again …',
  heldBack: 'The camera failed after a change: it runs with its defaults once.',
  notKept: 'Changes could not be stored: they hold until the server restarts.',
  misfits: (names) => `Kept, but not for this camera: ${names}`,
  names: {
    ExposureValue: 'Exposure compensation', AeEnable: 'Automatic exposure', ExposureTimeMode: 'Exposure mode', AnalogueGainMode: 'Gain mode',
    ExposureTime: 'Exposure time', AnalogueGain: 'Gain', AeMeteringMode: 'Metering', AeConstraintMode: 'Priority',
    AeExposureMode: 'Exposure programme', AeFlickerMode: 'Flicker avoidance', AeFlickerPeriod: 'Flicker period',
    FrameDurationLimits: 'Frame duration', AwbEnable: 'Automatic white balance', AwbMode: 'Light', ColourGains: 'Colour gains',
    ColourTemperature: 'Colour temperature', AfMode: 'Focus mode', AfRange: 'Focus range', AfSpeed: 'Focus speed', AfMetering: 'Focus area',
    AfWindows: 'Focus windows', AfTrigger: 'Focus trigger', LensPosition: 'Focus distance', ZoomCentre: 'Zoom centre',
    NoiseReductionMode: 'Noise reduction', HdrMode: 'HDR', ScalerCrop: 'Crop', FaceDetectMode: 'Face detection',
    'v4l2.power_line_frequency': 'Mains frequency', 'v4l2.sharpness': 'Sharpness', 'v4l2.hue': 'Hue', 'v4l2.gamma': 'Gamma', 'v4l2.gain': 'Gain',
    'v4l2.backlight_compensation': 'Backlight compensation', 'v4l2.white_balance_automatic': 'Automatic white balance',
    'v4l2.white_balance_temperature': 'Colour temperature', 'v4l2.focus_automatic_continuous': 'Continuous focus',
    'v4l2.focus_absolute': 'Focus', 'v4l2.zoom_absolute': 'Zoom', 'v4l2.pan_absolute': 'Pan', 'v4l2.tilt_absolute': 'Tilt',
    'v4l2.auto_exposure': 'Exposure', 'v4l2.exposure_time_absolute': 'Exposure time', 'v4l2.exposure_dynamic_framerate': 'Slower when dark',
  },
  values: {
    CentreWeighted: 'Centre', HighQuality: 'High quality', MultiExposure: 'Several exposures', SingleExposure: 'One exposure',
    MultiExposureUnmerged: 'Several, unmerged', Tungsten: 'Tungsten', Incandescent: 'Light bulb', 'AfMode.Auto': 'Once', Disabled: 'Off',
    'AeConstraintMode.Shadows': 'Shadows', 'AeConstraintMode.Highlight': 'Highlights',
  },
};

const de = {
  title: 'Einstellungen',
  close: 'Schließen',
  groups: { Image: 'Bild', Exposure: 'Belichtung', Colour: 'Farbe', Focus: 'Fokus', Zoom: 'Zoom' },
  more: 'Mehr',
  keep: 'Automatik festhalten',
  undo: 'Zurück',
  undone: (names) => `Zurückgenommen: ${names}`,
  reset: (name) => `${name} zurücksetzen`,
  resetAll: 'Alles zurücksetzen',
  sure: 'Alle Einstellungen dieser Kamera zurücksetzen? Voreinstellungen bleiben.',
  confirm: 'Zurücksetzen',
  cancel: 'Abbrechen',
  presets: 'Voreinstellungen',
  presetNames: { day: 'Tag', night: 'Nacht' },
  editPresets: 'Voreinstellungen sichern oder löschen',
  presetName: 'Name',
  save: 'Sichern',
  erase: (name) => `${name} löschen`,
  point: 'Ins Bild zeigen',
  points: { view: 'Schieben', zoom: 'Hier zoomen', focus: 'Hier scharf' },
  focusNow: 'Jetzt scharfstellen',
  numberOf: (name) => `${name}, Zahl`,
  parts: { ColourGains: ['Rot', 'Blau'], ZoomCentre: ['Quer', 'Hoch'] },
  locked: (name, value) => `Ohne Wirkung: ${name} ist ${value}`,
  allowed: (range) => `Erlaubt: ${range.replace(' to ', ' bis ')}`,
  refused: (value) => `Die Kamera nahm ${value} nicht an`,
  on: 'an',
  off: 'aus',
  state: {
    exposure: { searching: 'regelt …' },
    white_balance: { searching: 'regelt …' },
    focus: { focused: 'scharf', failed: 'nicht gefunden', scanning: 'sucht …', idle: '' },
  },
  forbidden: 'Sie dürfen diese Kamera nicht mehr einstellen.',
  none: 'Diese Kamera hat keine Einstellungen.',
  away: 'Die Einstellungen der Kamera antworten nicht; neuer Versuch …',
  heldBack: 'Die Kamera versagte nach einer Änderung: sie läuft einmal ohne Einstellungen.',
  notKept: 'Änderungen ließen sich nicht speichern: sie gelten bis zum Neustart.',
  misfits: (names) => `Behalten, aber nicht für diese Kamera: ${names}`,
  names: {
    Brightness: 'Helligkeit', Contrast: 'Kontrast', Saturation: 'Sättigung', Sharpness: 'Schärfe',
    ExposureValue: 'Belichtungskorrektur', AeEnable: 'Automatische Belichtung', ExposureTimeMode: 'Belichtungsmodus', AnalogueGainMode: 'Verstärkungsmodus',
    ExposureTime: 'Belichtungszeit', AnalogueGain: 'Verstärkung', AeMeteringMode: 'Messung', AeConstraintMode: 'Vorrang',
    AeExposureMode: 'Belichtungsprogramm', AeFlickerMode: 'Flimmerschutz', AeFlickerPeriod: 'Flimmerperiode',
    FrameDurationLimits: 'Bilddauer', AwbEnable: 'Automatischer Weißabgleich', AwbMode: 'Licht', ColourGains: 'Farbverstärkung',
    ColourTemperature: 'Farbtemperatur', AfMode: 'Fokusmodus', AfRange: 'Fokusbereich', AfSpeed: 'Fokustempo', AfMetering: 'Fokusfeld',
    AfWindows: 'Fokusfenster', AfTrigger: 'Fokus auslösen', LensPosition: 'Entfernung', ZoomCentre: 'Zoommitte',
    NoiseReductionMode: 'Rauschminderung', HdrMode: 'HDR', ScalerCrop: 'Ausschnitt', FaceDetectMode: 'Gesichtserkennung',
    'v4l2.power_line_frequency': 'Netzfrequenz', 'v4l2.sharpness': 'Schärfe', 'v4l2.hue': 'Farbton', 'v4l2.gamma': 'Gamma', 'v4l2.gain': 'Verstärkung',
    'v4l2.backlight_compensation': 'Gegenlichtausgleich', 'v4l2.white_balance_automatic': 'Automatischer Weißabgleich',
    'v4l2.white_balance_temperature': 'Farbtemperatur', 'v4l2.focus_automatic_continuous': 'Fokus nachführen',
    'v4l2.focus_absolute': 'Fokus', 'v4l2.zoom_absolute': 'Zoom', 'v4l2.pan_absolute': 'Schwenken', 'v4l2.tilt_absolute': 'Neigen',
    'v4l2.auto_exposure': 'Belichtung', 'v4l2.exposure_time_absolute': 'Belichtungszeit', 'v4l2.exposure_dynamic_framerate': 'Langsamer im Dunkeln',
  },
  values: {
    Auto: 'Auto', Manual: 'Manuell', Off: 'Aus', Disabled: 'Aus', Normal: 'Normal', Short: 'Kurz', Long: 'Lang', Custom: 'Eigene', Fast: 'Schnell',
    CentreWeighted: 'Mitte', Spot: 'Punkt', Matrix: 'Matrix', Highlight: 'Lichter', Shadows: 'Schatten', HighQuality: 'Gut', Minimal: 'Wenig',
    Incandescent: 'Glühlampe', Tungsten: 'Halogen', Fluorescent: 'Leuchtstoff', Indoor: 'Innen', Daylight: 'Tageslicht', Cloudy: 'Bewölkt',
    Continuous: 'Stetig', 'AfMode.Auto': 'Einmal', Macro: 'Nah', Full: 'Ganz', Windows: 'Felder', Night: 'Nacht',
    MultiExposure: 'Mehrere Aufnahmen', SingleExposure: 'Eine Aufnahme', MultiExposureUnmerged: 'Mehrere, einzeln',
    'AeConstraintMode.Shadows': 'Schatten', 'AeConstraintMode.Highlight': 'Lichter',
  },
};

export const tables = { en, de };
export const text = tables[language];

const words = (raw) => raw.replace(/^v4l2\./, '').replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
const from = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);
export const nameOf = (name, table = text) => from(table.names, name) ?? (name.startsWith('v4l2.') ? words(name) : name);
export const valueOf = (name, value, table = text) => (
  from(table.values, `${name}.${value}`) ?? from(table.values, value) ?? { true: table.on, false: table.off }[value] ?? String(value));

// "ExposureTimeMode is Auto", "the camera refused 3": the server's sentences about controls, in our words where we have them.
export function sentence(said, table = text) {
  const [, name, value] = /^([\w.]+) is (.*)$/.exec(said) ?? [];
  if (name) return table.locked(nameOf(name, table), valueOf(name, value, table));
  const [, refused] = /^the camera refused (.*)$/.exec(said) ?? [];
  return refused ? table.refused(refused) : said;
}

const number = (value, digits) => value.toLocaleString(language, { maximumFractionDigits: digits });

// A value as people say it: with its unit, and what it means.
export function spoken(name, value) {
  if (Array.isArray(value)) return value.map((one) => number(one, 2)).join(' · ');
  if (typeof value !== 'number') return valueOf(name, value);
  switch (name) {
    case 'ExposureTime': return value < 300000 && value > 0 ? `1/${number(1e6 / value, value > 200000 ? 1 : 0)} s` : `${number(value / 1e6, 2)} s`;
    case 'AeFlickerPeriod': return `${number(value / 1000, 2)} ms`;
    case 'ColourTemperature': case 'v4l2.white_balance_temperature': return `${Math.round(value)} K`;
    case 'AnalogueGain': case 'Zoom': return `× ${number(value, 2)}`;
    case 'LensPosition': return value > 0 ? `${number(value, 2)} dpt (${number(1 / value, value > 1 ? 2 : 1)} m)` : `${number(value, 2)} dpt (∞)`;
    default: return number(value, 2);
  }
}
