// The painter's worker: says {ready, h264}, takes {canvas} once, then {jpeg} one at a time, which it answers with
// {painted}, and {id, key, video}, answered with {id, what}, as VideoDrawer says it; {failed}: none before a key frame.
import { drawJpeg } from './draw-jpeg.js';
import { canDecode, VideoDrawer } from './draw-video.js';

let context = null;
let video = null;
self.onmessage = async ({ data }) => {
  if (data.canvas) {
    context = data.canvas.getContext('2d', { alpha: false });
    video = new VideoDrawer(context, (id, what) => self.postMessage({ id, what }), () => self.postMessage({ failed: true }));
    return;
  }
  if (data.video) return video.decode(data);
  if (data.reset) return video.reset();
  try {
    await drawJpeg(context, data.jpeg);
    // Painted is what the display shows: with its next refresh.
    if (self.requestAnimationFrame) await new Promise((resolve) => { self.requestAnimationFrame(resolve); });
    self.postMessage({ painted: true });
  } catch {
    self.postMessage({ painted: false });
  }
};
canDecode().then((h264) => self.postMessage({ ready: true, h264 }));
