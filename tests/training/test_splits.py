import numpy as np
import pytest

from fer_ensemble.data.dataset import TRAINING, UNLABELLED
from fer_ensemble.data.folds import FOLD_SPLITTER, load_folds
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.splits import split_training


@pytest.fixture
def split(tiny_dataset, tiny_data):
    return lambda **settings: split_training(tiny_dataset, tiny_data, TrainingSettings(**settings))


@pytest.fixture
def labelled(tiny_dataset):
    training = tiny_dataset.split(TRAINING)
    return training[tiny_dataset.labels[training] != UNLABELLED]


def test_a_fold_is_held_out_and_the_others_are_trained_on(split, tiny_dataset, tiny_data, labelled):
    own, held_out, description = split(fold=2)
    folds, fingerprint = load_folds(tiny_dataset, tiny_data, 4, 0)
    np.testing.assert_array_equal(held_out, [position for position in labelled if folds[position] == 2])
    np.testing.assert_array_equal(np.sort(np.concatenate([own, held_out])), labelled)
    assert description == {"folds": 4, "seed": 0, "splitter": FOLD_SPLITTER, "fingerprint": fingerprint}


def test_without_a_fold_all_labelled_training_images_are_trained_on(split, labelled):
    own, held_out, description = split(fold=None)
    np.testing.assert_array_equal(own, labelled)
    assert len(held_out) == 0
    assert (description["folds"], description["holdout"]) == (None, 0.0)
    assert description["fingerprint"] == split(fold=None, fold_seed=5)[2]["fingerprint"]  # nothing was drawn


def test_a_holdout_is_its_share_of_each_class_drawn_by_the_seed_of_the_folds(split, tiny_dataset, labelled):
    own, held_out, description = split(fold=None, holdout=0.25)
    np.testing.assert_array_equal(np.sort(np.concatenate([own, held_out])), labelled)
    assert np.bincount(tiny_dataset.labels[held_out]).tolist() == [4, 4, 4]  # of 16 each
    assert split(fold=None, holdout=0.25, seed=3, replica=1)[2] == description  # all members share it
    assert description["holdout"] == 0.25
    for changes in ({"fold_seed": 1}, {"holdout": 0.5}):
        other = split(**{"fold": None, "holdout": 0.25, **changes})
        assert other[2]["fingerprint"] != description["fingerprint"]
        assert not np.array_equal(other[1], held_out)
