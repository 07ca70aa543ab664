import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import CLASS_NAMES, TRAINING, Dataset
from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.data.folds import assign_folds, load_folds

ROOT = pathlib.Path(__file__).parents[2]


def make_images(sizes, seed=0):
    """Different random images, the i-th repeated `sizes[i]` times, in mixed order; and their numbers i."""
    random = np.random.default_rng(seed)
    different = random.integers(0, 256, (len(sizes), 4, 4), dtype=np.uint8)
    numbers = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return different[numbers], numbers


def count(assignment, labels, folds=4):
    """Images of each fold and class, shape `(folds, classes)`."""
    classes = np.unique(labels)
    return np.array(
        [[np.sum((assignment == fold) & (labels == label)) for label in classes] for fold in range(folds)]
    )


def make_dataset(images, labels, usage=None, fingerprint="a" * 64):
    return Dataset(
        images=images,
        labels=labels.astype(np.int8),
        usage=np.full(len(images), TRAINING, np.uint8) if usage is None else usage,
        rows=np.arange(len(images)),
        class_names=CLASS_NAMES,
        fingerprint=fingerprint,
    )


@pytest.fixture(scope="module")
def sample():
    images, labels, usage = draw_sample(images=336)
    return make_dataset(images, labels, usage)


@pytest.fixture
def small():
    images, numbers = make_images([1] * 40 + [3] * 4)
    return make_dataset(images, numbers % 3)


def test_every_image_is_in_one_of_the_folds():
    images, numbers = make_images([1] * 50)
    assignment = assign_folds(images, numbers % 2, folds=5)
    assert assignment.dtype == np.int8
    assert assignment.shape == (50,)
    assert sorted(set(assignment.tolist())) == [0, 1, 2, 3, 4]


def test_a_group_of_copies_never_crosses_a_fold():
    images, numbers = make_images([1, 2, 3, 4, 5, 12] * 20)
    assignment = assign_folds(images, numbers % 5)
    for number in range(120):
        assert len(set(assignment[numbers == number])) == 1


def test_copies_with_different_labels_stay_together():
    images, numbers = make_images([1] * 40 + [4] * 10)
    labels = np.random.default_rng(1).integers(0, 3, len(images))
    assignment = assign_folds(images, labels)
    for number in range(50):
        assert len(set(assignment[numbers == number])) == 1


def test_single_images_are_spread_over_the_folds_to_within_one_per_class():
    images, _ = make_images([1] * 203)
    labels = np.repeat([0, 1, 2], [100, 7, 96])
    counts = count(assign_folds(images, labels), labels)
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 3


def test_single_images_even_out_what_the_groups_of_copies_left_uneven():
    images, numbers = make_images([5, 3] + [1] * 20)  # 28 images, 7 per fold
    assignment = assign_folds(images, np.zeros(len(numbers), int))
    assert count(assignment, np.zeros(len(numbers))).ravel().tolist() == [7, 7, 7, 7]


def test_without_single_images_a_class_differs_by_no_more_than_its_largest_group():
    for seed in range(20):
        sizes = np.random.default_rng(seed).integers(2, 7, 30)
        images, numbers = make_images(sizes, seed)
        labels = numbers % 3
        counts = count(assign_folds(images, labels), labels)
        for label in range(3):
            assert np.ptp(counts[:, label]) <= sizes[label::3].max()


def test_permuting_the_rows_permutes_the_assignment():
    images, numbers = make_images([1] * 60 + [2] * 10 + [5] * 3)
    labels = (numbers % 7 + (np.arange(len(numbers)) % 11 == 0)) % 7  # some copies have different labels
    order = np.random.default_rng(2).permutation(len(images))
    np.testing.assert_array_equal(assign_folds(images[order], labels[order]), assign_folds(images, labels)[order])


