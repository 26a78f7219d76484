// What the benchmarks share: rounds, medians, pictures of a wanted length, and the table.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';

const kRounds = 3;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// Each of the named things in turn, three times, so that what changes on the machine changes for all of them.
export async function rounds(things) {
  const results = Object.fromEntries(Object.keys(things).map((name) => [name, []]));
  for (let round = 0; round < kRounds; ++round) {
    for (const [name, thing] of Object.entries(things)) results[name].push(await thing());
  }
  return results;
}

export function row(what, figure, bar) {
  console.log(`| ${what} | ${figure} | ${bar} |`);
}

export function heading() {
  row('what', 'figure', 'bar');
  row('---', '---', '---');
}

// A JPEG of about so many bytes, with the detail of a photograph: the quality is searched.
export function jpegOf(file, size, bytes) {
  let low = 5;
  let high = 100;
  while (high - low > 1) {
    const quality = Math.floor((low + high) / 2);
    execFileSync('convert', ['-size', size, '-seed', '7', 'plasma:', '-sampling-factor', '4:2:0', '-quality', quality, file]);
    if (statSync(file).size > bytes) high = quality;
    else low = quality;
  }
}
