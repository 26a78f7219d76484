// text.js: both languages say the same things, the pages' own English among them. And what goes with the pages' files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Page } from './page.mjs';

new Page();
const html = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../html');
const { languageOf, tables, text } = await import('../../html/text.js');
const panel = await import('../../html/panel-text.js');
const read = (name) => readFileSync(path.join(html, name), 'utf8');

describe('the tables', () => {
  const shape = (table) => Object.entries(table).sort().map(([name, value]) => (
    typeof value === 'object' ? [name, shape(value)] : [name, typeof value, value.length && typeof value === 'function' ? value.length : 0]));

  test('every language has the same names, and functions of as many arguments', () => {
    for (const [language, table] of Object.entries(tables)) assert.deepEqual(shape(table), shape(tables.en), language);
  });

  test('no sentence is empty, and one from values has them all', () => {
    for (const [language, table] of Object.entries(tables)) {
      for (const sentence of Object.values({ ...table, ...table.page })) if (typeof sentence === 'string') assert.notEqual(sentence, '', language);
      assert.ok(table.unavailable('REASON').includes('REASON'));
      const noon = new Date(2026, 0, 1, 12, 0, 0);
      assert.match(table.live(noon), /12:00:00/);
      assert.match(table.captured(noon, '3 s'), /12:00:00.*3 s/);
      assert.ok(table.goesOn('REASON').startsWith('REASON'));
      assert.match(table.figures({ fps: 29.96, delay: '7 ms', bytes: 1e6, skipped: 5, codec: 'JPEG' }), /^30[.,]0 .* 7 ms · 8[.,]0 Mbit\/s · JPEG · 5 /);
    }
  });

  test('seconds: a digit after the point below ten', () => {
    assert.deepEqual([0, 1.24, 9.9, 10.4, 75].map(tables.en.seconds), ['0.0 s', '1.2 s', '9.9 s', '10 s', '75 s']);
    assert.deepEqual([1.24, 10.4].map(tables.de.seconds), ['1,2 s', '10 s']);
  });

  test('the language is the first that is here, English else', () => {
    assert.equal(languageOf(['fr', 'de-AT', 'en']), 'de');
    assert.equal(languageOf(['EN-us', 'de']), 'en');
    assert.equal(languageOf(['fr', 'constructor']), 'en');
    assert.equal(languageOf([]), 'en');
    assert.equal(text, tables.en);
  });

  test('what the pages say without scripts is the English table, and nothing in it is spare', () => {
    let sources = '';
    for (const page of readdirSync(html).filter((name) => name.endsWith('.html'))) {
      sources += read(page);
      for (const [, name, said] of read(page).matchAll(/data-text="(\w+)"[^>]*>([^<]*)</g)) assert.equal(said, tables.en.page[name], `${name} in ${page}`);
      for (const [tag, name] of read(page).matchAll(/<[^>]*data-label="(\w+)"[^>]*>/g)) {
        assert.equal(/(?:alt|aria-label)="([^"]*)"/.exec(tag)[1], tables.en.page[name], `${name} in ${page}`);
      }
    }
    for (const name of readdirSync(html)) if (name.endsWith('.js') && name !== 'text.js') sources += read(name);
    for (const name of [...Object.keys(tables.en), ...Object.keys(tables.en.page), ...Object.keys(tables.en.remedies)]) assert.match(sources, new RegExp(`\\b${name}\\b`), name);
  });
});

