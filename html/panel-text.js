// What the panel of controls says, by language. `names` are those of controls, `values` of what they offer, of one control
// alone as "Control.Value". What has none is called as the camera calls it.
import { language } from './text.js';

const en = {
  title: 'Camera controls',
  close: 'Close',
  groups: { Image: 'Image', Exposure: 'Exposure', Colour: 'Colour', Focus: 'Focus', Zoom: 'Zoom' },
  more: 'More',
  keep: 'Keep what auto found',
  undo: 'Undo',
  undone: (names) => `Taken back: ${names}`,
  reset: (name) => `Reset ${name}`,
  resetAll: 'Reset all',
  sure: 'Reset all controls? Presets stay.',
  confirm: 'Reset',
  presets: 'Presets',
  presetNames: { day: 'Day', night: 'Night' },
  editPresets: 'Save or delete presets',
  presetName: 'Name',
  save: 'Save',
  erase: (name) => `Delete ${name}`,
  point: 'Point at the picture (1–9)',
  points: { view: 'Move view', zoom: 'Zoom here', focus: 'Focus here' },
  focusNow: 'Focus now',
  parts: { ColourGains: ['Red', 'Blue'], ZoomCentre: ['Across', 'Down'] },
  locked: (name, value) => `No effect while ${name} is ${value}`,
  allowed: (range) => `Allowed: ${range}`,
  it: 'this',
  refused: (value) => `The camera refused ${value}`,
  on: 'on',
  off: 'off',
  state: { searching: 'adjusting …', focused: 'sharp', failed: 'not sharp', scanning: 'focusing …' },
  forbidden: 'You may not change this camera any more.',
  none: 'This camera has no controls.',
  away: 'The camera\'s controls do not answer; trying again …',
  heldBack: 'The camera failed after a change: it runs with its defaults for now.',
  notKept: 'Changes could not be stored: they hold until the server restarts.',
  misfits: (names) => `Kept, but not for this camera: ${names}`,
  names: {
    ExposureValue: 'Exposure compensation', AeEnable: 'Automatic exposure', ExposureTimeMode: 'Exposure mode', AnalogueGainMode: 'Gain mode',
    AnalogueGain: 'Gain', AeMeteringMode: 'Metering', AeConstraintMode: 'Priority', AeExposureMode: 'Exposure programme',
    AeFlickerMode: 'Flicker avoidance', AeFlickerPeriod: 'Flicker period', AwbEnable: 'Automatic white balance', AwbMode: 'Light',
    AfMode: 'Focus mode', AfRange: 'Focus range', AfSpeed: 'Focus speed', AfMetering: 'Focus area', LensPosition: 'Focus distance',
    NoiseReductionMode: 'Noise reduction', HdrMode: 'HDR', power_line_frequency: 'Mains frequency',
    focus_automatic_continuous: 'Continuous focus', pan_absolute: 'Pan', tilt_absolute: 'Tilt',
    exposure_dynamic_framerate: 'Fewer pictures in the dark',
  },
  values: { CentreWeighted: 'Centre', 'AfMode.Auto': 'Once', Disabled: 'Off', 'Manual Mode': 'Manual', 'Aperture Priority Mode': 'Auto' },
};

