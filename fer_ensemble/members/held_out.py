"""Which images a member held out, found out anew: where the predictions that name them are lost."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import TRAINING, UNLABELLED, Dataset
from fer_ensemble.data.folds import assign_folds, fingerprint_folds


def find_held_out(record: dict, dataset: Dataset) -> np.ndarray:
    """Returns the positions, in the data set, of the images that a member held out, int64.

    Args:
        record: The member's record.
        dataset: The `Dataset` of its training.

    Raises:
        UserError: If that cannot be told: the folds of today are not those of the record.
    """
    split, fold = record["folds"], record["settings"].get("fold")
    training = dataset.split(TRAINING)
    if fold is None and not split.get("holdout"):
        return training[:0]
    folds, seed = split.get("folds"), split.get("seed")
    if isinstance(folds, int) and isinstance(seed, int) and 2 <= folds < 100:
        assignment = assign_folds(dataset.images[training], dataset.labels[training], folds, seed)
        if fingerprint_folds(assignment, dataset.rows[training], folds, seed) == split.get("fingerprint"):
            labelled = dataset.labels[training] != UNLABELLED
            return training[labelled & np.isin(assignment, fold)]
    raise UserError(
        "which images it held out cannot be told any more, so that it cannot predict them. Train it again with "
        "--overwrite."
    )
