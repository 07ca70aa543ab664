"""The clients of `bench/serve.py`: many at a time, each on a connection of its own, and what they saw."""

import asyncio
import json
import time

import numpy as np

MOST_DIFFERENCE = 2e-4  # of a probability: batches of other sizes round differently


class Connection:
    """One client's connection, kept open from request to request."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, path, body, kind, extra=b""):
        """Returns the status and the body of an answer."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        )
        self.writer.write(head.encode() + extra + b"\r\n" + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
        content = await self.reader.readexactly(int(headers.get(b"content-length", 0)))
        if headers.get(b"connection") == b"close":
            self.close()
        return int(lines[0].split()[1]), content

    def close(self):
        """Ends the connection."""
        if self.writer is not None:
            self.writer.close()
        self.writer = None


class Tally:
    """What the clients of one part saw."""

    def __init__(self):
        self.seconds, self.busy, self.wrong, self.failed = [], 0, 0, []

    def describe(self, name, duration):
        """Returns the row of the table."""
        p50, p95, p99 = (1000 * value for value in np.percentile(self.seconds, [50, 95, 99]))
        rate = len(self.seconds) / duration
        return (
            f"{name:<26}{len(self.seconds):>9,}{rate:>10.1f}{p50:>9.0f}{p95:>9.0f}{p99:>9.0f}"
            f"{self.busy:>8,}{self.wrong:>7}{len(self.failed):>8}"
        )


HEAD = (
    f"{'':<26}{'answers':>9}{'/s':>10}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'503':>8}{'wrong':>7}{'failed':>8}"
)


async def load_with(port, clients, seconds, most, path, kind, questions, check):
    """Lets clients ask, each one question after the other, for so many seconds or requests.

    Returns:
        `(tally, duration)`.
    """
    tally, start, asked = Tally(), time.perf_counter(), 0

    async def client(number):
        nonlocal asked
        connection = Connection(port)
        index = number
        while time.perf_counter() - start < seconds and asked < most:
            asked += 1
            index = (index + 7) % len(questions)
            began = time.perf_counter()
            try:
                status, content = await connection.ask(path, questions[index], kind)
            except (OSError, asyncio.IncompleteReadError) as error:
                tally.failed.append(repr(error))
                connection.close()
                continue
            if status == 503:
                tally.busy += 1
                await asyncio.sleep(1)
            elif status != 200:
                tally.failed.append(f"{status} {content[:100]}")
            else:
                tally.seconds.append(time.perf_counter() - began)
                tally.wrong += not check(index, json.loads(content)["faces"])
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return tally, time.perf_counter() - start


def make_check(expected, names):
    """Returns a function that compares the answer to a question with the probabilities that were expected."""

    def check(index, faces):
        given = np.array([[face["probabilities"][name] for name in names] for face in faces]).reshape(
            -1, len(names)
        )
        return given.shape == expected[index].shape and np.allclose(given, expected[index], 0, MOST_DIFFERENCE)

    return check
