// The plain way to do picam's job, to compare with: a WebSocket server in Node that starts ffmpeg with the first viewer
// and sends each of its JPEGs, in base64, to all. node plain-server.mjs JPEG FPS, prints its port.
import { spawn } from 'node:child_process';
import { WebSocketServer } from 'ws';

const [file, fps] = process.argv.slice(2);
const kBoundary = Buffer.from('\r\n\r\n');
let camera;

function start(server) {
  camera = spawn('ffmpeg', ['-nostdin', '-loglevel', 'error', '-re', '-f', 'image2', '-stream_loop', '-1', '-framerate', fps,
    '-i', file, '-c', 'copy', '-f', 'mpjpeg', 'pipe:1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let rest = Buffer.alloc(0);
  camera.stdout.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      const head = rest.indexOf(kBoundary);
      const length = head < 0 ? null : /Content-length: (\d+)/i.exec(rest.subarray(0, head).toString('latin1'));
      if (!length || rest.length < head + 4 + Number(length[1])) return;
      const message = rest.subarray(head + 4, head + 4 + Number(length[1])).toString('base64');
      rest = rest.subarray(head + 4 + Number(length[1]));
      for (const viewer of server.clients) viewer.send(message);
    }
  });
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (viewer) => {
  if (server.clients.size === 1) start(server);
  viewer.on('error', () => {});
  viewer.on('close', () => {
    if (server.clients.size === 0) camera.kill();
  });
});
process.on('SIGTERM', () => {
  camera?.kill();
  process.exit(0);
});
