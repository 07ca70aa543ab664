"""Images that are learnt from beside the data set: never held out, never scored."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import TRAINING, UNLABELLED, Dataset
from fer_ensemble.data.store import load_dataset, resolve_dataset


def read_extra_data(inputs: str, dataset: Dataset, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict]:
    """Reads the labelled Training images of further data, without those that are held out or tested on.

    Args:
        inputs: What `--extra_data` names, as for `load_dataset`: with the data set's classes, in any order.
        dataset: The data set that they come beside.
        own: int64, shape `(images,)`, positions in it of the images to train on.

    Returns:
        `(images, labels, facts)`: uint8 of shape `(n, 48, 48)`; int8 of shape `(n,)`, positions in the data set's
        classes; and what the member's record says of them, JSON values.

    Raises:
        FileNotFoundError, UserError: As `load_dataset`; or if no image is left.
    """
    classes = ",".join(dataset.class_names)
    path = resolve_dataset(inputs, classes)
    extra = load_dataset(path, classes)
    chosen = np.flatnonzero((extra.usage == TRAINING) & (extra.labels != UNLABELLED))
    unseen = np.setdiff1d(np.arange(len(dataset.images)), own)
    groups = find_copies(np.concatenate([dataset.images[unseen], extra.images[chosen]]))
    known = np.isin(groups[len(unseen) :], groups[: len(unseen)])
    if known.any():
        print(f"--extra_data: {known.sum():,} of {len(chosen):,} images are left out: held out, or for testing")
    chosen = chosen[~known]
    if not len(chosen):
        raise UserError(
            "--extra_data must have labelled Training images that are not held out or tested on. "
            f"Received: {inputs}, which has none."
        )
    facts = {"name": path.name, "images": len(chosen), "fingerprint": extra.fingerprint}
    return extra.images[chosen], extra.labels[chosen], facts
