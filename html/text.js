// Every sentence of the pages, by language: the browser's first that is here, English else. Another language is
// another table with the same names. `page` replaces the text of the elements with that data-text.
const clockTime = (date) => date.toLocaleTimeString(undefined, { hour12: false });

const en = {
  page: {
    still: 'Stills', live: 'Live', every: 'A still every', rate: 'Frame rate', everyFrame: 'every frame', everyJpeg: 'every frame, JPEG',
    pause: 'Pause', charts: 'Figures', save: 'Save', view: 'View', fullscreen: 'Full screen', adjust: 'Controls',
    turn: 'Turn', mirror: 'Mirror', fill: 'Fill', closer: 'Closer', farther: 'Farther', whole: 'All of it',
    views: 'Views', cameras: 'Cameras', stillPicture: 'The camera\'s picture', livePicture: 'The camera\'s live picture',
    help: 'Keys: space pauses, s saves, f full screen, r turns, m mirrors, c fills, + and - zoom, 0 shows all, arrows move, i shows figures, o the camera\'s controls.',
    close: 'Close', next: 'Next camera', previous: 'Previous camera', wall: 'Wall',
  },
  paused: 'Paused.',
  offline: 'This device is offline. The picture comes back with the network; is Wi-Fi on?',
  connecting: 'Connecting …',
  starting: 'The camera is starting …',
  unavailable: (reason) => `The camera is not available: ${reason}.`,
  comesBack: 'The picture comes back as soon as it is.',
  lost: 'The connection was lost; trying again every few seconds …',
  frozen: 'The picture stood still; connecting again …',
  noServer: 'The server does not answer; trying again every few seconds …',
  goesOn: (why) => `${why} It is tried again every few seconds.`,
  password: 'The password is not right any more. The picture comes back when you sign in.',
  slow: 'The network is slow: only a few pictures a second get through.',
  remedies: { retry: 'Try now', signIn: 'Sign in', stills: 'Show stills', details: 'Details' },
  fallbackMultipart: 'WebSockets do not get through here: showing the plain stream.',
  fallbackStills: 'The stream does not get through here: showing stills.',
  noVideo: 'This browser cannot decode the video: showing JPEGs.',
  states: { idle: 'Idle', starting: 'Starting', streaming: 'Live' },
  captured: (date, age) => `Taken at ${clockTime(date)}, ${age} ago`,
  live: (date) => `Live, ${clockTime(date)}`,
  seconds: (value) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`),
  every: (seconds) => (seconds < 60 ? `${seconds} s` : `${seconds / 60} min`),
  figures: (f) => `${f.fps.toFixed(1)} fps · delay ${f.delay} · ${(f.bytes / 1e6 * 8).toFixed(1)} Mbit/s · ${f.codec} · ${f.skipped} skipped`,
  unknown: '–',
};

const comma = (value, digits) => value.toFixed(digits).replace('.', ',');
const de = {
  page: {
    still: 'Standbilder', live: 'Live', every: 'Ein Standbild alle', rate: 'Bildrate', everyFrame: 'jedes Bild', everyJpeg: 'jedes Bild, JPEG',
    pause: 'Pause', charts: 'Werte', save: 'Sichern', view: 'Ansicht', fullscreen: 'Vollbild', adjust: 'Einstellen',
    turn: 'Drehen', mirror: 'Spiegeln', fill: 'Füllen', closer: 'Näher', farther: 'Weiter weg', whole: 'Alles',
    views: 'Ansichten', cameras: 'Kameras', stillPicture: 'Das Bild der Kamera', livePicture: 'Das Livebild der Kamera',
    help: 'Tasten: Leertaste hält an, s sichert, f Vollbild, r dreht, m spiegelt, c füllt, + und - zoomen, 0 zeigt alles, Pfeile verschieben, i zeigt Werte, o die Einstellungen der Kamera.',
    close: 'Schließen', next: 'Nächste Kamera', previous: 'Vorige Kamera', wall: 'Wandanzeige',
  },
  paused: 'Angehalten.',
  offline: 'Dieses Gerät ist offline. Das Bild kommt mit dem Netz wieder; ist das WLAN an?',
  connecting: 'Verbinde …',
  starting: 'Die Kamera startet …',
  unavailable: (reason) => `Die Kamera ist nicht verfügbar: ${reason}.`,
  comesBack: 'Das Bild kommt wieder, sobald sie da ist.',
  lost: 'Die Verbindung ist abgerissen; neuer Versuch alle paar Sekunden …',
  frozen: 'Das Bild stand still; neue Verbindung …',
  noServer: 'Der Server antwortet nicht; neuer Versuch alle paar Sekunden …',
  goesOn: (why) => `${why} Neuer Versuch alle paar Sekunden.`,
  password: 'Das Passwort gilt nicht mehr. Das Bild kommt wieder, wenn Sie sich anmelden.',
  slow: 'Das Netz ist langsam: Nur wenige Bilder je Sekunde kommen durch.',
  remedies: { retry: 'Jetzt versuchen', signIn: 'Anmelden', stills: 'Standbilder zeigen', details: 'Einzelheiten' },
  fallbackMultipart: 'WebSockets kommen hier nicht durch: einfacher Stream.',
  fallbackStills: 'Der Stream kommt hier nicht durch: Standbilder.',
  noVideo: 'Dieser Browser kann das Video nicht dekodieren: JPEGs.',
  states: { idle: 'Bereit', starting: 'Startet', streaming: 'Live' },
  captured: (date, age) => `Aufgenommen um ${clockTime(date)}, vor ${age}`,
  live: (date) => `Live, ${clockTime(date)}`,
  seconds: (value) => (value < 10 ? `${comma(value, 1)} s` : `${Math.round(value)} s`),
  every: (seconds) => (seconds < 60 ? `${String(seconds).replace('.', ',')} s` : `${seconds / 60} min`),
  figures: (f) => `${comma(f.fps, 1)} Bilder/s · Verzögerung ${f.delay} · ${comma(f.bytes / 1e6 * 8, 1)} Mbit/s · ${f.codec} · ${f.skipped} ausgelassen`,
  unknown: '–',
};

export const tables = { en, de };
export const languageOf = (tags) => tags.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => Object.keys(tables).includes(tag)) ?? 'en';
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
