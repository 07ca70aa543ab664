"""Which training images a member is trained on, and which are held out."""

import hashlib
import pathlib

import numpy as np

from fer_ensemble.data.dataset import TRAINING, UNLABELLED, Dataset
from fer_ensemble.data.folds import FOLD_SPLITTER, load_folds
from fer_ensemble.data.holdout import SPLITTER, choose_holdout
from fer_ensemble.training.settings import FOLDS, TrainingSettings


def split_training(
    dataset: Dataset, path: pathlib.Path, settings: TrainingSettings
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Splits the labelled Training images.

    Args:
        dataset: `Dataset`.
        path: The data set's `.h5` file, as for `load_folds`.
        settings: `TrainingSettings`: its fold, or its holdout, and fold_seed.

    Returns:
        `(own, held_out, description)`: the positions in the data set of the images to train on, and of those that
        are held out, int64, none in both; and what the member's record says of the split, a dictionary whose
        `fingerprint` is that of all members that may vote together.

    Raises:
        UserError: If there are too few images.
    """
    training = dataset.split(TRAINING)
    if settings.fold is None:
        held_out, description = _hold_out(dataset, training, settings.holdout, settings.fold_seed)
    else:
        folds, fingerprint = load_folds(dataset, path, FOLDS, settings.fold_seed)
        held_out = np.isin(folds, settings.fold)
        description = {
            "folds": FOLDS,
            "seed": settings.fold_seed,
            "splitter": FOLD_SPLITTER,
            "fingerprint": fingerprint,
        }
    labelled = dataset.labels[training] != UNLABELLED
    return training[labelled & ~held_out], training[labelled & held_out], description


def _hold_out(dataset, training, share, seed):
    held_out = np.zeros(len(training), bool)
    if share:
        held_out = choose_holdout(dataset.images[training], dataset.labels[training], share, seed)
    content = dataset.rows[training].astype("<i8").tobytes() + held_out.tobytes()
    fingerprint = hashlib.sha256(content).hexdigest()
    splitter = {"splitter": SPLITTER} if share else {}
    return held_out, {"folds": None, "holdout": share, "seed": seed, **splitter, "fingerprint": fingerprint}
