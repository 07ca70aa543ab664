"""What the ten voters of FER+ say of each image, and how often it is what FER2013's label says."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.classes import find_class
from fer_ensemble.data.dataset import UNLABELLED, VOTE_NAMES
from fer_ensemble.data.readers.votes import VOTERS
from fer_ensemble.scoring.metrics import wilson_interval


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
    has_majority = 2 * votes.max(axis=1) > votes.sum(axis=1)
    return np.where(has_majority, _most_votes(votes, class_names), UNLABELLED)


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


def plurality_labels(votes: np.ndarray, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Finds the class that more votes are for than for any other answer.

    Args:
        votes, class_names: As for `majority_labels`.

    Returns:
        labels: Int64 array of shape `(images,)`: positions in `class_names`, or -1 where something else leads
            (contempt, unknown, no face, a class that is not among them).
        leads: Bool array of the same shape: whether one answer leads at all; not where two have the most votes, or
            nobody voted.
    """
    votes = np.asarray(votes)
    most = votes.max(axis=1, keepdims=True)
    leads = (votes == most).sum(axis=1) == 1
    return np.where(leads, _most_votes(votes, class_names), UNLABELLED), leads


def describe_agreement(labels: np.ndarray, votes: np.ndarray | None, class_names: Sequence[str]) -> dict | None:
    """Counts how often the plurality is the label.

    Args:
        labels: Int array of shape `(images,)`; images labelled -1 are left out.
        votes: As for `majority_labels`, or None.
        class_names: Names of the classes.

    Returns:
        Dict: `images`, those in which one answer leads; `tied`, those in which none does; `agree`, the share of
        the first in which it is the label, and its 95 % `interval`; `by_votes`, a list of `votes` for the leading
        answer, `images` and `agree`; `by_class`, a list of `name` (of the label), `images` and `agree`. None
        without votes, or where no answer leads.
    """
    if votes is None:
        return None
    labels, votes = np.asarray(labels), np.asarray(votes)
    voted, leads = plurality_labels(votes, class_names)
    counted = leads & (labels != UNLABELLED)
    if not counted.any():
        return None
    same, given, most = (voted == labels)[counted], labels[counted], votes.max(axis=1)[counted]
    return {
        "images": int(counted.sum()),
        "tied": int(((labels != UNLABELLED) & ~leads).sum()),
        "agree": float(same.mean()),
        "interval": list(wilson_interval(int(same.sum()), len(same))),
        "by_votes": [{"votes": int(one), **_share(same[most == one])} for one in np.unique(most)],
        "by_class": [
            {"name": name, **_share(same[given == label])}
            for label, name in enumerate(class_names)
            if (given == label).any()
        ],
    }


def _share(same):
    return {"images": len(same), "agree": float(same.mean())}


def _most_votes(votes, class_names):
    """The class of the answer with the most votes, the first of equals; -1 where it is none of the classes."""
    classes = [find_class(vote) for vote in VOTE_NAMES]
    labels = [class_names.index(name) if name in class_names else UNLABELLED for name in classes]
    return np.array(labels)[votes.argmax(axis=1)]
