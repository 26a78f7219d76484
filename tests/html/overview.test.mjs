// grid.js: how large the overview's tiles are, for every number of cameras and every room.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gridOf, kGap } from '../../html/grid.js';

const kShapes = [4 / 3, 16 / 9];

describe('gridOf', () => {
  // As the room sees it.
  const rows = (count, { columns }) => Math.ceil(count / columns);
  const wide = ({ columns, width }) => columns * width + (columns - 1) * kGap;
  const high = (count, grid, shape) => rows(count, grid) * grid.width / shape + (rows(count, grid) - 1) * kGap;

  test('all are in view, and no other number of columns makes them larger', () => {
    for (const shape of kShapes) {
      for (const [width, height] of [[1280, 750], [1920, 1030], [1024, 720], [768, 970], [844, 340]]) {
        for (let count = 1; count <= 16; ++count) {
          const grid = gridOf(count, width, height, shape);
          assert.ok(wide(grid) <= width);
          const larger = { width: grid.width + 1 };
          const fits = Array.from({ length: count }, (_, i) => ({ ...larger, columns: i + 1 })).filter((one) => wide(one) <= width && high(count, one, shape) <= height);
          if (grid.scrolls) {
            assert.ok(grid.width >= 220, `${count} in ${width}x${height}: ${grid.width}`);
          } else {
            assert.ok(high(count, grid, shape) <= height, `${count} in ${width}x${height}`);
            assert.deepEqual(fits, [], `${count} in ${width}x${height}`);
          }
        }
      }
    }
  });

  test('squares of cameras are squares on a wide screen', () => {
    for (const [count, columns] of [[1, 1], [4, 2], [9, 3], [16, 4]]) {
      assert.deepEqual([count, gridOf(count, 1280, 750, 16 / 9).columns], [count, columns]);
      assert.equal(gridOf(count, 1280, 750, 16 / 9).scrolls, false);
    }
  });

  test('too small for all: as many beside each other as can be seen well', () => {
    assert.deepEqual(gridOf(16, 844, 340, 4 / 3), { columns: 3, width: 277, scrolls: true });
    assert.equal(gridOf(1, 200, 100, 4 / 3).scrolls, false, 'one is whole, however small');
  });

  test('on an upright phone a column of the whole width', () => {
    for (const count of [1, 3, 16]) assert.deepEqual(gridOf(count, 378, 780, 4 / 3), { columns: 1, width: 378, scrolls: true });
  });

  test('a room of nothing is no error', () => {
    for (const [width, height] of [[0, 0], [-12, 300], [300, -12]]) assert.ok(gridOf(3, width, height, 4 / 3).width >= 1);
  });
});
