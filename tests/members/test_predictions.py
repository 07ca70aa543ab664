import resource

import h5py
import keras
import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.members.predictions import (
    Predictions,
    predict_parts,
    predict_probabilities,
    read_predictions,
    write_predictions,
)


@pytest.fixture(scope="module")
def model(tiny_member):
    return keras.saving.load_model(tiny_member / "model.keras", compile=False)


@pytest.fixture
def parts():
    generator = np.random.default_rng(0)

    def make(images):
        return Predictions(
            rows=np.arange(images) * 3,
            labels=generator.integers(-1, 3, images).astype(np.int8),
            copies=generator.random(images) < 0.5,
            probabilities=generator.dirichlet([1, 1, 1], images).astype(np.float32),
        )

    return {"oof": make(5), "PublicTest": make(1), "PrivateTest": make(0)}


def test_a_full_disk_is_an_error_and_leaves_the_old_file(parts, tmp_path):
    write_predictions(tmp_path / "a.h5", parts, "data")
    before = (tmp_path / "a.h5").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # bytes a file may have: as good as a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            write_predictions(tmp_path / "a.h5", parts, "other")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.h5": before}


def assert_same(parts, others):
    assert parts.keys() == others.keys()
    for name, part in parts.items():
        for field, values in vars(part).items():
            other = getattr(others[name], field)
            assert other.dtype == values.dtype
            np.testing.assert_array_equal(other, values)


def test_no_images_give_no_probabilities(model):
    probabilities = predict_probabilities(model, np.empty((0, 48, 48), np.uint8))
    assert probabilities.shape == (0, 3) and probabilities.dtype == np.float32


IMAGES = 259  # a full batch of every size in use, and some more


def test_every_image_counts_also_those_that_fill_no_batch(model):
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 48, 48), np.uint8)
    probabilities = predict_probabilities(model, images)
    assert probabilities.shape == (IMAGES, 3) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    # Each image's own, in the order of the images, whatever else is in the batch.
    chosen = [0, 7, 63, 64, 255, 256, 258]
    np.testing.assert_allclose(predict_probabilities(model, images[chosen]), probabilities[chosen], atol=1e-5)
    assert np.ptp(probabilities, axis=0).min() > 1e-3


def test_parts_hold_what_scores_them(model, tiny_dataset):
    chosen = {"oof": np.array([3, 1]), "PrivateTest": tiny_dataset.split(PRIVATE_TEST)}
    parts = predict_parts(model, tiny_dataset, chosen)
    assert parts.keys() == chosen.keys()
    np.testing.assert_array_equal(parts["oof"].rows, [11, 7])  # rows are 2 n + 5
    for name, positions in chosen.items():
        np.testing.assert_array_equal(parts[name].labels, tiny_dataset.labels[positions])
        expected = predict_probabilities(model, tiny_dataset.images[positions])
        np.testing.assert_allclose(parts[name].probabilities, expected, atol=1e-5)


def test_copies_of_training_images_are_marked_in_the_test_splits_only(model):
    images = np.random.default_rng(0).integers(0, 256, (8, 48, 48), np.uint8)
    images[1] = images[0]  # within Training: held out together
    images[4] = images[0]  # PublicTest
    images[6] = images[2]  # PrivateTest
    images[7] = images[5]  # a copy across the test splits: nobody was trained on it
    usage = np.array([TRAINING] * 4 + [PUBLIC_TEST] * 2 + [PRIVATE_TEST] * 2)
    dataset = make_dataset(images, np.zeros(8, int), usage, np.arange(8), ("a", "b"))
    parts = predict_parts(
        model, dataset, {name: dataset.split(n) for n, name in enumerate(("oof", "public", "private"))}
    )
    copies = {name: part.copies.tolist() for name, part in parts.items()}
    assert copies == {"oof": [False] * 4, "public": [True, False], "private": [True, False]}


def test_what_is_written_is_read_again(parts, tmp_path):
    path = tmp_path / "predictions.h5"
    write_predictions(path, parts, "f" * 64)
    others, fingerprint = read_predictions(path)
    assert fingerprint == "f" * 64
    assert_same(parts, others)
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.h5"]


def test_plain_h5py_can_read_the_file(parts, tmp_path):
    write_predictions(tmp_path / "predictions.h5", parts, "f" * 64)
    with h5py.File(tmp_path / "predictions.h5") as file:
        np.testing.assert_array_equal(file["oof/probabilities"][()], parts["oof"].probabilities)
        assert file.attrs["dataset"] == "f" * 64


def test_predictions_do_not_change():
    part = Predictions(*(np.zeros(1),) * 4)
    with pytest.raises(AttributeError):
        part.rows = None


def damage(path, kind, parts):
    content = path.read_bytes()
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "missing":
        path.unlink()
    else:
        with h5py.File(path, "a") as file:
            if kind == "a field missing":
                del file["oof/labels"]
            elif kind == "no fingerprint":
                del file.attrs["dataset"]
            else:
                file["images"] = np.zeros(3)  # of a data set, say, not a group


@pytest.mark.parametrize(
    "kind",
    [
        "cut",
        "text",
        "missing",
        "a field missing",
        "no fingerprint",
        "another file",
    ],
)
def test_a_damaged_file_is_told(kind, parts, tmp_path):
    path = tmp_path / "predictions.h5"
    write_predictions(path, parts, "f" * 64)
    damage(path, kind, parts)
    with pytest.raises(
        ValueError, match=r"predictions\.h5 must hold the predictions of a member, but cannot be read"
    ):
        read_predictions(path)
