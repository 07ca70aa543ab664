"""Which training image is held out in which fold: assigned once, stored beside the data."""

import contextlib
import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base import atomic_files
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import TRAINING, UNLABELLED, Dataset

FOLD_SPLITTER = "fer_ensemble.data.folds.assign_folds"  # as records name it
MAXIMUM_FOLDS = 127  # fold numbers are int8
_COLUMNS = "row,fold"


def assign_folds(
    images: np.ndarray, labels: np.ndarray, folds: int = 4, seed: int = 0, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Assigns every image to one of the folds, each class evenly.

    Copies of an image go to one fold, or a network would be tested on what it was trained on. The largest
    groups of copies are placed first, each in the fold that has the fewest images of its class so far; the
    many single images come last and even out what the groups left uneven.

    Only the contents decide, not their order: rows in another order get the same folds, on any machine.

    Args:
        images: uint8 array of shape `(images, height, width)`.
        labels: Integer array of shape `(images,)`. Unlabelled images (-1) are spread like one more class.
        folds: How many folds, 2..127.
        seed: Any integer; another seed gives another assignment.
        class_names: Names of the classes, for messages.

    Returns:
        int8 array of shape `(images,)`, the fold of each image, `0 .. folds - 1`. Between two folds, the
        number of images of a class differs by at most the size of the largest group of copies, and by at most
        1 where the class has enough single images to even it out, as each class of FER2013 has. Groups whose
        copies are labelled differently may cost more where single images are few.

    Raises:
        ValueError: If `folds` is out of range, or there is not one label per image.
        UserError: If a class has fewer different images than there are folds.
    """
    if not 2 <= folds <= MAXIMUM_FOLDS:
        raise ValueError(f"`folds` must be between 2 and {MAXIMUM_FOLDS}. Received: {folds}.")
    if len(images) != len(labels):
        raise ValueError(
            f"`labels` must have one value per image ({len(images)}). Received: {len(labels)} values."
        )
    groups, group_counts, order = order_groups(images, labels, seed)
    _check_enough(group_counts, np.unique(labels), folds, class_names)

    fold_of_group = np.empty(len(order), np.int8)
    fold_counts = np.zeros((folds, group_counts.shape[1]), np.int64)
    # scikit-learn's StratifiedGroupKFold compares standard deviations instead, whose last digits may differ
    # between processors. On FER2013 it was as even, but took 1.9 s, this loop 0.2 s.
    for group in order:
        crowding = fold_counts @ group_counts[group]  # images of the group's classes that are already there
        fold = np.lexsort((fold_counts.sum(axis=1), crowding))[0]
        fold_counts[fold] += group_counts[group]
        fold_of_group[group] = fold
    return fold_of_group[groups]


def order_groups(images: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Lists the groups of copies in the order in which they are to be assigned.

    Args:
        images: uint8 array of shape `(images, height, width)`.
        labels: Integer array of shape `(images,)`.
        seed: Any integer.

    Returns:
        `(groups, counts, order)`: the group of each image, as from `find_copies`; the number of images of each
        class in each group, int64, shape `(groups, classes)`, classes by label; and the groups' numbers, the
        largest first, those of one size at random, by their contents and the seed.
    """
    groups = find_copies(images)
    _, representatives = np.unique(groups, return_index=True)
    classes, class_positions = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(representatives), len(classes)), np.int64)
    np.add.at(counts, (groups, class_positions), 1)
    sizes = counts.sum(axis=1)
    digests = [hashlib.sha256(b"%d:" % seed + images[first].tobytes()).digest() for first in representatives]
    return groups, counts, sorted(range(len(sizes)), key=lambda group: (-sizes[group], digests[group]))


