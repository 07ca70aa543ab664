"""What does not fit into memory is told in one line, with what it takes, before it is tried."""

import re
import sys

import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset_file import write_dataset

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is free")
FACES = 20_000  # 46 MB
BEGINNING = """
import pathlib, resource, sys
from fer_ensemble.data.readers.faces import GrowingImages
from fer_ensemble.data.contents import select_classes
from fer_ensemble.data.store import read_dataset
from fer_ensemble.training.member import train_member
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
import filelock, numpy as np

path, experiments = sys.argv[1:]
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + {megabytes} * 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""
STEPS = {
    "reading": (30, "read_dataset(path)", r"faces\.h5: its bytes take 46 MB"),
    "a CSV": (
        30,
        "images = GrowingImages()\nfor _ in range(20_000): images.append(np.zeros(2304, np.uint8))",
        r"[\d,]+ more faces take \d+ MB",
    ),
    "classes": (70, "select_classes(read_dataset(path), 'b,a')", "20,000 faces of b, a take 46 MB"),
    "training": (
        100,
        "train_member(TrainingSettings(), TrainingOptions(data=path, experiments=experiments))",
        "exp_0/cnn_0: 15,000 images to train on, 5,000 held out take 81 MB",
    ),
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The path of a data set of so many faces, none of them a copy."""
    path = tmp_path_factory.mktemp("faces") / "faces.h5"
    images = np.random.default_rng(0).integers(0, 256, (FACES, 48, 48), np.uint8)
    labels = np.arange(FACES) % 2
    write_dataset(make_dataset(images, labels, np.zeros(FACES, int), np.arange(FACES), ("a", "b")), path)
    return path


@pytest.mark.parametrize("step", STEPS)
def test_what_does_not_fit_is_told_before_it_is_tried(step, faces, tmp_path, python):
    megabytes, code, message = STEPS[step]
    result = python("-c", BEGINNING.format(megabytes=megabytes) + code, faces, tmp_path)
    line = result.stderr.splitlines()[-1]
    assert line.startswith("fer_ensemble.base.errors.UserError: "), result.stderr
    assert re.search(message + r" of memory\. Received: \d+ MB that are free\.", line), line
