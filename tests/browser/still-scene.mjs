// A scene that stands, to compare colours by, and how alike what a page shows at two times is.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

// A scene that stands, of saturated colours; its edges are soft, since JPEGs and H.264 have colours at half the size and
// are enlarged differently.
export function stillScene(folder) {
  const picture = path.join(folder, 'still.png');
  const bars = ['red', 'lime', 'blue', 'yellow', 'magenta', 'cyan', 'white', 'black'].map((colour) => `xc:${colour}`);
  execFileSync('convert', ['(', '-size', '80x160', ...bars, '+append', ')', '-size', '640x160', 'gradient:red-blue', 'gradient:yellow-cyan',
    '-append', '-blur', '0x6', picture]);
  return picture;
}

// `noise`: ffmpeg's strength. Frames that are all alike are so small that on a busy machine their acknowledgements look like
// those of a thin link.
export function stillClip(picture, range, { noise = 0 } = {}) {
  const clip = picture.replace('.png', `-${range}.y4m`);
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-loop', '1', '-framerate', '30', '-i', picture, '-frames:v', noise > 0 ? '30' : '2',
    '-vf', `noise=alls=${noise}:allf=t,scale=out_range=${range}:out_color_matrix=bt601,format=${range === 'full' ? 'yuvj420p' : 'yuv420p'}`, '-strict', '-1', clip]);
  return clip;
}

// Keeps what the live page's canvas or <video> shows as its reference; false: nothing was to be had.
export const keepReference = (page) => page.evaluate(() => {
  const shown = [...document.querySelectorAll('#stage video, #picture')].find((one) => !one.hidden);
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [shown.videoWidth || shown.width, shown.videoHeight || shown.height];
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(shown, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  if (data[3] === 0) return false;
  window.reference = { data, width: copy.width, height: copy.height };
  return true;
});

// What is shown now beside that, dB in RGB; 0: none to be had. `stretched`: beside the reference as it looks where its full
// range is taken for limited range.
export const psnr = (page, { stretched = false } = {}) => page.evaluate((stretch) => {
  const shown = [...document.querySelectorAll('#stage video, #picture')].find((one) => !one.hidden);
  const { data, width, height } = window.reference;
  if (!shown || (shown.videoWidth || shown.width) !== width || (shown.videoHeight || shown.height) !== height) return 0;
  const taken = Array.from({ length: 256 }, (_, level) => (stretch ? Math.min(255, Math.max(0, (level - 16) * 255 / 219)) : level));
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [width, height];
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(shown, 0, 0);
  const now = context.getImageData(0, 0, width, height).data;
  if (now[3] === 0) return 0;
  let sum = 0;
  for (let i = 0; i < data.length; ++i) {
    if (i % 4 < 3) sum += (taken[data[i]] - now[i]) ** 2;
  }
  return 10 * Math.log10(255 ** 2 / (sum / (width * height * 3) || 1e-9));
}, stretched);
