#!/usr/bin/env python3
# Feeds picam a JPEG that another program replaces: feed.py PICTURE.jpg /run/picam-feed/pi.sock
import contextlib, json, os, select, socketserver, struct, sys, time

picture, path = sys.argv[1:]

def size(jpeg):  # width and height, from the JPEG's own header
    at = 2
    while not 0xc0 <= jpeg[at + 1] <= 0xc2:
        at += 2 + int.from_bytes(jpeg[at + 2:at + 4], 'big')
    return struct.unpack('>HH', jpeg[at + 5:at + 9])[::-1]

class Feed(socketserver.BaseRequestHandler):
    def send(self, codec, flags, number, seconds, width, height, payload):
        self.request.sendall(struct.pack('>4BIQQHHIII', 1, codec, 0, flags, len(payload), number, int(seconds * 1e6),
                                         width, height, 0, 0, 0) + payload)

    def handle(self):
        with contextlib.suppress(ConnectionError):  # picam has gone
            self.feed()

    def feed(self):
        fps, number, last = 1, 0, None
        while True:
            if select.select([self.request], [], [], 1 / fps)[0]:
                wants = self.request.recv(4096)
                if not wants:
                    return  # nobody looks any more
                fps = json.loads(wants.splitlines()[-1])['fps']
            try:
                taken, jpeg = os.stat(picture).st_mtime, open(picture, 'rb').read()
            except OSError as error:
                taken, jpeg = error.strerror, None
            if taken != last and jpeg:
                number += 1
                self.send(1, 3, number, taken, *size(jpeg), jpeg)  # 3: a whole picture, well exposed
            elif taken != last:
                state = {'state': 'unavailable', 'reason': f'{picture}: {taken}'}
                self.send(0, 0, 0, time.time(), 0, 0, json.dumps(state).encode())
            last = taken

if os.path.exists(path):
    os.unlink(path)
server = socketserver.ThreadingUnixStreamServer(path, Feed)
os.chmod(path, 0o660)  # for picam's group
server.serve_forever()
