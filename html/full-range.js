// Draws H.264 of full range where a canvas takes it for limited range, as Firefox's does (153 at least): what its decoder's
// process hands to a page goes to RGB by the stream's matrix, but never by its range. Only that RGB is to be had, whatever
// one asks (https://bugzilla.mozilla.org/show_bug.cgi?id=1969762), so what was clipped is lost. For a page and for a worker.

// One grey of luma kLuma, 320x240 (decoders in hardware refuse less), full range and BT.601 as the server's streams: the
// parameter sets, and a key frame whose macroblocks after the first are the byte 0x39.
const kLuma = 72;
const kTaken = (kLuma - 16) * 255 / 219;
const kPicture = `000000016742c01fda0507e9b80868303c58ba800000000168ce01962000000001658884931419${'39'.repeat(298)}3c`;

const kKnee = 12; // levels at either end of what a canvas shows

// The grey as a canvas draws it.
async function drawnGrey() {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  return new Promise((resolve, reject) => {
    const decoder = new VideoDecoder({
      output(frame) {
        context.drawImage(frame, 0, 0);
        frame.close();
        resolve([...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)]);
      },
      error: reject,
    });
    decoder.configure({ codec: 'avc1.42C01F', optimizeForLatency: true });
    const data = Uint8Array.from(kPicture.match(/../g), (byte) => parseInt(byte, 16));
    decoder.decode(new EncodedVideoChunk({ type: 'key', timestamp: 0, data }));
    decoder.flush().then(() => {
      decoder.close();
      reject(new Error('no picture'));
    }, reject);
  });
}

// The level that was meant, for one that is shown: exact between the knees. Beyond them, where up to 20 levels were clipped
// to one, it is stretched: black and white stay what they are, and no step is seen where clipping began.
export function meant(shown) {
  const way = (level) => 16 + level * 219 / 255;
  const white = 255 - kKnee;
  if (shown < kKnee) return shown / kKnee * way(kKnee);
  return shown > white ? 255 - (255 - shown) / kKnee * (255 - way(white)) : way(shown);
}

// Draws frames with their levels put right. Pixels are taken two levels at a time, which is half the work; the canvas that
// they are read from is never the GPU's.
function mender() {
  const levels = Uint8ClampedArray.from({ length: 256 }, (_, shown) => meant(shown));
  const pairs = Uint16Array.from({ length: 65536 }, (_, pair) => levels[pair >> 8] << 8 | levels[pair & 255]);
  const scratch = new OffscreenCanvas(1, 1).getContext('2d', { alpha: false, willReadFrequently: true });
  return (context, frame) => {
    const { width, height } = context.canvas;
    if (scratch.canvas.width !== width) scratch.canvas.width = width;
    if (scratch.canvas.height !== height) scratch.canvas.height = height;
    scratch.drawImage(frame, 0, 0);
    const image = scratch.getImageData(0, 0, width, height);
    const data = new Uint16Array(image.data.buffer);
    for (let i = 0; i < data.length; ++i) data[i] = pairs[data[i]];
    context.putImageData(image, 0, 0);
  };
}

// What draws decoded frames, (context, frame): the canvas itself wherever it does so rightly. A promise, soon kept: a decoder
// shows a picture that we know.
export async function frameDrawer() {
  const plain = (context, frame) => context.drawImage(frame, 0, 0);
  try {
    return (await drawnGrey()).every((level) => Math.abs(level - kTaken) <= 2) ? mender() : plain;
  } catch {
    return plain; // no decoder, or no such canvas
  }
}
