// What the panel of figures says, by language. Of each chart: name, unit, what it means, unit of a single second.
import { language } from './text.js';

const en = {
  title: 'Figures',
  close: 'Close',
  start: '2 min',
  now: 'now',
  ago: (seconds) => `${seconds} s ago`,
  spoken: (name, now, least, most) => `${name}: now ${now}, least ${least}, most ${most} over two minutes`,
  counted: (name, sum, most) => `${name}: ${sum} in two minutes, at most ${most} in one second`,
  nothing: (name) => `${name}: no values yet`,
  stills: (every, age) => [every && `A still every ${every} s`, age && `taken ${age} ago`].filter(Boolean).join(' · '),
  onlyLive: 'The charts are of the live picture.',
  charts: {
    delay: ['Delay', 'ms', 'From the camera\'s exposure to your screen. Above 300 ms the network or this device is slow.'],
    fps: ['Frame rate', 'fps', 'Pictures shown in a second. Fewer than the camera takes: a slow network or device.'],
    bitrate: ['Bitrate', 'Mbit/s', 'What the picture takes of your network. Movement and fine detail need more.'],
    skipped: ['Skipped', 'in 2 min', 'Pictures left out because a newer one was there already. Many of them: this device is slow.', 'in 1 s'],
  },
  operators: 'For operators',
  away: 'The server does not answer; trying again …',
  groups: { viewers: 'Viewers', camera: 'Camera', encoders: 'H.264 encoders', faults: 'Last faults' },
  rows: { paused: 'Paused', refused: 'Turned away', state: 'State', reason: 'Reason', source: 'Source', picture: 'Picture', starts: 'Starts', failures: 'Failures' },
  states: { idle: 'Idle', starting: 'Starting', streaming: 'Live', unavailable: 'Not available' },
  since: (state, time) => `${state} for ${time}`,
  days: (count) => `${count} days`,
  encoder: (ms, viewers) => `${ms} ms a frame · ${viewers} viewer${viewers === 1 ? '' : 's'}`,
  none: 'None',
};

const de = {
  title: 'Werte',
  close: 'Schließen',
  start: '2 min',
  now: 'jetzt',
  ago: (seconds) => `vor ${seconds} s`,
  spoken: (name, now, least, most) => `${name}: jetzt ${now}, mindestens ${least}, höchstens ${most} in zwei Minuten`,
  counted: (name, sum, most) => `${name}: ${sum} in zwei Minuten, höchstens ${most} in einer Sekunde`,
  nothing: (name) => `${name}: noch keine Werte`,
  stills: (every, age) => [every && `Ein Standbild alle ${every} s`, age && `vor ${age} aufgenommen`].filter(Boolean).join(' · '),
  onlyLive: 'Die Kurven zeigen das Livebild.',
  charts: {
    delay: ['Verzögerung', 'ms', 'Von der Belichtung bis auf Ihren Bildschirm. Über 300 ms ist das Netz oder dieses Gerät langsam.'],
    fps: ['Bildrate', 'Bilder/s', 'Je Sekunde gezeigte Bilder. Weniger, als die Kamera aufnimmt: Netz oder Gerät ist langsam.'],
    bitrate: ['Bitrate', 'Mbit/s', 'Was das Bild vom Netz braucht. Bewegung und feine Einzelheiten brauchen mehr.'],
    skipped: ['Ausgelassen', 'in 2 min', 'Nicht gezeigte Bilder, weil schon ein neueres da war. Viele davon: dieses Gerät ist langsam.', 'in 1 s'],
  },
  operators: 'Für Betreiber',
  away: 'Der Server antwortet nicht; neuer Versuch …',
  groups: { viewers: 'Zuschauer', camera: 'Kamera', encoders: 'H.264-Encoder', faults: 'Letzte Störungen' },
  rows: { paused: 'Angehalten', refused: 'Abgewiesen', state: 'Zustand', reason: 'Grund', source: 'Quelle', picture: 'Bild', starts: 'Starts', failures: 'Ausfälle' },
  states: { idle: 'Bereit', starting: 'Startet', streaming: 'Live', unavailable: 'Nicht verfügbar' },
  since: (state, time) => `${state} seit ${time}`,
  days: (count) => `${count} Tagen`,
  encoder: (ms, viewers) => `${ms} ms je Bild · ${viewers} Zuschauer`,
  none: 'Keine',
};

export const tables = { en, de };
export const text = tables[language];
