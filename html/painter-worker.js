// The painter's worker: says {ready}, takes {canvas} once, then {jpeg} one at a time; answers each with {painted}.
import { drawJpeg } from './draw-jpeg.js';

let context = null;
self.onmessage = async ({ data }) => {
  if (data.canvas) {
    context = data.canvas.getContext('2d', { alpha: false });
    return;
  }
  try {
    await drawJpeg(context, data.jpeg);
    // Painted is what the display shows: with its next refresh.
    if (self.requestAnimationFrame) await new Promise((resolve) => { self.requestAnimationFrame(resolve); });
    self.postMessage({ painted: true });
  } catch {
    self.postMessage({ painted: false });
  }
};
self.postMessage({ ready: true });