describe('the panel\'s tables', () => {
  // libcamera's names, as the server offers them, and what V4L2 alone has.
  const kNames = `Brightness Contrast Saturation Sharpness Gamma ExposureValue AeEnable ExposureTimeMode AnalogueGainMode ExposureTime AnalogueGain
    AeMeteringMode AeConstraintMode AeExposureMode AeFlickerMode AeFlickerPeriod AwbEnable AwbMode ColourGains ColourTemperature AfMode AfRange AfSpeed
    AfMetering LensPosition Zoom ZoomCentre NoiseReductionMode HdrMode v4l2.power_line_frequency v4l2.backlight_compensation
    v4l2.white_balance_automatic v4l2.white_balance_temperature v4l2.focus_absolute v4l2.sharpness v4l2.zoom_absolute
    v4l2.brightness v4l2.contrast v4l2.saturation v4l2.pan_absolute v4l2.tilt_absolute v4l2.exposure_dynamic_framerate`.split(/\s+/);
  const kSame = ['Gamma', 'Zoom', 'HdrMode', 'v4l2.zoom_absolute']; // in every language
  const shape = ({ names, values, ...rest }) => JSON.stringify(rest, (key, value) => (typeof value === 'function' ? value.length : value && typeof value === 'object' ? value : 'said'));

  test('every language has the same sentences', () => {
    assert.equal(shape(panel.tables.de), shape(panel.tables.en));
  });

  test('controls and values have names for people in both', () => {
    for (const name of kNames) {
      const [en, de] = ['en', 'de'].map((language) => panel.nameOf(name, panel.tables[language]));
      assert.ok(!/v4l2|[a-z][A-Z]|_/.test(`${en} ${de}`), `${en}, ${de}`);
      if (!kSame.includes(name)) assert.notEqual(en, de);
    }
    for (const kind of ['names', 'values']) for (const name of Object.keys(panel.tables.en[kind])) assert.ok(Object.hasOwn(panel.tables.de[kind], name), name);
    assert.equal(panel.nameOf('v4l2.led1_mode'), 'Led1 mode');
    assert.equal(panel.nameOf('constructor'), 'Constructor');
    assert.equal(panel.nameOf('v4l2.white_balance_temperature', panel.tables.de), 'Farbtemperatur');
    assert.equal(panel.valueOf('AfMode', 'Auto', panel.tables.de), 'Einmal');
    assert.equal(panel.valueOf('AwbMode', 'Auto', panel.tables.de), 'Auto');
    assert.equal(panel.valueOf('v4l2.power_line_frequency', '50 Hz'), '50 Hz');
    assert.equal(panel.valueOf('v4l2.auto_exposure', 'Manual Mode', panel.tables.de), 'Manuell');
    assert.equal(panel.valueOf('v4l2.auto_exposure', 'Aperture Priority Mode'), 'Auto');
  });

  test('the server\'s sentences about controls', () => {
    const { en, de } = panel.tables;
    assert.equal(panel.sentence('ExposureTimeMode is Auto', en), 'No effect while Exposure mode is Auto');
    assert.equal(panel.sentence('AwbEnable is true', de), 'Ohne Wirkung: Automatischer Weißabgleich ist an');
    assert.equal(panel.sentence('v4l2.auto_exposure is Auto', de), 'Ohne Wirkung: Belichtungsmodus ist Auto');
    assert.equal(panel.sentence('the camera refused 3', de), 'Die Kamera nahm 3 nicht an');
    assert.equal(panel.sentence('something else', de), 'something else');
    // All that say why a value is not in force, as the sources have it.
    const sources = ['camera/libcamera_session', 'camera/pattern_controls', 'controls/v4l2_controls'].map((name) => readFileSync(path.join(html, `../core/${name}.cpp`), 'utf8')).join('');
    const sentences = sources.match(/(?<=")the camera (refuse|was )[^"]*(?=")/g);
    assert.ok(sentences.length >= 6, sentences.join());
    for (const one of sentences) assert.match(panel.sentence(one.replace('{}', '3').replace(/refused $/, 'refused 3'), de), /^Die Kamera nahm (3|das) nicht an$/);
  });

  test('values as people say them', () => {
    const said = [['ExposureTime', 33333, '1/30 s'], ['ExposureTime', 250000, '1/4 s'], ['ExposureTime', 500000, '0.5 s'], ['AnalogueGain', 2, '× 2'], ['ColourTemperature', 5600.4, '5600 K'],
      ['LensPosition', 2, '2 dpt (0.5 m)'], ['LensPosition', 0, '0 dpt (∞)'], ['ColourGains', [1.8, 1.5], '1.8 · 1.5'], ['Brightness', 0.123, '0.12'], ['AwbEnable', true, 'on']];
    for (const [name, value, words] of said) assert.equal(panel.spoken(name, value), words);
  });
});

describe('the pages\' files', () => {
  const modules = readdirSync(html).filter((name) => name.endsWith('.js') && name !== 'service-worker.js');

  test('the service worker keeps all that the pages load', () => {
    const [, list] = /kShell = \[([^\]]*)\]/.exec(read('service-worker.js'));
    const kept = [...list.matchAll(/'([^']*)'/g)].map(([, target]) => target);
    for (const name of [...modules, 'picam.css', 'overview.css', 'icon.svg', 'manifest.webmanifest']) assert.ok(kept.includes(name), name);
    for (const target of kept) if (/\w\./.test(target)) assert.ok(statSync(path.join(html, target)).isFile(), target);
  });

  test('they are small, as nginx sends them: 36 KB until the live picture, and 100 KB for all pages with all that is loaded later', () => {
    const size = (name) => gzipSync(readFileSync(path.join(html, name)), { level: 1 }).length;
    // Modules with all that they import at once.
    const whole = (...names) => {
      const all = new Set(names);
      for (const name of all) for (const [, imported] of read(name).matchAll(/^import .* from '\.\/([\w.-]+)';$/gm)) all.add(imported);
      return all;
    };
    // Asked for together with the page, and not one after another; a still waits for nothing of the live picture.
    const needed = { 'index.html': whole('page.js'), 'stream.html': whole('page.js', 'live.js') };
    for (const [name, loaded] of Object.entries(needed)) {
      const preloaded = [...read(name).matchAll(/<link rel="modulepreload" href="([\w.-]+)">/g)].map(([, href]) => href);
      assert.deepEqual(preloaded.sort(), [...loaded].filter((one) => one !== 'page.js').sort(), name);
    }
    assert.ok(needed['stream.html'].has('draw-video.js') && needed['index.html'].has('text.js') && !needed['index.html'].has('painter.js'));
    const first = new Set(['stream.html', 'picam.css', 'painter-worker.js', ...needed['stream.html']]);
    assert.ok(!first.has('panel.js'));
    const sum = (names) => [...names].reduce((total, name) => total + size(name), 0);
    assert.ok(sum(first) <= 36 * 1024, `${sum(first)}`);
    assert.ok(sum(readdirSync(html)) <= 100 * 1024, `${sum(readdirSync(html))}`);
  });
});
