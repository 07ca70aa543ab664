"""Compares predicting with 16 members, as predict.py does it, with the usual loop: load_model, predict, next.

python bench/predict.py [--ensemble=FOLDER] [--width=32] [--images=7178] [--rounds=2] [--tta]

Without an ensemble it writes 16 fresh networks, 8 cnn and 8 resnet, as members. Each way runs in a process of its
own, in turns: wall-clock seconds, those without starting Python and Keras ("predicting"), and CPU seconds of
all threads, which mean more where other work shares the cores. The loop is Keras as it comes, with batches of 32
and of 256. --tta adds ours with 2 and with 10 views of each image.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

WRITE_MEMBERS = """
import dataclasses, pathlib, sys
from fer_ensemble.models.device import keras
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.members import directory
from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings

for run in RUNS:
    for fold in range(FOLDS):
        model, replica = run.split("_")
        settings = TrainingSettings(model=model, replica=int(replica), fold=fold, width=int(sys.argv[2]))
        folder = directory.member_folder(sys.argv[1], fold, run)
        folder.mkdir(parents=True)
        add_softmax(build_model(settings, len(CLASS_NAMES))).save(folder / directory.MODEL)
        record = {"settings": dataclasses.asdict(settings), "class_names": CLASS_NAMES}
        record |= {name: {"fingerprint": "0" * 64} for name in ("data", "folds")}
        directory.write_record(folder, record, [directory.MODEL])
"""

OURS = """
import sys, time
import numpy as np
from fer_ensemble.models.device import keras
from fer_ensemble.members import directory
from fer_ensemble.members.collection import collect_members
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.members.views import VIEWS
from fer_ensemble.training.settings import FOLDS

folder, images, output, how = sys.argv[1:]
views, precision = how.split()
images, start = np.load(images), time.perf_counter()
members, _ = collect_members(folder, {run for run, _ in directory.find_folders(folder)}, range(FOLDS))
predictor = Predictor(views, precision)
networks = map(predictor.load, members)
probabilities = np.stack([predict_probabilities(network, images, VIEWS[views]) for network in networks])
print(time.perf_counter() - start)
np.save(output, probabilities)
"""

LOOP = """
import pathlib, sys, time
import numpy as np
import keras

folder, images, output, batch_size = sys.argv[1:]
images, start = np.load(images), time.perf_counter()
probabilities = []
for path in sorted(pathlib.Path(folder).glob("exp_*/*/model.keras"), key=lambda path: path.parts[::-1]):
    model = keras.saving.load_model(path)
    probabilities.append(model.predict(images[..., None], batch_size=int(batch_size), verbose=0))
print(time.perf_counter() - start)
np.save(output, np.stack(probabilities))
"""

WAYS = {
    "ours": (OURS, "none auto"),
    "ours, float32": (OURS, "none float32"),
    "loop, batches of 32": (LOOP, "32"),
    "loop, batches of 256": (LOOP, "256"),
}
TTA = {"ours, tta=flip": (OURS, "flip auto"), "ours, tta=tencrop": (OURS, "tencrop auto")}
DESCRIBE = """
from fer_ensemble.models import device
import sys
name = device.keras.backend.backend()
print(f"Keras {device.keras.__version__}, {name} {sys.modules[name].__version__}, {device.describe_device()}")
"""


def run(code, *arguments):
    """Returns what a piece of Python printed, its wall-clock and its CPU seconds, and its peak memory (MB)."""
    start = time.perf_counter()
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"failed: python -c '{code}' {' '.join(command[3:])}")
    return (
        text.strip(),
        time.perf_counter() - start,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1000,
    )  # Linux counts in kB


def main(options, folder):
    os.environ["PYTHONPATH"] = str(pathlib.Path(__file__).resolve().parents[1])
    ensemble = options.ensemble or folder / "ensemble"
    if not options.ensemble:
        run(WRITE_MEMBERS, ensemble, options.width)
    images = np.random.default_rng(0).integers(0, 256, (options.images, 48, 48), np.uint8)
    np.save(folder / "images.npy", images)

    ways = WAYS | TTA if options.tta else WAYS
    runs = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (code, argument) in ways.items():
            text, *facts = run(code, ensemble, folder / "images.npy", folder / f"{name}.npy", argument)
            runs[name].append((float(text), *facts))
    medians = {
        name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in runs.items()
    }

    print(f"{options.images:,} images, {options.ensemble or f'16 members of width {options.width}'}, medians of "
          f"{options.rounds} rounds; Python {platform.python_version()}, {run(DESCRIBE)[0]}")  # fmt: skip
    columns = ("predicting", "seconds", "CPU s", "peak MB")
    print(f"{'':<22}" + "".join(f"{name:>12}{'ratio':>7}" for name in columns))
    for name, values in medians.items():
        cells = zip(values, medians["ours"], strict=True)
        print(f"{name:<22}" + "".join(f"{value:>12.1f}{value / ours:>7.2f}" for value, ours in cells))
    ours, exact, theirs = (np.load(folder / f"{name}.npy") for name in list(ways)[:3])
    for name, found in (("ours", ours), ("ours, float32", exact)):
        difference = np.abs(found - theirs)
        print(f"from the loop, {name} differs by {difference.mean():.1e}, at most {difference.max():.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ensemble")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--images", type=int, default=7178)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tta", action="store_true")
    with tempfile.TemporaryDirectory() as temporary:
        main(parser.parse_args(), pathlib.Path(temporary))
