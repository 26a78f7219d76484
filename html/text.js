// Every sentence of the pages, by language: the browser's first that is here, English else. Another language is
// another table with the same names. `page` replaces the text of the elements with that data-text.
const en = {
  page: {
    still: 'Still', live: 'Live', every: 'Every', rate: 'At most', everyFrame: 'every frame', everyJpeg: 'every frame, JPEG', minute: '1 min',
    pause: 'Pause', figures: 'Figures', save: 'Save', turn: 'Turn', mirror: 'Mirror', fill: 'Fill', fullscreen: 'Full screen', adjust: 'Controls',
    helpControls: 'o opens the camera\'s controls.',
    views: 'Views', cameras: 'Cameras', stillPicture: 'The camera\'s picture', livePicture: 'The camera\'s live picture',
    help: 'Keys: space pauses, s saves, f full screen, r turns, m mirrors, c fills, + and - zoom, 0 shows all, arrows move.',
  },
  pause: 'Pause',
  resume: 'Resume',
  paused: 'Paused.',
  offline: 'This device is offline.',
  connecting: 'Connecting …',
  starting: 'The camera is starting …',
  unavailable: (reason) => `The camera is not available: ${reason}.`,
  lost: 'The connection was lost; trying again …',
  frozen: 'The picture stood still; connecting again …',
  noServer: 'The server does not answer; trying again …',
  fallbackMultipart: 'WebSockets do not get through here: showing the plain stream.',
  fallbackStills: 'The stream does not get through here: showing stills.',
  noVideo: 'This browser cannot decode the video: showing JPEGs.',
  states: { idle: 'Idle', starting: 'Starting', streaming: 'Live' },
  captured: (time, age) => `Taken at ${time}, ${age} ago`,
  live: (time) => `Live, ${time}`,
  seconds: (value) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`),
  figures: (f) => `${f.fps.toFixed(1)} fps · delay ${f.delay} · ${(f.bytes / 1e6 * 8).toFixed(1)} Mbit/s · ${f.codec} · ${f.skipped} skipped`,
  unknown: '–',
};

const comma = (value, digits) => value.toFixed(digits).replace('.', ',');
const de = {
  page: {
    still: 'Standbild', live: 'Live', every: 'Alle', rate: 'Höchstens', everyFrame: 'jedes Bild', everyJpeg: 'jedes Bild, JPEG', minute: '1 min',
    pause: 'Pause', figures: 'Werte', save: 'Sichern', turn: 'Drehen', mirror: 'Spiegeln', fill: 'Füllen', fullscreen: 'Vollbild', adjust: 'Einstellen',
    helpControls: 'o öffnet die Einstellungen der Kamera.',
    views: 'Ansichten', cameras: 'Kameras', stillPicture: 'Das Bild der Kamera', livePicture: 'Das Livebild der Kamera',
    help: 'Tasten: Leertaste hält an, s sichert, f Vollbild, r dreht, m spiegelt, c füllt, + und - zoomen, 0 zeigt alles, Pfeile verschieben.',
  },
  pause: 'Pause',
  resume: 'Weiter',
  paused: 'Angehalten.',
  offline: 'Dieses Gerät ist offline.',
  connecting: 'Verbinde …',
  starting: 'Die Kamera startet …',
  unavailable: (reason) => `Die Kamera ist nicht verfügbar: ${reason}.`,
  lost: 'Die Verbindung ist abgerissen; neuer Versuch …',
  frozen: 'Das Bild stand still; neue Verbindung …',
  noServer: 'Der Server antwortet nicht; neuer Versuch …',
  fallbackMultipart: 'WebSockets kommen hier nicht durch: einfacher Stream.',
  fallbackStills: 'Der Stream kommt hier nicht durch: Standbilder.',
  noVideo: 'Dieser Browser kann das Video nicht dekodieren: JPEGs.',
  states: { idle: 'Bereit', starting: 'Startet', streaming: 'Live' },
  captured: (time, age) => `Aufgenommen um ${time}, vor ${age}`,
  live: (time) => `Live, ${time}`,
  seconds: (value) => (value < 10 ? `${comma(value, 1)} s` : `${Math.round(value)} s`),
  figures: (f) => `${comma(f.fps, 1)} Bilder/s · Verzögerung ${f.delay} · ${comma(f.bytes / 1e6 * 8, 1)} Mbit/s · ${f.codec} · ${f.skipped} ausgelassen`,
  unknown: '–',
};

export const tables = { en, de };
export const languageOf = (tags) => tags.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => Object.hasOwn(tables, tag)) ?? 'en';
export const language = languageOf(navigator.languages);
export const text = tables[language];

// What stands in the HTML is English, for browsers without scripts.
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text.page[element.dataset.text];
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute(element.tagName === 'IMG' ? 'alt' : 'aria-label', text.page[element.dataset.label]);
  }
}
