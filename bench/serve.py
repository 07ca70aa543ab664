"""Puts `fer-ensemble serve` under load, on this machine alone: many clients, hostile uploads, a camera, the end.

python bench/serve.py [--model=MODEL] [--clients=200] [--seconds=60] [--requests=20000] [--hostile=5000]
                      [--camera=20]

Each answer is compared with what `load()` says of the same face. Every part ends by itself: after its seconds, or
its number of requests. The clients run on the same cores as the server, and take their share of them.

- faces: POST /api/faces, a picture of 320 x 240 pixels with one face.
- cropped: POST /api/predict, one face of 48x48 pixels, for the seconds, then until there were --requests in all.
- hostile: truncated pictures, bombs, wrong types, huge headers, slow bodies; with good requests in between.
- camera: Chromium with a film in place of its camera: frames/s, and how long a label takes to follow the picture.
- end: SIGTERM while requests are in flight.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
FACES = 64  # different ones that are asked about
MOST_DIFFERENCE = 2e-4  # of a probability: batches of other sizes round differently


def load_scenes():
    """Returns the tests' module that composes pictures of drawn faces."""
    spec = importlib.util.spec_from_file_location("scenes", ROOT / "tests" / "serve" / "scenes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server:
    """A server in a process of its own."""

    def __init__(self, *flags):
        command = [sys.executable, "-m", "fer_ensemble", "serve", "--port=0", *flags]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        self.address = self.process.stdout.readline().split()[-1]
        self.start_seconds = time.perf_counter() - start
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    def memory(self):
        """Returns what the process holds now, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1000

    def end(self):
        """Sends SIGTERM; returns the seconds that it took to end, and the exit code."""
        start = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        return time.perf_counter() - start, code


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
        place = number
        while time.perf_counter() - start < seconds and asked < most:
            asked += 1
            place = (place + 7) % len(questions)
            began = time.perf_counter()
            try:
                status, content = await connection.ask(path, questions[place], kind)
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
                tally.wrong += not check(place, json.loads(content)["faces"])
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return tally, time.perf_counter() - start


def make_check(expected, names):
    """Returns a function that compares the answer to a question with the probabilities that were expected."""

    def check(place, faces):
        given = np.array([[face["probabilities"][name] for name in names] for face in faces]).reshape(
            -1, len(names)
        )
        return given.shape == expected[place].shape and np.allclose(given, expected[place], 0, MOST_DIFFERENCE)

    return check


def bomb(picture, side):
    """Returns a PNG whose head promises a square of so many pixels a side."""
    head = b"IHDR" + struct.pack(">II", side, side) + picture[24:29]
    return picture[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture[33:]


def hostile_uploads(picture, random):
    """Returns `(body, content type, extra headers)` of uploads that no server should stumble over."""
    cut = int(random.integers(1, len(picture) - 1))
    damaged = bytearray(picture)
    for place in random.integers(8, len(picture), 20):
        damaged[place] = random.integers(256)
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


WATCH = """() => {
    const video = document.getElementById("video");
    const small = document.createElement("canvas");
    const pen = small.getContext("2d", { willReadFrequently: true });
    window.watched = { switches: [], labels: [], rates: [] };
    const tag = () => document.querySelector(".face .tag")?.textContent.split(" ")[0] ?? "";
    let [corner, label] = [null, tag()];
    const look = () => {
        const now = performance.now();
        pen.drawImage(video, 0, 0, 32, 32, 0, 0, 1, 1);
        const bright = pen.getImageData(0, 0, 1, 1).data[0] > 128;
        if (corner !== null && bright !== corner) window.watched.switches.push(now);
        corner = bright;
        if (tag() !== label) window.watched.labels.push(now);
        label = tag();
        window.watched.rates.push(Number(document.getElementById("rate").textContent));
        requestAnimationFrame(look);
    };
    look();
}"""


def watch_camera(address, seconds, scenes, classifier):
    """Returns a line on frames/s and on how long labels take to follow, seen in Chromium."""
    from playwright.sync_api import expect, sync_playwright

    faces, _ = scenes.two_faces(classifier)
    flags = (
        "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
        "--disable-sync --use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        film = scenes.film(pathlib.Path(folder) / "film.mjpeg", faces)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*flags.split(), f"--use-file-for-fake-video-capture={film}"],
        )
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(address)
        page.get_by_role("button", name="Use the camera").first.click()
        expect(page.locator(".face")).to_have_count(1, timeout=60_000)
        page.wait_for_timeout(3_000)
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * seconds)
        seen = page.evaluate("() => window.watched")
        browser.close()
    follows = [
        min((label - one for label in seen["labels"] if label >= one), default=None) for one in seen["switches"]
    ]
    follows = [one for one in follows if one is not None and one < 3_000]
    rate, middle = statistics.median(seen["rates"]), statistics.median(follows or [float("nan")])
    return (
        f"camera, {seconds} s: {rate:.0f} frames/s; of {len(seen['switches'])} changes of expression "
        f"{len(follows)} were followed, after {middle:.0f} ms, at most {max(follows, default=0):.0f} ms"
    )


async def end_in_flight(server, picture):
    """Sends SIGTERM while ten requests are in flight; returns a line on what came of them."""
    connections = [Connection(server.port) for _ in range(10)]
    tasks = [asyncio.create_task(one.ask("/api/faces", picture, "image/png")) for one in connections]
    await asyncio.sleep(0.05)
    seconds, code = await asyncio.to_thread(server.end)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    done = sum(isinstance(answer, tuple) and answer[0] == 200 for answer in answers)
    return f"end: SIGTERM with 10 requests in flight: {done} answered, exit code {code} after {seconds:.2f} s"


def main(options):
    sys.path.insert(0, str(ROOT))
    from fer_ensemble.classifier.classifier import load

    scenes = load_scenes()
    classifier = load(options.model)
    faces = scenes.sample()[0][:FACES]
    pictures = [
        scenes.encode(scenes.compose([face], [(64, 24)], (320, 240)), "JPEG", quality=90) for face in faces
    ]
    cropped = make_check([row[None] for row in classifier.predict(faces)], classifier.class_names)
    found = [classifier.find_faces(picture) for picture in pictures]
    expected = [np.array([list(face.probabilities.values()) for face in one]).reshape(-1, 7) for one in found]
    in_pictures = make_check(expected, classifier.class_names)
    raw = "application/octet-stream"
    questions = [face.tobytes() for face in faces]

    server = Server(
        "--header_seconds=5", "--body_seconds=10", *([f"--model={options.model}"] if options.model else [])
    )
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.clients} clients; "
          f"the server answered {server.start_seconds:.1f} s after its start")  # fmt: skip
    print(HEAD)

    def put_under_load(name, *arguments, clients=options.clients, seconds=options.seconds, most=10**9):
        tally, duration = asyncio.run(load_with(server.port, clients, seconds, most, *arguments))
        print(tally.describe(name, duration), flush=True)
        for text in sorted(set(tally.failed))[:5]:
            print(f"    {text}")
        return tally

    try:
        one = put_under_load("cropped, 1 client", "/api/predict", raw, questions, cropped, clients=1, most=200)
        put_under_load("faces, 1 client", "/api/faces", "image/jpeg", pictures, in_pictures, clients=1, most=200)
        put_under_load("faces", "/api/faces", "image/jpeg", pictures, in_pictures)
        first = put_under_load("cropped", "/api/predict", raw, questions, cropped)
        before, asked = server.memory(), len(first.seconds)
        left = options.requests - asked
        if left > 0:
            put_under_load(
                "cropped, to --requests", "/api/predict", raw, questions, cropped, seconds=3600, most=left
            )
        print(f"memory: {before:.0f} MB after {asked:,} requests, {server.memory():.0f} MB after "
              f"{max(asked, options.requests):,}")  # fmt: skip
        if options.hostile:
            good = (questions[0], raw, cropped)
            picture = scenes.encode(scenes.party())
            statuses = asyncio.run(attack(server.port, options.hostile, 8, picture, good))
            told = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items(), key=str))
            print(f"hostile: {sum(statuses.values()):,} uploads, answered by {told}; {server.memory():.0f} MB")
            after = put_under_load(
                "then cropped, 1 client", "/api/predict", raw, questions, cropped, clients=1, most=200
            )
            print(f"a good request took {1000 * statistics.median(one.seconds):.0f} ms before, "
                  f"{1000 * statistics.median(after.seconds):.0f} ms after")  # fmt: skip
            assert not any(str(status).startswith("50") and status != 503 for status in statuses)
        if options.camera:
            print(watch_camera(server.address, options.camera, scenes, classifier), flush=True)
        print(asyncio.run(end_in_flight(server, scenes.encode(scenes.party()))))
    finally:
        if server.process.poll() is None:
            server.process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--hostile", type=int, default=5_000)
    parser.add_argument("--camera", type=int, default=20)
    main(parser.parse_args())
