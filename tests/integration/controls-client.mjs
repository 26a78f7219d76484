// What tests of the controls have in common: requests to picam-streamd's own socket as an operator, and what is to be seen
// in the test pattern's pictures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { slowness, waitFor } from './harness.mjs';

export const kJson = { 'Content-Type': 'application/json', 'If-Match': '*' };

export class Controls {
  // Past nginx, as `user`, unless `role` says otherwise.
  constructor(site, { instance = 'pi', user = 'picam', role = 'operator' } = {}) {
    Object.assign(this, { site, instance, user, role });
  }

  // {status, headers, text, json}
  request(method, target, { headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
      http.request({
        socketPath: path.join(this.site.run, `${this.instance}.http.sock`),
        method,
        path: target,
        agent: false,
        headers: { Host: 'localhost', 'X-Picam-User': this.user, 'X-Picam-Role': this.role, ...headers },
      }, (response) => {
        const parts = [];
        response.on('data', (data) => parts.push(data));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          let json = null;
          try { json = JSON.parse(text); } catch { /* it is text */ }
          resolve({ status: response.statusCode, headers: response.headers, text, json });
        });
      }).on('error', reject).end(body);
    });
  }

  async get() {
    const answer = await this.request('GET', '/controls');
    assert.equal(answer.status, 200, answer.text);
    return { etag: answer.headers.etag, ...answer.json };
  }

  // Waits where there are too many.
  async send(method, target, body, headers = {}) {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    for (;;) {
      const answer = await this.request(method, target, { headers: { ...kJson, 'Content-Length': Buffer.byteLength(text), ...headers }, body: text });
      if (answer.status !== 429) return answer;
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }

  tryPatch(body, headers) { return this.send('PATCH', '/controls', body, headers); }

  // The document.
  async patch(body, headers) {
    const answer = await this.tryPatch(body, headers);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  async reset() {
    const answer = await this.send('POST', '/controls/reset', {});
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  // The document, when the condition holds of it.
  until(what, condition) {
    return waitFor(what, async () => {
      const document = await this.get();
      return condition(document) && document;
    });
  }
}

// A picture: {width, height, channels, at(x, y)}, places as fractions from the top left.
export function pixelsOf(jpeg, { grey = false, scale = '1/8' } = {}) {
  const djpeg = spawnSync('djpeg', ['-scale', scale, '-pnm', ...(grey ? ['-grayscale'] : [])], { input: jpeg, maxBuffer: 1 << 26 });
  assert.equal(djpeg.status, 0, `${djpeg.stderr}`);
  const [head, kind, width, height] = /^P([56])\s+(\d+)\s+(\d+)\s+255\s/.exec(djpeg.stdout.toString('latin1', 0, 40));
  const channels = kind === '6' ? 3 : 1;
  const data = djpeg.stdout.subarray(head.length);
  const [w, h] = [Number(width), Number(height)];
  return {
    width: w,
    height: h,
    at(x, y) {
      const at = (Math.min(h - 1, Math.floor(y * h)) * w + Math.min(w - 1, Math.floor(x * w))) * channels;
      return channels === 1 ? data[at] : [...data.subarray(at, at + channels)];
    },
  };
}

// Without contrast the pattern is grey, and as bright as the brightness says: the luma of a place that is nothing else.
export const lumaOf = (jpeg) => pixelsOf(jpeg, { grey: true }).at(0.1, 0.1);
export const lumaAt = (brightness) => Math.max(0, Math.min(255, 128 * (1 + brightness)));
export const isLuma = (luma, expected) => Math.abs(luma - expected) <= 4;

// Its luma and chroma, where it has no contrast and no saturation.
export function ycc(jpeg) {
  const [r, g, b] = pixelsOf(jpeg).at(0.1, 0.1);
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  return { y, u: 128 + (b - y) * 0.5643, v: 128 + (r - y) * 0.7133 };
}

// Levels of brightness that are told apart in pixels, one after the other; what level n is called again is n + kLevels.
export const kLevels = 16;
export const levelAt = (n) => Math.round((-0.75 + 0.1 * (n % kLevels)) * 100) / 100;
// The index, modulo kLevels, of the level of a picture; null where it is none.
export function levelOf(jpeg) {
  const luma = lumaOf(jpeg);
  const found = Array.from({ length: kLevels }, (_, n) => n).filter((n) => isLuma(luma, lumaAt(levelAt(n))));
  return found.length === 1 ? found[0] : null;
}

export async function pictureOf(site, headers = {}) {
  const begun = Date.now();
  const response = await fetch(`${site.url}/pi.jpg`, { headers, cache: 'no-store' });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, bytes, etag: response.headers.get('etag'), source: response.headers.get('x-picam-source'), tookMs: Date.now() - begun, slower: slowness(begun) };
}

export const matches = (text, pattern) => [...text.matchAll(new RegExp(pattern, 'g'))].length;
