// The painter's worker: takes {canvas} once, then {jpeg} one at a time; answers each with {painted}.
import { drawJpeg } from './draw-jpeg.js';

let context = null;
self.onmessage = async ({ data }) => {
  if (data.canvas) {
    context = data.canvas.getContext('2d', { alpha: false });
    return;
  }
  try {
    await drawJpeg(context, data.jpeg);
    self.postMessage({ painted: true });
  } catch {
    self.postMessage({ painted: false });
  }
};
