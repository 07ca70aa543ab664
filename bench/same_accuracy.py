"""Compares what a member learns on the fast path and with plain Keras layers in float32: alike, up to the seeds.

    python bench/same_accuracy.py --data=fer2013.csv --flagfile=experiments/quick.flags --epochs=3

Both train on the same images with the same settings and the same random draws, once for each seed; only the batch
normalisation (fused or Keras's own) and the precision (that of --precision, or float32) differ. The table has the
accuracy on the held-out fold.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_ensemble.commands.edge import define_flags, run, settings_from_flags
from fer_ensemble.training.settings import FOLDS, TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

define_flags(TrainingSettings)
define_flags(TrainingOptions)
SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each kind, with other seeds.", lower_bound=2)


def main(arguments):
    import dataclasses

    from fer_ensemble.data.dataset import TRAINING
    from fer_ensemble.data.folds import load_folds
    from fer_ensemble.data.store import load_dataset, resolve_dataset
    from fer_ensemble.models.device import choose_precision, describe_device

    settings, options = settings_from_flags(TrainingSettings), settings_from_flags(TrainingOptions)
    dataset = load_dataset(options.data, options.classes)
    folds, _ = load_folds(dataset, resolve_dataset(options.data), FOLDS, settings.fold_seed)
    training = dataset.split(TRAINING)
    print(f"{settings.model}, width {settings.width}, {settings.epochs} epochs, {describe_device()}", flush=True)
    kinds = {
        f"fast, {choose_precision(settings.precision)}": (True, settings),
        "plain, float32": (False, dataclasses.replace(settings, precision="float32")),
    }
    results = {kind: [] for kind in kinds}
    for seed in range(SEEDS.value):
        for kind, (fast, own) in kinds.items():
            began = time.monotonic()
            accuracy = train(dataset, training, folds, own, seed, fast)
            results[kind].append(accuracy)
            print(f"seed {seed}  {kind:22}  {accuracy:.2%}  {time.monotonic() - began:.0f} s", flush=True)
    print("\n| layers, precision | accuracy on the held-out fold, mean ± sd |\n| --- | --- |")
    for kind, accuracies in results.items():
        print(f"| {kind} | {statistics.mean(accuracies):.2%} ± {100 * statistics.stdev(accuracies):.2f} |")


def train(dataset, training, folds, settings, seed, fast):
    """Trains one member and returns its accuracy on the held-out fold."""
    from fer_ensemble.members.predictions import predict_probabilities
    from fer_ensemble.models import build_model
    from fer_ensemble.training import network
    from fer_ensemble.training.checkpoint import Checkpoint
    from fer_ensemble.training.fit import TrainingData, fit_model

    # The one thing that differs; everything else is the code that users run.
    network.build_model = (
        build_model if fast else lambda settings, classes, fast=False: build_model(settings, classes)
    )
    own, held_out = training[folds != settings.fold], training[folds == settings.fold]
    labels = dataset.labels.astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        targets = np.eye(len(dataset.class_names))[labels[own]]
        data = TrainingData(dataset.images[own], targets, dataset.images[held_out], labels[held_out])
        model, _ = fit_model(data, settings, seed, Checkpoint(Path(folder), {}))
    return float(
        (predict_probabilities(model, dataset.images[held_out]).argmax(axis=1) == labels[held_out]).mean()
    )


if __name__ == "__main__":
    run(main)
