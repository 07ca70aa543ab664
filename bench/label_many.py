"""Labels many pictures under kills: memory over time, and whether each picture is there exactly once at the end.

    python bench/label_many.py --pictures=10000 --kills=3

The pictures, of up to three drawn faces, are few files with many names. Each run is killed (SIGKILL) after its
share of the pictures, and the same command started again; the last one may finish. Linux.
"""

import argparse
import collections
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.faces.drawn_pictures import compose_picture

ROOT = pathlib.Path(__file__).resolve().parents[1]
DISTINCT = 12
SHOWN = 8  # moments of which the memory is shown


def make_pictures(folder, count):
    """Makes the folder of pictures; returns the number of faces of each by its name."""
    faces = draw_sample()[0]
    folder.mkdir()
    expected = {}
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        kind = number % DISTINCT
        if number < DISTINCT:
            corners = [(10 + 200 * place, 20) for place in range(kind % 4)]
            picture = compose_picture(faces[3 * kind :][: len(corners)], corners, (640, 260))
            Image.fromarray(picture).save(path, quality=92)
        else:
            os.link(folder / f"{kind:06d}.jpg", path)
        expected[str(path)] = kind
    return expected


def resident_megabytes(pid):
    """Returns the resident memory of a process, or None if it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")), None)


def run(folder, output, stop_at):
    """Runs the command, kills it when the output has so many bytes; returns (rows written, MB) over time."""
    command = [sys.executable, "-m", "fer_ensemble", "label", str(folder), f"--csv={output}"]
    begun = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    memory = []
    while process.poll() is None:
        time.sleep(0.1)
        written = output.stat().st_size if output.exists() else 0
        megabytes = resident_megabytes(process.pid)
        if megabytes:
            memory.append((written, megabytes))
        if stop_at and written >= stop_at:
            process.kill()
            process.wait()
            return memory, time.monotonic() - begun, True
    if process.returncode:
        raise SystemExit(f"it ended with {process.returncode}")
    return memory, time.monotonic() - begun, False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, output = pathlib.Path(temporary) / "pictures", pathlib.Path(temporary) / "faces.csv"
        expected = make_pictures(folder, options.pictures)
        size = 330 * options.pictures  # bytes that the output will have at least
        for number in range(options.kills + 1):
            stop_at = size * (number + 1) // (options.kills + 1) if number < options.kills else None
            memory, seconds, killed = run(folder, output, stop_at)
            shown = [memory[place] for place in np.linspace(0, len(memory) - 1, SHOWN).astype(int)]
            print(
                f"run {number + 1}: {seconds:.0f} s, {'killed' if killed else 'finished'}; MB at kB written: "
                + ", ".join(f"{megabytes:.0f} at {written / 1000:.0f}" for written, megabytes in shown),
                flush=True,
            )
        with output.open(newline="") as file:
            rows = list(csv.DictReader(file))
    times = collections.Counter(row["file"] for row in rows)
    faces = collections.defaultdict(set)
    for row in rows:
        faces[expected.get(row["file"])].add(times[row["file"]])
    twice = len(rows) - len({(row["file"], row["face"]) for row in rows})
    unlike = sum(len(one) > 1 for one in faces.values())
    print(f"{len(expected):,} pictures, {len(times):,} in the output, {len(set(expected) - set(times))} missing")
    print(f"{len(rows):,} rows, {twice} of them twice; pictures of which a copy has other faces: {unlike}")


if __name__ == "__main__":
    main()
