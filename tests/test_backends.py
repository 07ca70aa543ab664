"""The commands on TensorFlow and on JAX, and between the two.

Everything on JAX runs where `import tensorflow` fails, as on a machine that does not have it.
"""

import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.store import write_dataset
from fer_ensemble.members import notes
from fer_ensemble.members.predictions import read_predictions

pytest.importorskip("jax", reason="jax is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[1]
WITHOUT_TENSORFLOW = """
import importlib.machinery, runpy, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "tensorflow" else super().find_spec(name, path, target)

sys.meta_path = [Finder if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FOLDS = {"tensorflow": 0, "jax": 1}  # which member is trained on which backend
# float16 is what a GPU trains in: its loss scaler's variables, and the averages inside it, are in the state, too.
FLAGS = [
    "--width=4", "--input_size=16", "--epochs=12", "--batch_size=12", "--precision=mixed_float16",
    "--optimizer=sgd", "--learning_rate=0.05", "--ema=0.5", "--self_labels=0.5", "--deterministic",
]  # fmt: skip


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Returns a function that starts one of the commands on a backend."""
    cache = tmp_path_factory.mktemp("cache")

    def start(backend, *arguments):
        environment = {
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(cache),  # the same networks are compiled by several processes
        }
        begin = ["-c", WITHOUT_TENSORFLOW] if backend == "jax" else []
        return subprocess.Popen(
            [sys.executable, *begin, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finish(process, code=0):
    """Waits for a command; returns what it said."""
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == code, output + errors
    return output + errors


@pytest.fixture(scope="module")
def trained(start, tiny_data, tmp_path_factory):
    """The folder of an ensemble of two members, one trained on each backend."""
    experiments = tmp_path_factory.mktemp("trained")
    folders = [f"--data={tiny_data}", f"--experiments={experiments}"]
    for process in [start(name, "model_train.py", *FLAGS, *folders, f"--fold={FOLDS[name]}") for name in FOLDS]:
        finish(process)
    return experiments


@pytest.fixture(scope="module")
def predicted(start, trained, tiny_dataset, tmp_path_factory):
    """Predictions of this ensemble, by the backend that made them: its folder, and that of the results."""
    data = tmp_path_factory.mktemp("other") / "other.h5"
    parts = (getattr(tiny_dataset, name) for name in ("labels", "usage", "rows", "class_names"))
    write_dataset(make_dataset(255 - tiny_dataset.images, *parts), data)
    face = data.with_name("face.png")
    Image.fromarray(tiny_dataset.images[0]).resize((96, 96)).save(face)
    folders, processes = {}, []
    for name in FOLDS:
        ensemble = shutil.copytree(trained, tmp_path_factory.mktemp(name) / "ensemble")
        folders[name] = ensemble, ensemble.with_name("results")
        flags = [f"--ensemble={ensemble}", "--runs=cnn_0", "--allow_missing", f"--output={folders[name][1]}"]
        flags += ["--precision=float32"]  # for the same digits
        processes.append(start(name, "predict.py", *flags, f"--data={data}"))
        processes.append(start(name, "predict.py", *flags, "--faces=whole", f"--images={face}"))
    for process in processes:
        finish(process)
    return folders


@pytest.mark.parametrize("backend", FOLDS)
def test_a_member_says_what_it_was_trained_on(backend, trained):
    record = json.loads((trained / f"exp_{FOLDS[backend]}" / "cnn_0" / "member.json").read_text())
    assert record["versions"]["backend"] == backend
    assert record["versions"][backend]
    assert record["precision"] == "mixed_float16"


@pytest.mark.parametrize("backend", FOLDS)
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(backend, start, trained, tiny_data, tmp_path):
    fold = FOLDS[backend]
    member = pathlib.Path("exp_" + str(fold), "cnn_0")
    flags = [*FLAGS, f"--fold={fold}", f"--data={tiny_data}", f"--experiments={tmp_path}"]
    process = start(backend, "model_train.py", *flags)
    while not (notes.read_progress(tmp_path / member) or {}).get("epoch") and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert " stands at " in finish(process, code=143)
    assert not (tmp_path / member / "member.json").exists()
    assert "going on after " in finish(start(backend, "model_train.py", *flags))
    resumed, whole = (read_predictions(folder / member / "predictions.h5")[0] for folder in (tmp_path, trained))
    for name in whole:
        np.testing.assert_array_equal(resumed[name].probabilities, whole[name].probabilities)


@pytest.mark.parametrize("trained_on", FOLDS)
def test_other_data_are_predicted_alike_on_both_backends(trained_on, predicted):
    def read(ensemble):
        (path,) = (ensemble / f"exp_{FOLDS[trained_on]}" / "cnn_0").glob("predictions-*.h5")
        return read_predictions(path)[0]

    ours, theirs = (read(ensemble) for ensemble, _ in predicted.values())
    assert list(ours) == list(theirs) == ["PrivateTest", "PublicTest"]
    for name in ours:
        np.testing.assert_allclose(ours[name].probabilities, theirs[name].probabilities, atol=1e-5)
        assert np.ptp(ours[name].probabilities, axis=0).max() > 1e-3  # it is not one answer for all faces


def test_photos_are_predicted_alike_on_both_backends(predicted):
    rows = []
    for _, results in predicted.values():
        with (results / "photos.csv").open(newline="") as file:
            rows.append(next(csv.DictReader(file)))
    ours, theirs = rows
    assert ours["file"] == theirs["file"] and ours["expression"] == theirs["expression"]
    for name in ("happy", "surprise", "neutral"):
        assert float(ours[name]) == pytest.approx(float(theirs[name]), abs=1e-5)


def test_an_ensemble_of_both_is_scored_alike_on_both_backends(predicted):
    ours, theirs = (json.loads((results / "scores.json").read_text()) for _, results in predicted.values())
    assert ours["members"] == theirs["members"] == ["exp_0/cnn_0", "exp_1/cnn_0"]
    for name in ("PublicTest", "PrivateTest"):
        scores, others = (report["splits"][name]["ensemble"] for report in (ours, theirs))
        assert scores["accuracy"] == others["accuracy"]
        assert scores["log_loss"] == pytest.approx(others["log_loss"], abs=1e-5)


def test_tensorboard_without_tensorflow_is_refused_in_one_line(start, tiny_data, tmp_path):
    flags = [*FLAGS, "--tensorboard", f"--data={tiny_data}", f"--experiments={tmp_path}"]
    said = finish(start("jax", "model_train.py", *flags), code=1)
    assert said.splitlines()[-1].startswith(
        "model_train.py: error: --tensorboard takes the packages tensorflow and tensorboard"
    )
    assert "Traceback" not in said
