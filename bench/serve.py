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
import importlib.util
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
from serve_camera import watch_camera
from serve_clients import HEAD, Connection, load_with, make_check
from serve_hostile import attack

ROOT = pathlib.Path(__file__).resolve().parents[1]
FACES = 64  # different ones that are asked about


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
