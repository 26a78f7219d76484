// Decodes H.264 and paints each frame as it comes, the canvas taking its size. For a page and for a worker.
import { frameDrawer } from './full-range.js';

const kCodec = 'avc1.42E01F'; // what everybody's server sends at up to 1280x720
const kFrameUs = 33333;

export async function canDecode() {
  try {
    return (await VideoDecoder.isConfigSupported({ codec: kCodec, optimizeForLatency: true })).supported;
  } catch {
    return false;
  }
}

// Profile, constraints and level, as the sequence parameter set of a key frame has them.
function codecOf(bytes) {
  for (let i = 2; i + 4 < bytes.length; ++i) {
    if (bytes[i] === 1 && bytes[i - 1] === 0 && bytes[i - 2] === 0 && (bytes[i + 1] & 31) === 7) {
      return `avc1.${[...bytes.subarray(i + 2, i + 5)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    }
  }
  return kCodec;
}

export class VideoDrawer {
  #context;
  #said;
  #failed;
  #decoder = null;
  #codec = '';
  #waiting = null; // decoded, and not painted yet
  #drawFrame = (context, frame) => context.drawImage(frame, 0, 0);

  // said(id, what): of each frame 'decoded', then 'painted' or 'skipped'; failed(): nothing more comes before a key frame.
  constructor(context, said, failed) {
    this.#context = context;
    this.#said = said;
    this.#failed = failed;
    // Known before a frame has come from the server, as a rule; one drawn earlier would have a little too much contrast.
    frameDrawer().then((drawFrame) => { this.#drawFrame = drawFrame; });
  }

  decode({ id, key, video }) {
    try {
      if (key) this.#configure(codecOf(video));
      if (!this.#decoder) return this.#said(id, 'skipped');
      this.#decoder.decode(new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: id, duration: kFrameUs, data: video }));
    } catch {
      this.#fail();
    }
  }

  reset() {
    if (this.#decoder?.state !== 'closed') this.#decoder?.close();
    this.#decoder = null;
    this.#waiting?.close();
    this.#waiting = null;
  }

  #configure(codec) {
    if (this.#decoder?.state === 'configured' && codec === this.#codec) return;
    this.reset();
    this.#codec = codec;
    this.#decoder = new VideoDecoder({ output: (frame) => this.#paint(frame), error: () => this.#fail() });
    this.#decoder.configure({ codec, optimizeForLatency: true });
  }

  #fail() {
    this.reset();
    this.#failed();
  }

  // With the display's next refresh; of several the newest.
  #paint(frame) {
    this.#said(frame.timestamp, 'decoded');
    const before = this.#waiting;
    this.#waiting = frame;
    if (before) {
      this.#said(before.timestamp, 'skipped');
      before.close();
    } else if (self.requestAnimationFrame) self.requestAnimationFrame(() => this.#draw());
    else this.#draw();
  }

  #draw() {
    const frame = this.#waiting;
    if (!frame) return;
    this.#waiting = null;
    const { canvas } = this.#context;
    if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
      canvas.width = frame.displayWidth;
      canvas.height = frame.displayHeight;
    }
    this.#drawFrame(this.#context, frame);
    this.#said(frame.timestamp, 'painted');
    frame.close();
  }
}
