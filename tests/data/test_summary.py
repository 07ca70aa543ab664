import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.summary import count_copies, count_images, describe_dataset


@pytest.fixture
def dataset():
    """Training a a b, PublicTest a c c, PrivateTest c d."""
    images = np.zeros((8, 48, 48), np.uint8) + np.array([1, 1, 2, 1, 3, 3, 3, 4], np.uint8)[:, None, None]
    labels, usage = np.array([0, 0, 1, 0, 1, 1, -1, -1]), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    return make_dataset(images, labels, usage, np.arange(8), ("sad", "happy"))


def test_images_are_counted_by_split_and_class(dataset):
    np.testing.assert_array_equal(count_images(dataset), [[2, 1, 0], [1, 2, 0], [0, 0, 2]])


def test_copies_are_counted_within_and_across_splits(dataset):
    redundant, shared = count_copies(dataset)
    assert redundant == 4  # a, a, c, c beyond the first of each
    np.testing.assert_array_equal(shared, [[1, 2, 0], [1, 1, 2], [0, 1, 0]])


def test_the_description_holds_the_counts(dataset):
    lines = describe_dataset(dataset).splitlines()
    assert lines[0].split() == ["images", "sad", "happy", "unlabelled", "total"]
    assert lines[4].split() == ["all", "3", "3", "2", "8"]
    assert "exact copies: 4 images repeat an earlier one" in lines
    assert "  PublicTest images that are also in Training: 1" in lines
    assert lines[-1] == f"fingerprint: {dataset.fingerprint}"