def test_the_same_seed_gives_the_same_folds_and_another_seed_gives_others():
    images, numbers = make_images([1] * 100)
    first, again, other = (assign_folds(images, numbers % 4, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.5  # 0.75 are expected


def test_the_assignment_is_the_same_on_every_machine():
    images = np.arange(12, dtype=np.uint8).reshape(12, 1, 1)
    assignment = assign_folds(images, np.arange(12) % 2, folds=3)
    # Written down once: to change it would give new members other folds than the old ones have.
    assert assignment.tolist() == [2, 2, 2, 0, 1, 0, 0, 1, 1, 2, 0, 1]


def test_unlabelled_images_are_spread_like_a_class():
    images, _ = make_images([1] * 56)
    labels = np.repeat([-1, 0], [16, 40])
    assert count(assign_folds(images, labels), labels)[:, 0].tolist() == [4, 4, 4, 4]


def test_fewer_unlabelled_images_than_folds_are_no_error():
    images, _ = make_images([1] * 42)
    assert len(assign_folds(images, np.repeat([-1, 0], [2, 40]))) == 42


def test_the_bundled_sample_is_split_evenly_and_without_a_leak(sample):
    training = sample.split(TRAINING)
    labels, groups = sample.labels[training], find_copies(sample.images[training])
    assignment = assign_folds(sample.images[training], labels)
    assert np.ptp(count(assignment, labels), axis=0).max() <= 1
    assert len(set(groups)) == len(groups) - len(CLASS_NAMES)  # the copies that `draw_sample` promises
    assert len(set(zip(groups, assignment, strict=True))) == len(set(groups))


@pytest.mark.parametrize("folds", [-1, 0, 1, 128])
def test_folds_out_of_range_are_an_error(folds):
    images, numbers = make_images([1] * 10)
    with pytest.raises(ValueError, match=rf"`folds` must be between 2 and 127\. Received: {folds}\."):
        assign_folds(images, numbers * 0, folds=folds)


def test_more_folds_than_different_images_of_a_class_are_an_error():
    images, numbers = make_images([1] * 10 + [4] * 3)
    labels = np.where(numbers < 10, 0, 1)  # class 1: 12 images, but 3 different ones
    assert len(assign_folds(images, labels, folds=3)) == 22
    with pytest.raises(ValueError, match=r"one per fold\. Received: 3 of the class bored"):
        assign_folds(images, labels, folds=4, class_names=("happy", "bored"))


def test_fewer_images_than_folds_are_an_error():
    images, _ = make_images([1] * 3)
    with pytest.raises(ValueError, match=r"at least 4 different Training images.* Received: 3\."):
        assign_folds(images, np.full(3, -1))


def test_labels_that_do_not_fit_the_images_are_an_error():
    images, _ = make_images([1] * 10)
    with pytest.raises(ValueError, match=r"one value per image \(10\)\. Received: 9 values"):
        assign_folds(images, np.zeros(9, int))


def test_load_assigns_the_training_images_in_the_order_of_the_split(sample, tmp_path):
    assignment, fingerprint = load_folds(sample, tmp_path / "sample.h5", folds=3, seed=5)
    training = sample.split(TRAINING)
    np.testing.assert_array_equal(assignment, assign_folds(sample.images[training], sample.labels[training], 3, 5))
    assert assignment.dtype == np.int8
    assert len(fingerprint) == 64


def test_the_stored_file_names_row_and_fold_of_each_training_image(small, tmp_path):
    assignment, fingerprint = load_folds(small, tmp_path / "small.h5", seed=2)
    lines = (tmp_path / "small.folds-4-seed-2.csv").read_text().splitlines()
    assert small.fingerprint in lines[1]
    assert fingerprint in lines[2]
    assert lines[3:] == ["row,fold"] + [f"{row},{fold}" for row, fold in enumerate(assignment)]
    assert len(list(tmp_path.iterdir())) == 1  # no temporary file is left


def test_a_stored_assignment_is_used_again(small, tmp_path, monkeypatch):
    assignment, fingerprint = load_folds(small, tmp_path / "small.h5")
    monkeypatch.setattr("fer_ensemble.data.folds.assign_folds", None)  # calling it would fail
    again, same_fingerprint = load_folds(small, tmp_path / "small.h5")
    np.testing.assert_array_equal(again, assignment)
    assert again.dtype == np.int8
    assert same_fingerprint == fingerprint


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text[: text.rindex("\n", 0, -1) + 1],  # the last row is missing
        lambda text: text[:-2] + ("0" if text[-2] != "0" else "1") + "\n",  # another fold
        lambda text: text[:-2] + "999\n",
        lambda text: text[:-2] + "x\n",
        lambda text: text.replace("\n7,", "\n70,"),
        lambda text: text.replace(",", ";"),
        lambda text: "\0" * len(text),
    ],
)
def test_a_damaged_file_is_made_anew(small, tmp_path, damage):
    expected = load_folds(small, tmp_path / "small.h5")
    file = tmp_path / "small.folds-4-seed-0.csv"
    text = file.read_text()
    assert damage(text) != text
    file.write_text(damage(text))
    assignment, fingerprint = load_folds(small, tmp_path / "small.h5")
    np.testing.assert_array_equal(assignment, expected[0])
    assert fingerprint == expected[1]
    assert file.read_text() == text


