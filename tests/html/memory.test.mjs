// memory.js: what is remembered, for which of an origin's cameras.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page } from './page.mjs';

const page = new Page();
const at = async (href) => {
  page.globals.location.href = href;
  return import(`../../html/memory.js?${href}`);
};

test('each folder has its own; at the root they are called as ever', async () => {
  const root = await at('https://camera.example/stream?x=1');
  const garage = await at('https://camera.example/garage/stream');
  root.remember('rate', '5');
  assert.equal(page.storage.getItem('picam.rate'), '5');
  assert.equal(garage.remembered('rate'), null);
  garage.remember('rate', '1');
  assert.equal(root.remembered('rate'), '5');
  assert.equal(garage.remembered('rate'), '1');
  const stills = await at('https://camera.example/garage/');
  assert.equal(stills.remembered('rate'), '1');
});

test('a browser that keeps nothing is no failure', async () => {
  const { remember, remembered } = await at('https://camera.example/private/');
  const refuse = () => { throw new DOMException('no', 'SecurityError'); };
  Object.assign(page.storage, { getItem: refuse, setItem: refuse });
  remember('rate', '5');
  assert.equal(remembered('rate'), null);
});
