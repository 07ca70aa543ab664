"""What several test files share: a tiny data set, tiny settings, and one tiny member that is really trained."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import CLASS_NAMES, PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED
from fer_ensemble.data.store import write_dataset
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from tests.drawn import sample_dataset
from tests.member_records import make_record

# What a shell in the background or nohup has us ignore, the processes that the tests start would ignore, too; what
# we handle, by doing nothing, they do not inherit.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda number, frame: None)

# What trains networks first, or starts many processes: a test that takes one of these is slow.
SLOW_FIXTURES = {"tiny_member", "trained", "ensemble", "study", "copy"}
# All of these import Keras, which alone takes as long as hundreds of other tests.
SLOW_FOLDERS = ("commands", "export", "members", "models", "training")
SLOW_FILES = (
    "test_backends.py", "test_faults.py", "test_oof.py", "test_page.py", "test_robustness_section.py",
    "test_saved.py", "test_too_little_memory.py", "test_trial.py",
)  # fmt: skip
# Of files that are quick otherwise: seconds each.
SLOW_TESTS = (
    "test_an_installation_that_failed_is_not_taken_for_finished", "test_every_drawn_face_is_found",
    "test_the_command_writes_the_bundled_file_again", "test_no_input_takes_more_memory_than_its_bounds",
)  # fmt: skip
QUICK_FILES = ("test_edge.py", "test_bad_moments.py")  # of those folders


QUICK = "not slow and not long"  # what `tests/run.sh --fast` asks for


def is_slow(path):
    """Whether all tests of a file are slow, or all examples of a module."""
    folder = path.relative_to(ROOT).parts[1]
    return (folder in SLOW_FOLDERS and path.name not in QUICK_FILES) or path.name in SLOW_FILES


def pytest_configure(config):
    """Leaves the files of slow tests alone where these are not asked for: to import them takes half a minute."""
    if config.option.markexpr == QUICK:
        files = [path for folder in ("tests", "fer_ensemble") for path in (ROOT / folder).rglob("*.py")]
        slow = [str(path) for path in files if path.name != "conftest.py" and is_slow(path)]
        config.option.ignore = [*(config.option.ignore or ()), *slow]


def pytest_collection_modifyitems(items):
    """Marks the slow tests, and keeps together, under pytest-xdist, those that share what took minutes to make."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if is_slow(item.path) or getattr(item, "originalname", None) in SLOW_TESTS or fixtures & SLOW_FIXTURES:
            item.add_marker(pytest.mark.slow)
        for name in ("trained", "study"):
            if name in fixtures:
                folder = item.path.relative_to(ROOT).parts[1]
                item.add_marker(pytest.mark.xdist_group(f"{folder}-{name}"))


ROOT = pathlib.Path(__file__).resolve().parents[1]
TINY_CLASSES = ("happy", "surprise", "neutral")
# float32 and a small network: seconds, and the same numbers on every machine up to rounding.
TINY_SETTINGS = {
    "width": 4, "input_size": 16, "epochs": 8, "batch_size": 12, "precision": "float32",
    "optimizer": "sgd", "learning_rate": 0.05, "ema": 0.5, "deterministic": True,
}  # fmt: skip


def run_python(*arguments, **environment):
    """Runs Python in the repository's root, and returns the finished process with its output as text."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=1800,
    )


@pytest.fixture(scope="session")
def python():
    return run_python


@pytest.fixture(scope="session")
def tiny_dataset():
    """48 labelled Training faces of three classes and one without label; 12 faces in each test split, the first of
    PrivateTest a copy of the first of Training. Rows have gaps, as after leaving bad rows out."""
    sample = sample_dataset()
    chosen = np.concatenate(
        [
            np.flatnonzero((sample.usage == usage) & (sample.labels == CLASS_NAMES.index(name)))[:number]
            for usage, number in ((TRAINING, 16), (PUBLIC_TEST, 4), (PRIVATE_TEST, 4))
            for name in TINY_CLASSES
        ]
    )
    images, usage = sample.images[chosen], sample.usage[chosen]
    labels = np.array([TINY_CLASSES.index(CLASS_NAMES[label]) for label in sample.labels[chosen]])
    images[np.flatnonzero(usage == PRIVATE_TEST)[0]] = images[0]
    images = np.concatenate([images, 255 - images[:1]])
    labels, usage = np.append(labels, UNLABELLED), np.append(usage, TRAINING)
    return make_dataset(images, labels, usage, 2 * np.arange(len(images)) + 5, TINY_CLASSES)


@pytest.fixture(scope="session")
def tiny_data(tiny_dataset, tmp_path_factory):
    """The path of the tiny data set's .h5."""
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    write_dataset(tiny_dataset, path)
    return path


@pytest.fixture(scope="session")
def tiny_settings():
    return TrainingSettings(**TINY_SETTINGS)


@pytest.fixture(scope="session")
def tiny_member(tiny_data, tiny_settings, tmp_path_factory):
    """The folder of a finished member, `.../exp_0/cnn_0`. Copy what you change."""
    from fer_ensemble.training.member import train_member

    experiments = tmp_path_factory.mktemp("experiments")
    train_member(tiny_settings, TrainingOptions(data=str(tiny_data), experiments=str(experiments)))
    return experiments / "exp_0" / "cnn_0"


COLUMNS = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,images_per_second,seconds"


@pytest.fixture(scope="session")
def untrained(tiny_dataset, tiny_settings, tmp_path_factory):
    """The folder of an ensemble of real networks that nobody trained: 2 runs of 4 folds. Copy what you change."""
    from fer_ensemble.members import directory
    from fer_ensemble.members.predictions import predict_parts, write_predictions
    from fer_ensemble.models import add_softmax, build_model
    from fer_ensemble.models.device import keras

    folder = tmp_path_factory.mktemp("untrained")
    generator = np.random.default_rng(0)
    training = tiny_dataset.split(TRAINING)
    labelled = training[tiny_dataset.labels[training] >= 0]
    tests = {SPLITS[usage]: tiny_dataset.split(usage) for usage in (PUBLIC_TEST, PRIVATE_TEST)}
    for model in ("cnn", "resnet"):
        keras.utils.set_random_seed(1)
        settings = dataclasses.replace(tiny_settings, model=model)
        network = add_softmax(build_model(settings, len(tiny_dataset.class_names)))
        for fold in range(4):
            network.set_weights(
                [w + generator.normal(0, 0.05, w.shape).clip(-0.1, 0.1) for w in network.get_weights()]
            )
            member = directory.member_folder(folder, fold, f"{model}_0")
            member.mkdir(parents=True)
            network.save(member / directory.MODEL)
            parts = predict_parts(network, tiny_dataset, {"oof": labelled[fold::4], **tests})
            write_predictions(member / directory.PREDICTIONS, parts, tiny_dataset.fingerprint)
            (member / directory.HISTORY).write_text(f"{COLUMNS}\n1,1.5,0.4,1.4,0.5,0.1,9,2\n")
            data = {"name": "tiny.h5", "images": len(tiny_dataset.images), "fingerprint": tiny_dataset.fingerprint}
            record = make_record(dataclasses.replace(settings, fold=fold), tiny_dataset.class_names, data)
            directory.write_record(member, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    return folder
