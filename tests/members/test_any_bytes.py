"""Whatever bytes the files of a member have: what they hold, or one line, within bounds of memory (Hypothesis)."""

import json
import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_ensemble.base.errors import UserError
from fer_ensemble.members import directory, notes
from fer_ensemble.members.predictions import Predictions, read_predictions, write_predictions
from fer_ensemble.members.saved_network import read_architecture
from fer_ensemble.training.state import read_notes
from tests.any_bytes import damaged, few, within_memory

ROOT = pathlib.Path(__file__).parents[2]
RECORD = {
    "settings": {"model": "cnn", "replica": 0, "fold": 1},
    "class_names": ["happy", "bored"],
    "data": {"name": "x.h5", "images": 9, "fingerprint": "a" * 64},
    "folds": {"folds": 4, "fingerprint": "b" * 64},
    "files": {"model.keras": "c" * 64},
}
READERS = {
    directory.RECORD: lambda path: directory.read_record(path.parent),
    directory.HISTORY: lambda path: directory.read_history(path.parent),
    directory.PREDICTIONS: read_predictions,
    directory.MODEL: read_architecture,
    directory.STATE: read_notes,
    notes.PROGRESS: lambda path: notes.read_progress(path.parent),
    notes.FAILURE: lambda path: notes.read_failure(path.parent),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of each file of a small member, by their names."""
    folder = tmp_path_factory.mktemp("member")
    (folder / directory.RECORD).write_text(json.dumps(RECORD))
    (folder / directory.HISTORY).write_text("epoch,loss,val_loss\n1,1.5,\n2,1.25,1.75\n")
    probabilities = np.full((3, 2), 0.5, np.float32)
    part = Predictions(np.arange(3), np.array([0, 1, -1], np.int8), np.zeros(3, bool), probabilities)
    write_predictions(folder / directory.PREDICTIONS, {"oof": part}, "a" * 64)
    np.savez(folder / directory.STATE, notes=json.dumps({"history": []}), **{"00000": np.zeros(5)})
    notes.write_progress(folder, {"epoch": 1, "epochs": 2})
    notes.write_failure(folder, UserError("It went wrong."))
    network = (ROOT / "fer_ensemble" / "assets" / "network.keras").read_bytes()
    return {directory.MODEL: network, **{path.name: path.read_bytes() for path in folder.iterdir()}}


def read(name, content):
    """Reads a file of a member; returns whether it could be."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(content)
        with within_memory():
            try:
                found = READERS[name](path)
            except UserError as told:
                assert name in str(told) and "\n" not in str(told) and len(str(told)) < 1000
                return False
            return found is not None


@pytest.mark.parametrize("name", READERS)
def test_the_whole_files_are_read(whole, name):
    assert read(name, whole[name])


@pytest.mark.parametrize("name", READERS)
@few
@given(st.data())
def test_a_damaged_file_is_read_or_told_in_one_line(whole, name, data):
    read(name, data.draw(damaged([whole[name]]) | st.binary(max_size=200)))
