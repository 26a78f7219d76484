// What a crowd leaves in a server's memory.
import assert from 'node:assert/strict';
import { residentMegabytes } from '../integration/harness.mjs';

const kFlatMb = 1.0; // what a crowd may add to the memory, in the mean of some: part of it is the allocator's
const kCrowds = 5;

// The process has as much memory after each crowd as before it. How much the crowd itself takes depends on how it falls: two
// come before that is looked at.
export async function staysFlat(pid, crowd) {
  await crowd();
  await crowd();
  const megabytes = [residentMegabytes(pid)];
  const grown = () => (megabytes.at(-1) - megabytes[0]) / (megabytes.length - 1);
  do {
    await crowd();
    megabytes.push(residentMegabytes(pid));
  } while (grown() > kFlatMb && megabytes.length <= kCrowds);
  assert.ok(grown() <= kFlatMb, `${megabytes} MB after each crowd`);
}