def test_bytes_that_are_no_text_are_made_anew(small, tmp_path):
    file = tmp_path / "small.folds-4-seed-0.csv"
    file.write_bytes(b"\xff\xfe\x00row,fold\n0,1\n")
    load_folds(small, tmp_path / "small.h5")
    assert small.fingerprint in file.read_text()


def test_a_file_of_other_data_is_made_anew(small, tmp_path):
    load_folds(small, tmp_path / "small.h5")
    images, numbers = make_images([1] * 52, seed=9)
    other = make_dataset(images, numbers % 3, fingerprint="b" * 64)
    assignment, _ = load_folds(other, tmp_path / "small.h5")
    np.testing.assert_array_equal(assignment, assign_folds(images, numbers % 3))
    assert other.fingerprint in (tmp_path / "small.folds-4-seed-0.csv").read_text()


def test_a_folder_that_cannot_be_written_is_no_error(small, tmp_path):
    # A file in the folder's place: unlike permissions, that stops root, too.
    (tmp_path / "no_folder").write_text("")
    assignment, _ = load_folds(small, tmp_path / "no_folder" / "small.h5")
    np.testing.assert_array_equal(assignment, assign_folds(small.images, small.labels))


def test_the_fingerprint_tells_assignments_rows_folds_and_seeds_apart(small, tmp_path):
    other_rows = Dataset(**{**vars(small), "rows": small.rows + 1, "fingerprint": "c" * 64})
    fingerprints = [
        load_folds(small, tmp_path / "small.h5")[1],
        load_folds(small, tmp_path / "small.h5", folds=3)[1],
        load_folds(small, tmp_path / "small.h5", seed=1)[1],
        load_folds(other_rows, tmp_path / "other.h5")[1],
    ]
    assert len(set(fingerprints)) == 4


LOAD_MANY_TIMES = """
import pathlib, pickle, sys
from fer_ensemble.data.folds import load_folds

dataset = pickle.loads(pathlib.Path(sys.argv[1], "dataset.pickle").read_bytes())
for _ in range(30):
    print(load_folds(dataset, pathlib.Path(sys.argv[1], "small.h5"))[1])
    pathlib.Path(sys.argv[1], "small.folds-4-seed-0.csv").unlink(missing_ok=True)
"""


def test_processes_that_load_at_once_all_get_the_same_folds(small, tmp_path):
    (tmp_path / "dataset.pickle").write_bytes(pickle.dumps(small))
    arguments = [sys.executable, "-c", LOAD_MANY_TIMES, str(tmp_path)]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(6)]
    printed = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert [len(fingerprints) for fingerprints in printed] == [30] * 6
    assert set().union(*printed) == {load_folds(small, tmp_path / "other.h5")[1]}
