"""Making a `Dataset`: checks, fingerprint, a subset of the classes."""

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory
from fer_ensemble.data.classes import parse_classes
from fer_ensemble.data.dataset import IMAGE_SIZE, SPLITS, UNLABELLED, VOTE_NAMES, Dataset


def make_dataset(
    images: np.ndarray,
    labels: np.ndarray,
    usage: np.ndarray,
    rows: np.ndarray,
    class_names: Sequence[str],
    votes: np.ndarray | None = None,
    made_splits: str = "",
) -> Dataset:
    """Checks the arrays and puts them together, with their fingerprint.

    Args:
        images: uint8, shape `(images, 48, 48)`.
        labels: Integers, shape `(images,)`, positions in `class_names`, or -1.
        usage: Integers, shape `(images,)`, positions in `SPLITS`.
        rows: Integers, shape `(images,)`, none negative, no two alike.
        class_names: At least two different names.
        votes: uint8, shape `(images, 10)`, or None.
        made_splits: How `usage` was made, where the source names no splits.

    Returns:
        `Dataset`.

    Raises:
        ValueError: If an array is not as described, or there is no image.
    """
    class_names = tuple(class_names)
    if len(set(class_names)) < max(2, len(class_names)):
        raise ValueError(f"`class_names` must be at least two different names. Received: {class_names}.")
    images = np.asarray(images)
    count = len(images) if images.ndim else 0
    if images.dtype != np.uint8 or images.shape != (count, IMAGE_SIZE, IMAGE_SIZE) or not count:
        raise ValueError(
            f"`images` must be uint8 of shape (images, {IMAGE_SIZE}, {IMAGE_SIZE}), at least one. "
            f"Received: {images.dtype} of shape {images.shape}."
        )
    labels = _check_integers("labels", labels, count, UNLABELLED, len(class_names) - 1, np.int8)
    usage = _check_integers("usage", usage, count, 0, len(SPLITS) - 1, np.uint8)
    rows = _check_integers("rows", rows, count, 0, np.iinfo(np.int64).max, np.int64)
    if len(np.unique(rows)) < count:
        raise ValueError("`rows` must be a different number for each image. Received: some number twice.")
    if votes is not None:
        votes = np.asarray(votes)
        if votes.dtype != np.uint8 or votes.shape != (count, len(VOTE_NAMES)):
            raise ValueError(
                f"`votes` must be uint8 of shape ({count}, {len(VOTE_NAMES)}), a row per image. "
                f"Received: {votes.dtype} of shape {votes.shape}."
            )
    arrays = {"images": images, "labels": labels, "usage": usage, "rows": rows, "votes": votes}
    fingerprint = _fingerprint(class_names, arrays)
    return Dataset(class_names=class_names, fingerprint=fingerprint, made_splits=made_splits, **arrays)


def select_classes(dataset: Dataset, classes: str | Iterable[str]) -> Dataset:
    """Keeps a subset of the classes, and numbers them anew.

    Args:
        dataset: `Dataset`.
        classes: Names in their new order, or one comma-separated string. Nothing keeps all as they are.

    Returns:
        `Dataset` with the images of these classes and those without a label; `rows` stay what they were.

    Raises:
        UserError: If a class is unknown or occurs twice, or no labelled image is left.
    """
    names = parse_classes(classes, dataset.class_names)
    if names == dataset.class_names:
        return dataset
    new_labels = np.full(len(dataset.class_names) + 1, -2)
    new_labels[UNLABELLED] = UNLABELLED  # the last place
    for label, name in enumerate(names):
        new_labels[dataset.class_names.index(name)] = label
    labels = new_labels[dataset.labels]
    keep = labels >= UNLABELLED
    if not (labels >= 0).any():
        raise UserError(
            f"`classes` must leave labelled images. Received: {', '.join(names)}, of which there are none."
        )
    check_memory(dataset.images[:1].nbytes * int(keep.sum()), f"{keep.sum():,} faces of {', '.join(names)}")
    votes = None if dataset.votes is None else dataset.votes[keep]
    arrays = (dataset.images[keep], labels[keep], dataset.usage[keep], dataset.rows[keep])
    return make_dataset(*arrays, names, votes, dataset.made_splits)


def _check_integers(name, values, count, low, high, kind):
    values = np.asarray(values)
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be integers of shape ({count},), one per image. "
            f"Received: {values.dtype} of shape {values.shape}."
        )
    if values.min() < low or values.max() > high:
        raise ValueError(f"`{name}` must be within {low}..{high}. Received: {values.min()}..{values.max()}.")
    return values.astype(kind)


def _fingerprint(class_names, arrays):
    """Returns the SHA-256 of names, shapes, kinds and bytes (little-endian, C order)."""
    digest = hashlib.sha256(json.dumps(class_names).encode())
    for name, array in arrays.items():
        if array is not None:
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array)
    return digest.hexdigest()