def _check_enough(group_counts, classes, folds, class_names):
    if len(group_counts) < folds:
        raise UserError(
            f"Expected at least {folds} different Training images, one per fold. Received: {len(group_counts)}."
        )
    different_images = np.count_nonzero(group_counts, axis=0)
    for label, number in zip(classes, different_images, strict=True):
        if number < folds and label != UNLABELLED:
            name = class_names[label] if class_names else f"number {label}"
            raise UserError(
                f"Expected at least {folds} different Training images of each class, one per fold. "
                f"Received: {number} of the class {name}. "
                "Add images of it, or leave it out: name the other classes with --classes"
            )


def load_folds(dataset: Dataset, path: pathlib.Path, folds: int = 4, seed: int = 0) -> tuple[np.ndarray, str]:
    """Returns the folds of the Training images, from the file beside the data set if there is one.

    The file, `<name>.folds-<folds>-seed-<seed>.csv`, shows people which image is where, and keeps an
    assignment that was used. If it is missing, damaged or made for other data, it is made anew; in a folder
    that cannot be written, nothing is kept. Any number of processes may do this at once: all arrive at the
    same file.

    Args:
        dataset: `Dataset`.
        path: The data set's `.h5` file; it gives the folds' file its folder and name.
        folds: As in `assign_folds`.
        seed: As in `assign_folds`.

    Returns:
        `(assignment, fingerprint)`: the fold of each Training image, int8 array of shape `(training images,)`
        in the order of `dataset.split(TRAINING)`; and the SHA-256 (64 hex digits) of the assignment, the rows
        of the images, `folds` and `seed`.

    Raises:
        UserError: As in `assign_folds`.
    """
    path = pathlib.Path(path)
    file = path.with_name(f"{path.stem}.folds-{folds}-seed-{seed}.csv")
    training = dataset.split(TRAINING)
    rows = dataset.rows[training]
    assignment = _read(file, dataset.fingerprint, rows, folds, seed)
    if assignment is None:
        assignment = assign_folds(
            dataset.images[training], dataset.labels[training], folds, seed, dataset.class_names
        )
        with contextlib.suppress(OSError):  # a folder that cannot be written
            atomic_files.write_text(file, _to_text(assignment, dataset.fingerprint, rows, folds, seed))
    return assignment, fingerprint_folds(assignment, rows, folds, seed)


def fingerprint_folds(assignment: np.ndarray, rows: np.ndarray, folds: int, seed: int) -> str:
    """Returns the fingerprint of an assignment, as `load_folds` does: 64 hex digits.

    Args:
        assignment: int8 array of shape `(training images,)`, the fold of each.
        rows: int64 array of the same shape, their rows in their source.
        folds: As in `assign_folds`.
        seed: As in `assign_folds`.
    """
    content = b"folds=%d seed=%d\n" % (folds, seed) + rows.astype("<i8").tobytes() + assignment.tobytes()
    return hashlib.sha256(content).hexdigest()


def _to_text(assignment, dataset_fingerprint, rows, folds, seed):
    lines = [
        "# The fold of each Training image, made by fer_ensemble/data/folds.py; if changed, it is made anew.",
        f"# Data set: {dataset_fingerprint}",
        f"# Folds: {fingerprint_folds(assignment, rows, folds, seed)}",
        _COLUMNS,
        *(f"{row},{fold}" for row, fold in zip(rows, assignment, strict=True)),
    ]
    return "\n".join(lines) + "\n"


def _read(file, dataset_fingerprint, rows, folds, seed):
    """Returns the stored assignment, or None if there is none that is whole and belongs to the data."""
    try:
        text = file.read_text(encoding="utf-8")
        table = text.partition(_COLUMNS + "\n")[2]
        assignment = np.array([int(line.split(",")[1]) for line in table.splitlines()], np.int8)
        # Written again, it must give the same text: that checks every row, and both fingerprints.
        is_whole = text == _to_text(assignment, dataset_fingerprint, rows, folds, seed)
    except (OSError, ValueError, IndexError, OverflowError):
        return None
    return assignment if is_whole else None
