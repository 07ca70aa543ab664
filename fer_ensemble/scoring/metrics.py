"""How good predictions are: numbers from probabilities and labels. Sums first, one division."""

import math
import statistics

import numpy as np

from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.scoring.confusion import check_labels, confusion_matrix, summary_scores

# As scikit-learn does for float64, so that log-losses can be compared with other people's.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def score(probabilities, labels, keep=None):
    """Scores the predictions for the labelled images.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, or -1 for images without
            a label, which are left out.
        keep: Bool array of shape `(images,)`, False for further images to leave out, such as
            copies of training images. Defaults to keeping all.

    Returns:
        Dict of plain numbers: `images` (how many counted), `accuracy` (0 to 1), `interval` (its 95 %
        interval, [low, high]), `top2` (the share of images whose class is among the two most probable),
        `balanced_accuracy` and `macro_f1` (see `summary_scores`), `log_loss` (nats per image) and `brier`. None if
        no image is left.

    Raises:
        ValueError: If a shape, a dtype or a label is not as described.
    """
    probabilities = np.asarray(probabilities)
    labels = np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            "`probabilities` must have shape (images, classes) and `labels` shape (images,). "
            f"Received: shapes {probabilities.shape} and {labels.shape}."
        )
    counted = labels != UNLABELLED
    if keep is not None:
        keep = np.asarray(keep)
        if keep.dtype != bool or keep.shape != labels.shape:
            raise ValueError(
                f"`keep` must be a bool array of shape {labels.shape}. "
                f"Received: dtype {keep.dtype}, shape {keep.shape}."
            )
        counted = counted & keep
    if not counted.any():
        return None
    probabilities, labels = probabilities[counted], labels[counted]
    matrix = confusion_matrix(labels, predicted_labels(probabilities), probabilities.shape[1])
    scores = {name: float(value) for name, value in summary_scores(matrix).items()}
    return {
        "images": len(labels),
        "accuracy": scores.pop("accuracy"),
        "interval": list(wilson_interval(int(np.trace(matrix)), len(labels))),
        "top2": top2_accuracy(probabilities, labels),
        **scores,
        "log_loss": log_loss(probabilities, labels),
        "brier": brier_score(probabilities, labels),
    }


def predicted_labels(probabilities):
    """Picks the most probable class, the first of equals.

    Args:
        probabilities: Float array of shape `(images, classes)`.

    Returns:
        Int64 array of shape `(images,)`, 0 to `classes` - 1.

    Raises:
        ValueError: If a probability is NaN: there is no most probable class then.
    """
    probabilities = np.asarray(probabilities)
    if np.isnan(probabilities).any():
        raise ValueError("`probabilities` must not be NaN. Received: images without a prediction.")
    return probabilities.argmax(axis=1).astype(np.int64)


def top2_accuracy(probabilities, labels):
    """Counts the share of images whose class is among the two most probable; of equals, the first.

    >>> top2_accuracy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2])
    0.5
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    likelihoods = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > likelihoods) | ((probabilities == likelihoods) & earlier)
    return int(np.count_nonzero(before.sum(axis=1) < 2)) / len(labels)


def brier_score(probabilities, labels):
    """Averages the squared distance between each image's probabilities and certainty of its true class.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        Float, 0 to 2: the sum over the classes, as Brier has it, not the half or the mean.

    Source:
        Brier (1950), https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    >>> round(brier_score([[0.8, 0.2]], [0]), 6)  # 0.2^2 + 0.2^2
    0.08
    """
    probabilities = np.asarray(probabilities, np.float64)
    likelihoods = probabilities[np.arange(len(labels)), np.asarray(labels, np.int64)]
    return float(((probabilities**2).sum(axis=1) - 2 * likelihoods + 1).sum() / len(labels))


def log_loss(probabilities, labels):
    """Averages minus the natural logarithm of the probability that each image's true class was given.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        Float, nats per image, 0 to 36.04: probabilities below 2.2e-16, the float64 epsilon, count as that.

    Raises:
        ValueError: If a shape, a label or a true class's probability is not as described.

    Example:

    >>> round(log_loss([[0.5, 0.5], [0.75, 0.25]], [0, 1]), 6)  # (log 2 + log 4) / 2
    1.039721
    """
    probabilities = np.asarray(probabilities)
    labels = np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            "`probabilities` must have shape (images, classes) and `labels` shape (images,), "
            f"with at least one image. Received: shapes {probabilities.shape} and {labels.shape}."
        )
    check_labels("labels", labels, probabilities.shape[1])
    likelihoods = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # float32 softmax may exceed 1 by its rounding; a log of that would make the loss negative.
    if not (np.isfinite(likelihoods).all() and likelihoods.min() >= 0 and likelihoods.max() <= 1 + 1e-3):
        raise ValueError(
            f"`probabilities` must lie between 0 and 1. Received: {likelihoods.min():g} to {likelihoods.max():g}."
        )
    return float(-np.log(np.clip(likelihoods, SMALLEST_PROBABILITY, 1)).sum() / len(labels))


def wilson_interval(correct, images, confidence=0.95):
    """Bounds the accuracy on endlessly many images of the kind, given that on these.

    It speaks of the chance in which images were drawn, not of that in training.

    Args:
        correct: Number of correct images.
        images: Number of images, at least 1.
        confidence: How often the interval holds the truth, between 0 and 1.

    Returns:
        Two floats, low and high, 0 to 1.

    Raises:
        ValueError: If the numbers are not as described.

    Source:
        Wilson (1927), https://doi.org/10.1080/01621459.1927.10502953, without continuity correction.

    Example:

    >>> low, high = wilson_interval(2692, 3589)
    >>> round(low, 4), round(high, 4)
    (0.7356, 0.764)
    """
    if not (images >= 1 and 0 <= correct <= images):
        raise ValueError(
            f"`images` must be at least 1 and `correct` between 0 and `images`. Received: {correct} of {images}."
        )
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Received: {confidence}.")
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    centre = correct + z * z / 2
    spread = z * math.sqrt(correct * (images - correct) / images + z * z / 4)
    # At 0 and at all correct a bound is 0 or 1 but for rounding.
    return max(0.0, (centre - spread) / (images + z * z)), min(1.0, (centre + spread) / (images + z * z))
