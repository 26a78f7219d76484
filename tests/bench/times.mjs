// How long a person waits, and what picam costs when nobody looks: the pattern source, 640x480 at 30 fps, past nginx
// for the WebSocket's first frame as for the stills.
import { lockIsFree, procFile, residentMegabytes, Site, threads, Viewer, waitFor } from '../integration/harness.mjs';
import { median, row } from './bench.mjs';

const kTimes = 9;
const kIdleSeconds = 10;

async function timed(what) {
  const begun = performance.now();
  await what();
  return performance.now() - begun;
}

const still = (site) => async () => {
  const response = await fetch(`${site.url}/pi.jpg`);
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`a still: ${response.status}`);
};

// Connected to first frame, in ms; then the viewer leaves.
async function firstFrame(site) {
  const viewer = new Viewer(site, { protocols: ['picam.v1'] });
  const took = await timed(() => viewer.waitFrames(1));
  await viewer.close();
  return took;
}

// How often its threads have waited so far.
export function wakeUps(pid) {
  return threads(pid).map((thread) => procFile(pid, `task/${thread}/status`) ?? '')
    .reduce((sum, text) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0);
}


export async function times() {
  const site = await Site.start(['--snapshot.size', '640x480', '--stream.linger', '0s', '--snapshot.linger', '1s']);
  const free = () => waitFor('a free camera lock', () => lockIsFree(site));
  try {
    const cold = [];
    const warm = [];
    const first = [];
    const hand_over = [];
    for (let i = 0; i < kTimes; ++i) {
      await free();
      first.push(await firstFrame(site));
      await free();
      cold.push(await timed(still(site)));
      warm.push(await timed(still(site)));
      hand_over.push(await firstFrame(site)); // the worker lingers
    }
    const ms = (values) => `${median(values).toFixed(1)} ms, at most ${Math.max(...values).toFixed(1)} ms`;
    row('first frame of a stream, the camera being closed', ms(first), 'the camera\'s start + a frame + 50 ms');
    row('… while the snapshot worker has the camera (hand-over)', ms(hand_over), 'at most 50 ms more');
    row('/pi.jpg, the camera being closed / open', `${ms(cold)} / ${ms(warm)}`, '');
    await free();
    for (const program of ['snapshot', 'streamd']) {
      const { pid } = site[program].process;
      const before = wakeUps(pid);
      await new Promise((resolve) => { setTimeout(resolve, kIdleSeconds * 1000); });
      row(`picam-${program === 'snapshot' ? 'snapshot' : 'streamd'} when nobody looks`,
        `${wakeUps(pid) - before} wake-ups in ${kIdleSeconds} s, ${residentMegabytes(pid).toFixed(1)} MB`, '0 wake-ups, 12 MB');
    }
  } finally {
    await site.stop();
  }
}
