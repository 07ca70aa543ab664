"""The images behind the predictions, where they are at hand: for faces, votes and copies."""

import dataclasses
import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.contents import make_dataset, select_classes
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import SPLITS, TRAINING, UNLABELLED, Dataset
from fer_ensemble.data.store import is_hdf5, load_dataset, read_dataset
from fer_ensemble.ensemble.parts import Part


def find_data(inputs: str, record: dict) -> tuple[Dataset | None, bool]:
    """Loads the data set that was asked for, or else that of the training if the folder `data` holds it.

    Args:
        inputs: What `load_dataset` takes, or nothing.
        record: The member's record.

    Returns:
        The `Dataset`, None where there is nothing to load; and whether its images are those of the training. It
        then has the training's fingerprint, even if it came with FER+ votes and the training's did not.
    """
    trained_on, class_names = record["data"], record["class_names"]
    if inputs:
        dataset = load_dataset(inputs, class_names)
    else:
        dataset = _find_kept(trained_on.get("name", ""), class_names)
        if dataset is None:
            return None, False
    if dataset.votes is not None and dataset.fingerprint != trained_on["fingerprint"]:
        arrays = (dataset.images, dataset.labels, dataset.usage, dataset.rows, dataset.class_names)
        if make_dataset(*arrays).fingerprint == trained_on["fingerprint"]:
            dataset = dataclasses.replace(dataset, fingerprint=trained_on["fingerprint"])
    own = dataset.fingerprint == trained_on["fingerprint"]
    return (dataset if inputs or own else None), own


def _find_kept(name, class_names):
    """Loads `data/NAME` below the current directory; None where that is nothing of ours with these classes."""
    kept = pathlib.Path("data") / name
    if kept.name != name or not kept.is_file():  # a name leads nowhere else
        return None
    try:
        return select_classes(read_dataset(kept), class_names) if is_hdf5(kept) else None
    except (UserError, OSError):  # nobody asked for it
        return None


def positions_of(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Returns the positions in the data set of the images of some rows, int64.

    Raises:
        UserError: If a row is not there.
    """
    order = np.argsort(dataset.rows, kind="stable")
    found = np.minimum(np.searchsorted(dataset.rows[order], rows), len(order) - 1)
    positions = order[found]
    if len(rows) and (dataset.rows[positions] != rows).any():
        raise UserError("The predictions must be of images of the data set, but some of their rows are not in it.")
    return positions


def check_labels(part: Part, dataset: Dataset, name: str) -> None:
    """Raises UserError if the members' predictions of their own data have other labels than these data."""
    if (dataset.labels[positions_of(dataset, part.rows)] != part.labels).any():
        raise UserError(
            f"The members' predictions of {name} must have the labels of the data that they were trained on, but "
            "have others. Train the members again with --overwrite."
        )


def votes_of(part: Part, dataset: Dataset | None) -> np.ndarray | None:
    """Returns the FER+ votes for a part's images, uint8, shape `(images, 10)`; None if the data have none."""
    if dataset is None or dataset.votes is None:
        return None
    return dataset.votes[positions_of(dataset, part.rows)]


def describe_copies(dataset: Dataset) -> dict:
    """Counts the exact copies in a data set.

    Returns:
        Dict: `redundant` (images that repeat an earlier one), `groups` (of images that are the same), `conflicts`
        (a list of the positions, in the data set, of each group whose labels differ), and `of_training`, a dict
        from a test split to how many of its images are copies of Training images.
    """
    groups = find_copies(dataset.images)
    sizes = np.bincount(groups)
    repeated = np.flatnonzero(sizes > 1)
    order = np.argsort(groups, kind="stable")
    starts = np.cumsum(sizes) - sizes
    together = [order[starts[group] : starts[group] + sizes[group]] for group in repeated]
    trained = np.zeros(len(sizes), bool)
    trained[groups[dataset.usage == TRAINING]] = True
    labelled = [members[dataset.labels[members] != UNLABELLED] for members in together]
    return {
        "redundant": int((sizes[repeated] - 1).sum()),
        "groups": len(repeated),
        "conflicts": [members.tolist() for members in labelled if len(set(dataset.labels[members].tolist())) > 1],
        "of_training": {
            name: int(np.count_nonzero(trained[groups[dataset.usage == usage]]))
            for usage, name in enumerate(SPLITS)
            if usage != TRAINING
        },
    }
