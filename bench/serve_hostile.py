"""The hostile clients of `bench/serve.py`: uploads that no server should stumble over."""

import asyncio
import contextlib
import json
import struct
import zlib

import numpy as np
from serve_clients import Connection


def bomb(picture, side):
    """Returns a PNG whose head promises a square of so many pixels a side."""
    head = b"IHDR" + struct.pack(">II", side, side) + picture[24:29]
    return picture[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture[33:]


def hostile_uploads(picture, random):
    """Returns `(body, content type, extra headers)` of uploads that no server should stumble over."""
    cut = int(random.integers(1, len(picture) - 1))
    damaged = bytearray(picture)
    for position in random.integers(8, len(picture), 20):
        damaged[position] = random.integers(256)
    return [
        (picture[:cut], "image/png", b""),
        (bytes(damaged), "image/png", b""),
        (bomb(picture, int(random.integers(8_000, 60_000))), "image/png", b""),
        (random.bytes(int(random.integers(1, 5_000))), "image/jpeg", b""),
        (b"\xff\xd8\xff" + random.bytes(500), "image/jpeg", b""),
        (b"GIF89a" + random.bytes(500), "image/gif", b""),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "application/postscript", b""),
        (b"{}", "application/json", b""),
        (b"", "image/png", b""),
        (random.bytes(300), "multipart/form-data; boundary=x", b""),
        (b"--x\r\n" * 2_000, "multipart/form-data; boundary=x", b""),
        (picture, "image/png", b"X: " + b"x" * 60_000 + b"\r\n"),
        (picture, "image/png", b"".join(b"X-%d: y\r\n" % number for number in range(2_000))),
        (b"\x89PNG" + bytes(300_000), "image/png", b""),
    ]


async def attack(port, count, clients, picture, good):
    """Sends hostile uploads from several clients, with good requests in between.

    Returns:
        Dict of how often each status came.
    """
    statuses, sent = {}, 0

    async def client(number):
        nonlocal sent
        random = np.random.default_rng(number)
        connection = Connection(port)
        while sent < count:
            uploads = hostile_uploads(picture, random)
            for body, kind, extra in uploads:
                sent += 1
                path = ("/api/faces", "/api/predict")[sent % 2]
                try:
                    status, _ = await asyncio.wait_for(connection.ask(path, body, kind, extra), 60)
                except (OSError, asyncio.IncompleteReadError):
                    status = "closed"
                    connection.close()
                statuses[status] = statuses.get(status, 0) + 1
            status, content = await connection.ask("/api/predict", good[0], good[1])
            right = status == 503 or (status == 200 and good[2](0, json.loads(content)["faces"]))
            assert right, (status, content[:200])
        connection.close()

    async def drip():
        """A body, then a head, that arrive drop by drop."""
        for head in (
            b"POST /api/faces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
            b"GET / HTTP/1.1\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            with contextlib.suppress(OSError):
                for _ in range(600):
                    if reader.at_eof():
                        break
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.1)
            try:
                answer = await reader.read(100)
            except OSError:  # it was closed while we wrote
                answer = b""
            status = int(answer.split()[1]) if answer else "closed"
            statuses[status] = statuses.get(status, 0) + 1
            writer.close()

    drips = [asyncio.create_task(drip()) for _ in range(20)]
    await asyncio.gather(*(client(number) for number in range(clients)))
    await asyncio.gather(*drips)
    return statuses
