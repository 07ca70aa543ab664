"""FER2013 itself, where it lies beside the checkout."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.data.store import load_dataset
from fer_ensemble.data.summary import count_copies

SOURCE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "fer2013"


@pytest.mark.skipif(not SOURCE.is_dir(), reason=f"{SOURCE} is not there")
def test_fer2013_has_its_known_numbers_from_either_source():
    with tempfile.TemporaryDirectory() as name:  # 800 MB, which pytest would keep for three runs
        folder = pathlib.Path(name)
        subprocess.run([sys.executable, SOURCE / "restore.py", folder], check=True, capture_output=True)
        whole = load_dataset([folder / "fer2013.csv", folder / "fer2013new.csv"])
        contest = load_dataset([folder / "train.csv", folder / "test.csv"])
    assert [len(whole.split(usage)) for usage in (TRAINING, PUBLIC_TEST, PRIVATE_TEST)] == [28709, 3589, 3589]
    np.testing.assert_array_equal(
        np.bincount(whole.labels[whole.split(TRAINING)]), [3995, 436, 4097, 7215, 4830, 3171, 4965]
    )
    assert (whole.labels[whole.split(PRIVATE_TEST)] == -1).all()
    np.testing.assert_array_equal(whole.votes[0], [4, 0, 0, 1, 3, 2, 0, 0, 0, 0])
    redundant, shared = count_copies(whole)
    assert redundant == 1853
    assert shared[PRIVATE_TEST, TRAINING] == 288

    for name in ("images", "usage", "rows"):
        np.testing.assert_array_equal(getattr(contest, name), getattr(whole, name))
    np.testing.assert_array_equal(contest.labels[:28709], whole.labels[:28709])
