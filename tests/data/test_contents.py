import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset, select_classes
from fer_ensemble.data.dataset import CLASS_NAMES


def arrays(**changes):
    """Six images; labels angry, happy, none, neutral, happy, sad."""
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)
    votes = np.arange(60, dtype=np.uint8).reshape(6, 10)
    return {
        "images": images, "labels": np.array([0, 3, -1, 6, 3, 4]), "usage": np.array([0, 0, 2, 1, 0, 0]),
        "rows": np.array([0, 1, 2, 5, 4, 9]), "class_names": CLASS_NAMES, "votes": votes, **changes,
    }  # fmt: skip


def test_a_dataset_holds_the_arrays_in_their_kinds():
    dataset = make_dataset(**arrays())
    kinds = [getattr(dataset, name).dtype for name in ("images", "labels", "usage", "rows", "votes")]
    assert kinds == [np.uint8, np.int8, np.uint8, np.int64, np.uint8]
    np.testing.assert_array_equal(dataset.labels, [0, 3, -1, 6, 3, 4])


def test_the_fingerprint_depends_on_the_contents_alone():
    first = make_dataset(**arrays())
    again = make_dataset(
        **arrays(labels=first.labels, rows=first.rows.astype(np.uint16), images=first.images.copy())
    )
    assert first.fingerprint == again.fingerprint
    assert len(first.fingerprint) == 64


@pytest.mark.parametrize("name", ["images", "labels", "usage", "rows", "class_names", "votes"])
def test_the_fingerprint_notices_any_change(name):
    values = arrays()
    if name == "class_names":
        values[name] = (*CLASS_NAMES[:-1], "bored")
    elif name == "votes":
        values[name] = None
    else:
        values[name][-1] = values[name][-1] - 1 if name == "labels" else values[name][-1] + 1
    assert make_dataset(**values).fingerprint != make_dataset(**arrays()).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((6, 48, 47), np.uint8)}, r"`images` must be uint8 of shape \(images, 48, 48\)"),
        ({"images": np.zeros((6, 48, 48))}, r"Received: float64 of shape \(6, 48, 48\)"),
        ({"images": np.zeros((0, 48, 48), np.uint8)}, r"at least one\. Received: uint8 of shape \(0, 48, 48\)"),
        (
            {"labels": np.zeros(5, int)},
            r"`labels` must be integers of shape \(6,\).*Received: int64 of shape \(5,\)",
        ),
        ({"labels": np.full(6, 7)}, r"`labels` must be within -1\.\.6\. Received: 7\.\.7\."),
        ({"labels": np.zeros(6)}, r"`labels` must be integers.*Received: float64"),
        ({"usage": np.full(6, 3)}, r"`usage` must be within 0\.\.2\. Received: 3\.\.3\."),
        ({"rows": np.zeros(6, int)}, r"`rows` must be a different number for each image"),
        ({"votes": np.zeros((6, 9), np.uint8)}, r"`votes` must be uint8 of shape \(6, 10\).*\(6, 9\)"),
        ({"class_names": ("a", "a")}, r"`class_names` must be at least two different names"),
    ],
)
def test_an_array_that_is_not_as_described_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        make_dataset(**arrays(**changes))


def test_a_subset_is_numbered_anew_and_keeps_images_without_label():
    dataset = make_dataset(**arrays())
    subset = select_classes(dataset, "neutral,happy")
    np.testing.assert_array_equal(subset.labels, [1, -1, 0, 1])
    np.testing.assert_array_equal(subset.rows, [1, 2, 5, 4])
    np.testing.assert_array_equal(subset.usage, [0, 2, 1, 0])
    np.testing.assert_array_equal(subset.images, dataset.images[[1, 2, 3, 4]])
    np.testing.assert_array_equal(subset.votes, dataset.votes[[1, 2, 3, 4]])
    assert subset.class_names == ("neutral", "happy")
    assert subset.fingerprint != dataset.fingerprint


def test_all_classes_in_another_order_keep_all_images():
    subset = select_classes(make_dataset(**arrays()), CLASS_NAMES[::-1])
    np.testing.assert_array_equal(subset.labels, [6, 3, -1, 0, 3, 2])


def test_nothing_selected_changes_nothing():
    dataset = make_dataset(**arrays())
    assert select_classes(dataset, "") is dataset


def test_a_subset_without_images_is_an_error():
    with pytest.raises(ValueError, match=r"must leave labelled images\. Received: disgust, fear"):
        select_classes(make_dataset(**arrays()), "disgust,fear")
