"""Answering only where one is sure: what it gains, and below which probability an answer counts as unsure."""

import numpy as np

LEAST_IMPROVEMENT = 1 / 3  # by which the error of the sure answers lies below that of all
MOST_UNSURE = 1 / 2  # of the images: who is unsure more often than not is of no use


def choose_unsure_below(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Chooses the probability below which an answer is called unsure.

    The rule: leave out the least sure images, no more than needed, until the error of the others is a third lower
    than that of all; at most half of the images. Where nothing is wrong, that is none, and only what is less sure
    than every image here counts as unsure.

    A bound on the error itself would do nothing for an easy data set, and leave nothing of a hard one.

    Args:
        probabilities: Float array of shape `(images, classes)`, calibrated; each row sums to 1. Give it those out
            of fold: on images that a network was trained on it is surer, and right more often.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        Float, 0 to 1: an answer is unsure if its probability, the largest of its row, is below.

    Source:
        Selective prediction: Chow (1970), https://doi.org/10.1109/TIT.1970.1054406; the rule is ours.

    Example: one of five is wrong, and the least sure. Without it there is no error at all.

    >>> sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    >>> choose_unsure_below(np.stack([sure, 1 - sure], axis=1), [0, 0, 0, 0, 1])
    0.6
    """
    confidence, correct = _confidence_and_correct(probabilities, labels)
    thresholds, first = np.unique(confidence, return_index=True)  # of the sorted: where each value begins
    kept = len(confidence) - first
    errors = np.cumsum((1 - correct)[::-1])[::-1][first] / kept
    enough = errors <= (1 - LEAST_IMPROVEMENT) * errors[0]
    allowed = kept >= (1 - MOST_UNSURE) * len(confidence)
    found = np.flatnonzero(enough & allowed)
    return float(thresholds[found[0] if len(found) else np.flatnonzero(allowed)[-1]])


def risk_coverage(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tells the error of the surest images, for every number of them.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        coverage: Float64 array of shape `(images,)`, ascending: the share of images that is answered, 1 / images
            to 1.
        risk: Float64 array of the same shape, 0 to 1: the error on these, the surest. Images that are equally sure
            count as drawn among their like.

    Source:
        Geifman & El-Yaniv (2017), https://arxiv.org/abs/1705.08500.

    Example:

    >>> coverage, risk = risk_coverage([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    >>> coverage.tolist(), risk.tolist()
    ([0.5, 1.0], [0.0, 0.5])
    """
    confidence, correct = _confidence_and_correct(probabilities, labels)
    _, group, sizes = np.unique(confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, 1 - correct) / sizes
    answered = np.arange(1, len(confidence) + 1)
    return answered / len(confidence), np.cumsum(wrong[group][::-1]) / answered


def area_under_risk_coverage(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Averages the error over all shares of images that may be answered (AURC): lower is better, 0 is perfect.

    Args: as `risk_coverage`.

    Source:
        Geifman, Uziel & El-Yaniv (2018), https://arxiv.org/abs/1805.08206.

    >>> area_under_risk_coverage([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    0.25
    """
    return float(risk_coverage(probabilities, labels)[1].mean())


def _confidence_and_correct(probabilities, labels):
    """The probability of each image's predicted class, ascending, and 1 where it is right, else 0."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            "`probabilities` must have shape (images, classes) and `labels` shape (images,), "
            f"with at least one image. Received: shapes {probabilities.shape} and {labels.shape}."
        )
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    return confidence[order], (probabilities.argmax(axis=1) == labels)[order].astype(np.float64)
