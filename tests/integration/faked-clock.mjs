// Another wall clock for the programs of a test, by libfaketime; their monotonic clock stays.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

let library;
export function fakeTimeLibrary() {
  library ??= execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' }).split('\n').find((line) => line.endsWith('/libfaketime.so.1'));
  return library;
}

// `set('+5h')`; `env` is for the programs.
export function fakedClock(folder) {
  const file = path.join(folder, 'clock');
  const set = (offset) => writeFileSync(file, `${offset}\n`);
  set('+0h');
  return {
    set,
    env: {
      LD_PRELOAD: fakeTimeLibrary(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    // What a process that was killed leaves would be in the way of a later one with its id.
    forget(pid) {
      for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) rmSync(path.join('/dev/shm', name), { force: true });
    },
  };
}
