"""Compares the data command with the usual pandas loop: seconds and peak memory.

python bench/ingest.py fer2013.csv [ROUNDS]

Each runs in a process of its own, in turns, start-up included. The command also checks every row, writes the HDF5
file and prints the summary; the loop stops at the array.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PANDAS_LOOP = """
import sys
import numpy as np
import pandas as pd
table = pd.read_csv(sys.argv[1])
images = np.stack([np.array(pixels.split(" "), dtype="uint8") for pixels in table["pixels"]])
assert images.shape[1] == 2304
"""


def measure(command):
    """Returns the wall-clock seconds and the peak memory (MB) of one run."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command[:4])} ...")
    return time.perf_counter() - start, usage.ru_maxrss / 1000  # Linux counts in kB


def main(path, rounds):
    root = pathlib.Path(__file__).resolve().parents[1]
    os.environ["PYTHONPATH"] = str(root)
    with tempfile.TemporaryDirectory() as folder:
        output = str(pathlib.Path(folder) / "fer2013.h5")
        commands = {
            "fer_ensemble.data": [sys.executable, "-m", "fer_ensemble.data", path, "--output", output],
            "pandas loop": [sys.executable, "-c", PANDAS_LOOP, path],
        }
        with pathlib.Path(path).open("rb") as file:  # both shall find it in the page cache
            while file.read(1 << 20):  # in pieces, as a child's peak starts with what its parent held
                pass
        runs = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                runs[name].append(measure(command))
    print(f"{path}: {pathlib.Path(path).stat().st_size / 1e6:.0f} MB, {rounds} rounds")
    print(f"{'':<20}{'median s':>10}{'min s':>10}{'max s':>10}{'peak MB':>10}")
    for name, found in runs.items():
        seconds = [second for second, _ in found]
        peak = max(memory for _, memory in found)
        print(
            f"{name:<20}{statistics.median(seconds):>10.2f}{min(seconds):>10.2f}{max(seconds):>10.2f}{peak:>10.0f}"
        )
    ours, theirs = (statistics.median(second for second, _ in found) for found in runs.values())
    print(f"ratio of the medians: {theirs / ours:.1f}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 3)
