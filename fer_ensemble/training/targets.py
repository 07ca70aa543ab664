"""What a network is to say of each image: a distribution over the classes."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.classes import find_class
from fer_ensemble.data.dataset import VOTE_NAMES

NO_VOTES = (
    "--labels=ferplus takes FER+ votes, and these data have none. "
    "Give them beside the faces: --data=fer2013.csv,fer2013new.csv"
)


def choose_targets(
    labels: np.ndarray, votes: np.ndarray | None, class_names: Sequence[str], kind: str
) -> np.ndarray:
    """Returns the distribution that each image is trained on.

    Args:
        labels: int, shape `(images,)`.
        votes: uint8, shape `(images, 10)`, the FER+ votes in the order of `VOTE_NAMES`, or None.
        class_names: Names of the classes.
        kind: `fer2013` for the labels themselves, or `ferplus` for the shares of the votes; a face that most
            see as something else (contempt, unknown, no face), or everyone otherwise, keeps its label.

    Returns:
        Float64 array of shape `(images, classes)`; each row sums to 1.

    Raises:
        UserError: If the votes are asked for and there are none.

    Source:
        Barsoum et al. (2016), https://arxiv.org/abs/1608.01041, "probabilistic label drawing" in expectation; as
        there, classes with a single vote are dropped first.

    Example:

    >>> votes = np.array([[0, 6, 2, 0, 0, 0, 0, 0, 1, 1]], np.uint8)  # 6 happiness, 2 surprise, two others
    >>> choose_targets(np.array([1]), votes, ("happy", "surprise", "neutral"), "ferplus")
    array([[0.75, 0.25, 0.  ]])
    """
    targets = np.eye(len(class_names))[labels]
    if kind == "fer2013":
        return targets
    if votes is None:
        raise UserError(NO_VOTES)
    votes = np.where(votes > 1, votes, 0)
    shares = np.zeros_like(targets)
    for name, counts in zip(VOTE_NAMES, votes.T, strict=True):
        if find_class(name) in class_names:
            shares[:, class_names.index(find_class(name))] = counts
    seen = (shares.max(axis=1) > 0) & (shares.max(axis=1) == votes.max(axis=1))
    targets[seen] = shares[seen] / shares[seen].sum(axis=1, keepdims=True)
    return targets


def class_weights(targets: np.ndarray, kind: str) -> np.ndarray:
    """Weighs the classes by how rare they are.

    Args:
        targets: Float array of shape `(images, classes)`, as `choose_targets` returns it.
        kind: `balanced`, in inverse proportion to the classes' images, or `sqrt`, to the square root of that.

    Returns:
        Float64 array of shape `(classes,)`, whose mean over the images is 1.

    Example:

    >>> class_weights(np.eye(2)[[0, 0, 0, 1]], "balanced").round(3)
    array([0.667, 2.   ])
    """
    counts = targets.sum(axis=0)
    weights = np.maximum(counts, 1.0) ** {"balanced": -1.0, "sqrt": -0.5}[kind]
    return weights * len(targets) / (counts @ weights)
