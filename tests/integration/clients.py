# Takes the pictures of a URL: clients.py requests|opencv URL COUNT. One line for each, its size; ends by itself.
import sys


def with_requests(url, count):
    import requests
    with requests.get(url, stream=True, timeout=30) as answer:
        answer.raise_for_status()
        boundary = b'--' + answer.headers['Content-Type'].split('boundary=')[1].strip('"').encode()
        data = b''
        for piece in answer.iter_content(65536):
            data += piece
            while data.count(boundary) > 1:
                part, data = data[data.index(boundary) + len(boundary):].split(boundary, 1)
                data = boundary + data
                head, picture = part.split(b'\r\n\r\n', 1)
                yield picture.removesuffix(b'\r\n')
                count -= 1
                if count == 0:
                    return


def with_opencv(url, count):
    import cv2
    camera = cv2.VideoCapture(url)
    for _ in range(count):
        good, frame = camera.read()
        if not good:
            raise SystemExit('no frame')
        yield frame
    camera.release()


client, url, count = sys.argv[1:]
for picture in {'requests': with_requests, 'opencv': with_opencv}[client](url, int(count)):
    if client == 'opencv':
        print(f'{picture.shape[1]}x{picture.shape[0]}')
    else:
        print('whole' if picture[:2] == b'\xff\xd8' and picture[-2:] == b'\xff\xd9' else 'broken')
