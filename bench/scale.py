"""How time and memory grow with the number of images: 10,000, 100,000 and 500,000 faces.

    python bench/scale.py --data=fer2013.csv [--images=10000,100000,500000] [--folder=FOLDER]

The faces are those of --data, again and again, each with a noise of its own, so that none is a copy. They are
written as one CSV in FER2013's format, and go the way that data go: converted, divided into folds, learnt for an
epoch by a small network (SETTINGS) on three of four folds, predicted with two views each, reported from what is
kept. Each step is a process of its own, start-up included; its time is the processor's, so that other work on the
machine does not count, and its memory the most that was resident at a time. Nothing is left behind; 500,000 faces
take 6 GB of disk.
"""

import argparse
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
SETTINGS = ["--model=cnn", "--width=4", "--input_size=16", "--epochs=1", "--batch_size=128", "--dropout=0.1"]
FOLDS = """
import sys
from fer_ensemble.data.folds import load_folds
from fer_ensemble.data.store import read_dataset
load_folds(read_dataset(sys.argv[1]), sys.argv[1])
"""
NOISE = 6  # grey values, the most that one differs
CHUNK = 10_000  # faces at a time


def write_faces(data, count, path):
    """Writes `count` faces as a CSV: those of `data` in turn, the first time as they are, then with noise."""
    import numpy as np

    sys.path.insert(0, str(REPOSITORY))
    from fer_ensemble.data.dataset import SPLITS, UNLABELLED
    from fer_ensemble.data.store import load_dataset

    dataset = load_dataset(data)
    generator = np.random.default_rng(0)
    words = np.array([str(grey) for grey in range(256)], object)
    with path.open("w", encoding="ascii") as file:
        file.write("emotion,pixels,Usage\n")
        for start in range(0, count, CHUNK):
            places = np.arange(start, min(start + CHUNK, count))
            chosen = places % len(dataset.images)
            images = dataset.images[chosen].reshape(len(places), -1).astype(np.int16)
            noise = generator.integers(-NOISE, NOISE + 1, images.shape, np.int16)
            images = np.clip(images + noise * (places >= len(dataset.images))[:, None], 0, 255)
            for pixels, position in zip(images, chosen, strict=True):
                label = dataset.labels[position]
                emotion = "" if label == UNLABELLED else label
                file.write(f"{emotion},{' '.join(words[pixels])},{SPLITS[dataset.usage[position]]}\n")


def measure(name, command):
    """Runs a command; returns the processor's seconds and the most memory, in MB, that it had."""
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} failed:\n{output[-2000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000  # Linux counts in kB


def measure_steps(folder, data, count):
    """Returns a dictionary from each step to its seconds and MB, for so many faces."""
    source, dataset, experiments = folder / "faces.csv", folder / "faces.h5", folder / "experiments"
    python = sys.executable
    measure("writing the faces", [python, __file__, f"--data={data}", f"--write={source}", f"--images={count}"])
    predict = [python, "predict.py", f"--ensemble={experiments}", "--runs=cnn_0", "--allow_missing"]
    predict += ["--tta=flip", f"--data={dataset}"]
    steps = {
        "convert": [python, "-m", "fer_ensemble.data", str(source), f"--output={dataset}"],
        "folds": [python, "-c", FOLDS, str(dataset)],
        "one epoch": [python, "model_train.py", *SETTINGS, f"--data={dataset}", f"--experiments={experiments}"],
        "predictions": predict,
        "report": predict,  # again: the predictions are kept by now
    }
    found = {}
    for name, command in steps.items():
        found[name] = measure(name, command)
        print(f"{count:,} {name}: {found[name][0]:.1f} s, {found[name][1]:,.0f} MB", flush=True)
        if name == "convert":
            source.unlink()  # most of the disk
    return found


def print_table(results):
    """Prints a row for each step; growth is linear where each further face costs the same between all sizes."""
    counts = sorted(results)
    steps = list(itertools.pairwise(counts))
    heads = [f"{count:,} faces" for count in counts] + [f"each further one to {count:,}" for count in counts[1:]]
    print(f"\n| | {' | '.join(heads)} |\n| --- |{' --- |' * len(heads)}")
    for name in results[counts[0]]:
        found = {count: results[count][name] for count in counts}
        cells = [f"{found[count][0]:.1f} s, {found[count][1]:,.0f} MB" for count in counts]
        for few, many in steps:
            seconds, memory = ((found[many][i] - found[few][i]) / (many - few) for i in range(2))
            cells.append(f"{1000 * seconds:.2f} ms, {1000 * memory:.1f} kB")
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", default="10000,100000,500000")
    parser.add_argument("--write", type=pathlib.Path, help=argparse.SUPPRESS)  # what a process of our own does
    parser.add_argument("--folder", help="where the faces are written for a while; default: the system's")
    options = parser.parse_args()
    counts = [int(count) for count in options.images.split(",")]
    if options.write:
        return write_faces(options.data, counts[0], options.write)
    results = {}
    for count in counts:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="scale-") as folder:
            results[count] = measure_steps(pathlib.Path(folder), pathlib.Path(options.data).resolve(), count)
    print_table(results)


if __name__ == "__main__":
    main()
