// How the panel of controls lies beside the picture, and whether everybody can use it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { waitFor } from '../integration/harness.mjs';

const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// What overlaps, is cut off, too small for a thumb or beyond the screen.
export const layoutFaults = (page) => page.evaluate(() => {
  const wrong = [];
  const box = (element) => element.getBoundingClientRect();
  const meet = (one, other) => one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1;
  const stage = box(document.getElementById('stage'));
  const aside = document.getElementById('controls');
  if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight) wrong.push('the page scrolls');
  if (meet(stage, box(aside))) wrong.push('over the picture');
  if (box(aside).bottom > innerHeight + 1 || box(aside).right > innerWidth + 1) wrong.push('beyond the screen');
  if (stage.height < 0.45 * innerHeight) wrong.push(`picture ${stage.height}`);
  const body = aside.querySelector('.body');
  if (body.scrollWidth > body.clientWidth) {
    const edge = box(body).left + body.clientWidth + 0.5;
    wrong.push(`the panel scrolls sideways: ${[...body.querySelectorAll('*')].filter((e) => box(e).right > edge).map((e) => e.dataset.name ?? e.id ?? e.tagName).join(' ')}`);
  }
  for (const e of aside.querySelectorAll('button, select, summary, input:not([type=radio]), .choice label')) {
    if (e.offsetHeight && e.offsetHeight < 40) wrong.push(`${e.id || e.className || e.textContent}: ${e.offsetHeight}`);
  }
  for (const e of aside.querySelectorAll('label, .label, .choice span, button, legend, .live')) {
    if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && !e.closest('.unseen')) wrong.push(`cut off: ${e.textContent}`);
  }
  for (const row of aside.querySelectorAll('.control')) {
    const parts = [...row.children].filter((e) => e.offsetHeight && !e.matches('[type=range]'));
    parts.forEach((one, i) => parts.slice(i + 1).forEach((other) => { if (meet(box(one), box(other))) wrong.push(`${row.dataset.name}: ${one.className || one.tagName} over ${other.className || other.tagName}`); }));
  }
  return wrong;
});

// What axe-core calls serious or critical.
export async function seriousFaults(page) {
  await page.evaluate(kAxe);
  const found = await page.evaluate(async () => (await window.axe.run()).violations
    .map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 300)}`));
  return found.filter((line) => /^(serious|critical)/.test(line));
}

// How a camera's page lies: what is beyond the screen, over something that it may not be over, or too small for a thumb.
export const pageFaults = (page) => page.evaluate(() => {
  const wrong = [];
  const seen = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.getClientRects().length > 0);
  const box = (element) => element.getBoundingClientRect();
  const meet = (one, other) => one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1;
  const called = (e) => e.id || e.className || e.tagName;
  if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight) wrong.push('the page scrolls');
  const [scene] = seen('#scene').map(box);
  for (const e of seen('h1, #caption, #notice, #bar nav, .pace, .tools, .menu, .panel')) {
    const { left, top, right, bottom } = box(e);
    if (left < -0.5 || top < -0.5 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5) wrong.push(`${called(e)}: beyond the screen`);
    if (e.scrollWidth > e.clientWidth + 1 && !e.matches('h1, .panel')) wrong.push(`${called(e)}: cut off`);
  }
  for (const e of seen('.panel')) if (meet(scene, box(e))) wrong.push(`${called(e)}: over the picture`);
  if (seen('.panel').length > 1) wrong.push('two panels');
  // What lies over the picture, beside one another. A menu is over the bar while it is open.
  const parts = seen('h1, #caption, #notice, #bar nav, .pace, .tools');
  parts.forEach((one, i) => parts.slice(i + 1).forEach((other) => { if (meet(box(one), box(other))) wrong.push(`${called(one)} over ${called(other)}`); }));
  for (const e of seen('#scene button, #scene select, nav a, .panel .close')) if (e.offsetHeight < 44 || e.offsetWidth < 44) wrong.push(`${called(e)}: ${e.offsetWidth} x ${e.offsetHeight}`);
  // Without a panel the picture has all of the screen.
  const stage = box(document.getElementById('stage'));
  if (!seen('.panel').length && (stage.width !== innerWidth || stage.height !== innerHeight)) wrong.push(`the stage: ${stage.width} x ${stage.height}`);
  return wrong;
});
export async function waitLiesWell(page, what) {
  let wrong;
  await waitFor(`it to lie well ${what}`, async () => (wrong = await pageFaults(page)).length === 0).catch((error) => { throw new Error(`${error.message}: ${wrong}`, { cause: error }); });
}
