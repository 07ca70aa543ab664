"""How good predictions are: numbers from probabilities and labels, most of them scikit-learn's.

scikit-learn and SciPy are imported by the functions that use them: who only asks a network needs neither.
"""

import warnings

import numpy as np

from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.scoring.confusion import check_labels, confusion_matrix, summary_scores

# The one smallest probability of the project: scikit-learn's, so that log-losses can be compared with others'.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def score(
    probabilities: np.ndarray, labels: np.ndarray, keep: np.ndarray | None = None
) -> dict[str, int | float | list[float]] | None:
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


def predicted_labels(probabilities: np.ndarray) -> np.ndarray:
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


def loss_and_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Returns the `log_loss` in nats per image and the accuracy, 0 to 1; arguments as for `log_loss`.

    >>> loss, accuracy = loss_and_accuracy([[0.5, 0.5], [0.25, 0.75]], [0, 1])
    >>> round(loss, 6), accuracy  # (log 2 + log 4/3) / 2
    (0.490415, 1.0)
    """
    from sklearn.metrics import accuracy_score

    return log_loss(probabilities, labels), float(accuracy_score(labels, predicted_labels(probabilities)))


def top2_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Counts the share of images whose class is among the two most probable; of equals, the first.

    >>> top2_accuracy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2])
    0.5
    """
    from sklearn.metrics import top_k_accuracy_score

    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    last = probabilities.shape[1] - 1
    if last < 2:
        return 1.0
    # Of equals scikit-learn takes the last, and `predicted_labels` the first: so the classes are turned round.
    return top_k_accuracy_score(last - labels.astype(np.int64), probabilities[:, ::-1], labels=range(last + 1))


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
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
    from sklearn.metrics import brier_score_loss

    return _call_scikit_learn(brier_score_loss, probabilities, labels, scale_by_half=False)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
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
    from sklearn import metrics

    probabilities = np.asarray(probabilities)
    labels = np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            "`probabilities` must have shape (images, classes) and `labels` shape (images,), "
            f"with at least one image. Received: shapes {probabilities.shape} and {labels.shape}."
        )
    check_labels("labels", labels, probabilities.shape[1])
    lowest, highest = probabilities.min(), probabilities.max()
    # float32 softmax may exceed 1 by its rounding.
    if not (np.isfinite(probabilities).all() and lowest >= 0 and highest <= 1 + 1e-3):
        raise ValueError(f"`probabilities` must lie between 0 and 1. Received: {lowest:g} to {highest:g}.")
    return _call_scikit_learn(metrics.log_loss, probabilities, labels)


def wilson_interval(correct: int, images: int, confidence: float = 0.95) -> tuple[float, float]:
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
    from scipy.stats import binomtest

    low, high = binomtest(correct, images).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def _call_scikit_learn(metric, probabilities, labels, **how):
    """Calls a metric in float64, to the last digit: of float32 it would cut off all below 1.2e-7."""
    probabilities = np.clip(np.asarray(probabilities, np.float64), 0, 1)
    with warnings.catch_warnings():
        # Rows of float32 miss 1 by more than float64's rounding.
        warnings.filterwarnings("ignore", r"The y_\w+ values do not sum to one")
        return metric(np.asarray(labels), probabilities, labels=range(probabilities.shape[1]), **how)