const de = {
  title: 'Kamera einstellen',
  close: 'Schließen',
  groups: { Image: 'Bild', Exposure: 'Belichtung', Colour: 'Farbe', Focus: 'Fokus', Zoom: 'Zoom' },
  more: 'Mehr',
  keep: 'Automatik festhalten',
  undo: 'Zurück',
  undone: (names) => `Zurückgenommen: ${names}`,
  reset: (name) => `${name} zurücksetzen`,
  resetAll: 'Alles zurücksetzen',
  sure: 'Alle Einstellungen zurücksetzen? Vorlagen bleiben.',
  confirm: 'Zurücksetzen',
  presets: 'Vorlagen',
  presetNames: { day: 'Tag', night: 'Nacht' },
  editPresets: 'Vorlagen sichern oder löschen',
  presetName: 'Name',
  save: 'Sichern',
  erase: (name) => `${name} löschen`,
  point: 'Ins Bild zeigen (1–9)',
  points: { view: 'Schieben', zoom: 'Hier zoomen', focus: 'Hier scharf' },
  focusNow: 'Jetzt scharfstellen',
  parts: { ColourGains: ['Rot', 'Blau'], ZoomCentre: ['Quer', 'Hoch'] },
  locked: (name, value) => `Ohne Wirkung: ${name} ist ${value}`,
  allowed: (range) => `Erlaubt: ${range.replace(' to ', ' bis ')}`,
  it: 'das',
  refused: (value) => `Die Kamera nahm ${value} nicht an`,
  on: 'an',
  off: 'aus',
  state: { searching: 'regelt …', focused: 'scharf', failed: 'unscharf', scanning: 'sucht …' },
  forbidden: 'Sie dürfen diese Kamera nicht mehr einstellen.',
  none: 'Diese Kamera hat keine Einstellungen.',
  away: 'Die Einstellungen der Kamera antworten nicht; neuer Versuch …',
  heldBack: 'Die Kamera versagte nach einer Änderung: sie läuft vorerst ohne Einstellungen.',
  notKept: 'Änderungen ließen sich nicht speichern: sie gelten bis zum Neustart.',
  misfits: (names) => `Behalten, aber nicht für diese Kamera: ${names}`,
  names: {
    Brightness: 'Helligkeit', Contrast: 'Kontrast', Saturation: 'Sättigung', Sharpness: 'Schärfe',
    ExposureValue: 'Belichtungskorrektur', AeEnable: 'Automatische Belichtung', ExposureTimeMode: 'Belichtungsmodus',
    AnalogueGainMode: 'Verstärkungsmodus', ExposureTime: 'Belichtungszeit', AnalogueGain: 'Verstärkung', AeMeteringMode: 'Messung',
    AeConstraintMode: 'Vorrang', AeExposureMode: 'Programm', AeFlickerMode: 'Flimmerschutz', AeFlickerPeriod: 'Flimmerperiode',
    AwbEnable: 'Automatischer Weißabgleich', AwbMode: 'Licht', ColourGains: 'Farbverstärkung', ColourTemperature: 'Farbtemperatur',
    AfMode: 'Fokusmodus', AfRange: 'Fokusbereich', AfSpeed: 'Fokustempo', AfMetering: 'Fokusfeld',
    LensPosition: 'Entfernung', ZoomCentre: 'Zoommitte', NoiseReductionMode: 'Rauschminderung', HdrMode: 'HDR',
    power_line_frequency: 'Netzfrequenz', hue: 'Farbton',
    backlight_compensation: 'Gegenlichtausgleich', focus_automatic_continuous: 'Fokus nachführen',
    pan_absolute: 'Schwenken', tilt_absolute: 'Neigen', exposure_dynamic_framerate: 'Weniger Bilder im Dunkeln',
  },
  values: {
    Manual: 'Manuell', Off: 'Aus', Disabled: 'Aus', Short: 'Kurz', Long: 'Lang', Custom: 'Eigene', Fast: 'Schnell', CentreWeighted: 'Mitte',
    Spot: 'Punkt', Highlight: 'Lichter', Shadows: 'Schatten', HighQuality: 'Gut', Minimal: 'Wenig', Incandescent: 'Glühlampe',
    Tungsten: 'Halogen', Fluorescent: 'Leuchtstoff', Indoor: 'Innen', Daylight: 'Tageslicht', Cloudy: 'Bewölkt', Continuous: 'Stetig',
    'AfMode.Auto': 'Einmal', Macro: 'Nah', Full: 'Ganz', Windows: 'Felder', Night: 'Nacht', MultiExposure: 'Mehrere Aufnahmen',
    SingleExposure: 'Eine Aufnahme', MultiExposureUnmerged: 'Mehrere, einzeln', 'Manual Mode': 'Manuell', 'Aperture Priority Mode': 'Auto',
  },
};

export const tables = { en, de };
export const text = tables[language];

// V4L2's that libcamera has too; its others are in the tables, without "v4l2.".
const kAliases = {
  brightness: 'Brightness', contrast: 'Contrast', saturation: 'Saturation',
  sharpness: 'Sharpness', gamma: 'Gamma', gain: 'AnalogueGain', white_balance_automatic: 'AwbEnable', white_balance_temperature: 'ColourTemperature',
  auto_exposure: 'ExposureTimeMode', exposure_time_absolute: 'ExposureTime', focus_absolute: 'LensPosition', zoom_absolute: 'Zoom',
};
export const from = (table, name) => (Object.prototype.hasOwnProperty.call(table, name) ? table[name] : undefined);
// "ColourGains", "led1_mode": in words.
const words = (raw) => raw.replaceAll('_', ' ').replace(/([a-z])([A-Z][a-z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`).replace(/^./, (first) => first.toUpperCase());
export function nameOf(name, table = text) {
  const plain = name.replace(/^v4l2\./, '');
  const known = plain === name ? name : from(kAliases, plain) ?? plain;
  return from(table.names, known) ?? words(known);
}
export const valueOf = (name, value, table = text) => (
  from(table.values, `${name}.${value}`) ?? from(table.values, value) ?? { true: table.on, false: table.off }[value] ?? words(String(value)));

// The server's sentences, in our words where we have them.
export function sentence(said, table = text) {
  const [, name, value] = /^([\w.]+) is (.*)$/.exec(said) ?? [];
  if (name) return table.locked(nameOf(name, table), valueOf(name, value, table));
  const [, refused] = /^the camera (?:refused|was too busy for|was unplugged before) (.*?)(?: was set| for the state that it is in)?$/.exec(said) ?? [];
  return refused ? table.refused(refused === 'it' ? table.it : refused) : said;
}

const number = (value, digits) => value.toLocaleString(language, { maximumFractionDigits: digits });

// With its unit, and what it means.
export function spoken(name, value) {
  if (Array.isArray(value)) return value.map((one) => number(one, 2)).join(' · ');
  if (typeof value !== 'number') return valueOf(name, value);
  switch (name) {
    case 'ExposureTime': return value < 300000 && value > 0 ? `1/${number(1e6 / value, value > 200000 ? 1 : 0)} s` : `${number(value / 1e6, 2)} s`;
    case 'AeFlickerPeriod': return `${number(value / 1000, 2)} ms`;
    case 'ColourTemperature': return `${Math.round(value)} K`;
    case 'AnalogueGain': case 'Zoom': return `× ${number(value, 2)}`;
    case 'LensPosition': return value > 0 ? `${number(value, 2)} dpt (${number(1 / value, value > 1 ? 2 : 1)} m)` : `${number(value, 2)} dpt (∞)`;
    default: return number(value, 2);
  }
}
