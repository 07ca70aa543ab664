"""How often ten people who looked again say what FER2013's label says."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.classes import find_class
from fer_ensemble.data.dataset import UNLABELLED, VOTE_NAMES
from fer_ensemble.scoring.metrics import wilson_interval


def plurality_labels(votes: np.ndarray, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Finds the class that more votes are for than for any other answer.

    Args:
        votes: uint8, shape `(images, 10)`, in the order of `VOTE_NAMES`.
        class_names: Names of the classes.

    Returns:
        labels: Int64 array of shape `(images,)`: positions in `class_names`, or -1 where something else leads
            (contempt, unknown, no face, a class that is not among them).
        leads: Bool array of the same shape: whether one answer leads at all; not where two have the most votes, or
            nobody voted.
    """
    votes = np.asarray(votes)
    most = votes.max(axis=1, keepdims=True)
    leads = (votes == most).sum(axis=1) == 1
    labels = [
        class_names.index(name) if (name := find_class(vote)) in class_names else UNLABELLED for vote in VOTE_NAMES
    ]
    return np.where(leads, np.array(labels)[votes.argmax(axis=1)], UNLABELLED), leads


def describe_agreement(labels: np.ndarray, votes: np.ndarray | None, class_names: Sequence[str]) -> dict | None:
    """Counts how often the plurality is the label.

    Args:
        labels: Int array of shape `(images,)`; images labelled -1 are left out.
        votes: As for `plurality_labels`, or None.
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
