"""What the ten voters of FER+ say of each image, in the classes of the networks."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.classes import find_class
from fer_ensemble.data.dataset import UNLABELLED, VOTE_NAMES
from fer_ensemble.data.readers.votes import VOTERS


def majority_labels(votes: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Finds the class that more than half of the votes are for.

    Args:
        votes: uint8, shape `(images, 10)`, in the order of `VOTE_NAMES`.
        class_names: Names of the classes.

    Returns:
        Int64 array of shape `(images,)`: positions in `class_names`, or -1 where there are no votes, no majority,
        or one for something else (contempt, unknown, no face).

    Source:
        Barsoum et al. (2016), https://arxiv.org/abs/1608.01041, and the code of its authors: classes with a single
        vote are dropped before the votes are counted.
    """
    votes = np.where(np.asarray(votes) > 1, votes, 0).astype(np.int64)
    labels = [
        class_names.index(name) if (name := find_class(vote)) in class_names else UNLABELLED for vote in VOTE_NAMES
    ]
    has_majority = 2 * votes.max(axis=1) > votes.sum(axis=1)
    return np.where(has_majority, np.array(labels)[votes.argmax(axis=1)], UNLABELLED)


def agreement_scores(predicted: np.ndarray, votes: np.ndarray, class_names: Sequence[str]) -> list[dict]:
    """Counts how often predictions match the majority, by how many voters agreed.

    Args:
        predicted: Int array of shape `(images,)`.
        votes: uint8, shape `(images, 10)`.
        class_names: Names of the classes.

    Returns:
        List of dicts by number of votes for the majority, ascending, without empty ones: `votes`, `images` and
        `accuracy` (0 to 1).
    """
    labels = majority_labels(votes, class_names)
    most = np.asarray(votes).max(axis=1)
    scores = []
    for number in range(1, VOTERS + 1):
        chosen = (labels != UNLABELLED) & (most == number)
        if chosen.any():
            accuracy = float((np.asarray(predicted)[chosen] == labels[chosen]).mean())
            scores.append({"votes": number, "images": int(chosen.sum()), "accuracy": accuracy})
    return scores
