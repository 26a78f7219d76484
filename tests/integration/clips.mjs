// Clips that look like a camera's, for camera.source = replay: files of Y4M, made of a picture with much detail.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

const kFps = 30;
const kNoise = 6; // ffmpeg's strength, σ 3: a small sensor

// What moves how, of a picture that is larger than the clip; each ends as it begins, since it is played again and again.
const kFilters = {
  // A camera in a hand.
  pan: (size, frames) => `crop=${size.replace('x', ':')}:'(iw-ow)/2+(iw-ow)/2*sin(2*PI*n/${frames})':'(ih-oh)/2+(ih-oh)/4*sin(4*PI*n/${frames})'`,
  // One that stands, and something that moves: a piece of the picture.
  day: (size, frames) => `crop=${size.replace('x', ':')},split[a][b];[b]crop=iw/6:ih/4:iw/2:ih/2,hflip[c];[a][c]overlay=x='(W-w)/2*(1+sin(2*PI*n/${frames}))':y=H/3`,
  // … and a light that is switched on for half of the time.
  light: (size, frames) => `crop=${size.replace('x', ':')},eq=brightness='if(lt(n,${frames / 2}),-0.25,0)':eval=frame`,
  // Another scene for half of the time: the picture upside down.
  cut: (size, frames) => `crop=${size.replace('x', ':')},split[a][b];[b]vflip,negate[c];[a][c]overlay=enable='gte(n,${frames / 2})'`,
};

// `photo`: a file to make it of, in place of a picture that is made here.
export function makeClip(folder, kind, { size = '640x480', seconds = 5, noise = kNoise, photo = null } = {}) {
  const picture = path.join(folder, 'picture.png');
  const clip = path.join(folder, `${kind}-${size}.y4m`);
  const [width, height] = size.split('x').map((side) => Math.round(Number(side) * 1.5));
  const large = `${width}x${height}`;
  const made = photo ? [photo, '-resize', `${large}^`, '-gravity', 'center', '-extent', large]
    : ['-size', large, '-seed', '7', 'plasma:', '(', '-size', large, 'pattern:checkerboard', ')', '-compose', 'softlight', '-composite'];
  execFileSync('convert', [...made, picture]);
  const frames = seconds * kFps;
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-loop', '1', '-framerate', String(kFps), '-i', picture,
    '-vf', `${kFilters[kind](size, frames)},noise=alls=${noise}:allf=t,format=yuv420p`, '-frames:v', String(frames), clip]);
  return clip;
}
