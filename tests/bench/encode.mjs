// Encoding and the store, from Google Benchmark: CPU times of encode_bench, interleaved at random, medians of their
// repetitions, as ratios to the bare TurboJPEG loop over the same picture.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build } from '../integration/harness.mjs';
import { row } from './bench.mjs';

const kBars = { planar: 1.1, 'planar-90': 1.5, nv12: 1.25, 'nv12-90': null, yuyv: null, rgb: null, 'planar-limited': null };

export async function encode() {
  const text = execFileSync(path.join(build, 'tests/bench/encode_bench'), ['--benchmark_format=json',
    '--benchmark_repetitions=9', '--benchmark_enable_random_interleaving=true', '--benchmark_min_time=0.1',
    '--benchmark_report_aggregates_only=true'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 });
  const medians = {};
  for (const result of JSON.parse(text).benchmarks) {
    if (result.aggregate_name === 'median') medians[result.run_name] = result.cpu_time / 1e6; // ms
  }
  for (const [what, bar] of Object.entries(kBars)) {
    const against = what === 'rgb' ? 'rgb' : 'planar';
    const figures = ['640x480', '1280x720', '1920x1080'].map((size) => {
      const ours = medians[`picam/${what}/${size}`];
      return `${(ours / medians[`bare/${against}/${size}`]).toFixed(2)} (${ours.toFixed(2)} ms)`;
    });
    row(`encode ${what}, of the bare loop, VGA / 720p / 1080p`, figures.join(' / '), bar ? `at most ${bar}` : '');
  }
  const us = (name) => `${(medians[name] * 1000).toFixed(1)} µs`;
  row('store, 60 KB: publish / read the newest / a bare copy',
    `${us('store/publish/60000')} / ${us('store/newest/60000')} / ${us('store/copy/60000')}`, '');
}
