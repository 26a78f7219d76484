// How large the overview's tiles are, all of one shape: its width by its height.
export const kGap = 6; // px between two tiles, and around all
const kMinWidth = 220; // px, of a tile in which something can be seen

// {columns, width, scrolls} for `count` tiles in a room, px: as large as they can be with all in view. Where that is too
// small, as many beside each other as are not, and the rest is scrolled to; on an upright phone a column.
export function gridOf(count, width, height, shape) {
  const across = (columns) => Math.floor((width - kGap * (columns - 1)) / columns);
  const down = (rows) => Math.floor((height - kGap * (rows - 1)) / rows * shape);
  const most = Math.max(1, Math.floor((width + kGap) / (kMinWidth + kGap)));
  const filled = { columns: most, width: Math.max(1, across(most)), scrolls: true };
  if (most === 1 && height > width) return filled;
  let best = { width: 0 };
  for (let columns = 1; columns <= count; ++columns) {
    const fits = Math.min(across(columns), down(Math.ceil(count / columns)));
    if (fits > best.width) best = { columns, width: fits, scrolls: false };
  }
  return best.width >= (count > 1 ? kMinWidth : 1) ? best : filled;
}
