// The benchmarks named on the command line, or all: one table.
import { mkdtempSync, rmSync } from 'node:fs';
import { heading } from './bench.mjs';
import { encode } from './encode.mjs';
import { guard } from './guard.mjs';
import { reach } from './reach.mjs';
import { stills } from './stills.mjs';
import { stream } from './stream.mjs';
import { times } from './times.mjs';
import { video } from './video.mjs';

const all = { encode, stills, guard, stream, times, video, reach };
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(all);
for (const name of names) {
  if (!all[name]) {
    console.error(`there is no benchmark ${name}: ${Object.keys(all).join(', ')}`);
    process.exit(1);
  }
}
heading();
for (const name of names) {
  const folder = mkdtempSync('/dev/shm/picam-bench.');
  try {
    await all[name](folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
