"""How good predictions are: numbers from probabilities and labels. Sums first, one division."""

import math
import statistics

import numpy as np

from fer_ensemble.data.dataset import UNLABELLED

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
        interval, [low, high]), `macro_f1` (0 to 1), `log_loss` (nats per image). None if no image is left.

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
    predicted = predicted_labels(probabilities)
    images = len(labels)
    correct = int(np.count_nonzero(labels == predicted))
    return {
        "images": images,
        "accuracy": accuracy(labels, predicted),
        "interval": list(wilson_interval(correct, images)),
        "macro_f1": macro_f1(labels, predicted),
        "log_loss": log_loss(probabilities, labels),
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


def accuracy(labels, predicted):
    """Counts the share of images whose predicted label is the true one.

    Args:
        labels: Int array of shape `(images,)`, at least one image.
        predicted: Int array of shape `(images,)`.

    Returns:
        Float, 0 to 1.

    Raises:
        ValueError: If the shapes differ or there is no image.
    """
    labels, predicted = _pair(labels, predicted)
    return int(np.count_nonzero(labels == predicted)) / len(labels)


def macro_f1(labels, predicted):
    """Averages the F1 scores of the classes, each class counting the same however rare it is.

    A class counts if any image has it as label or as prediction; its F1 is 2 TP / (2 TP + FP + FN).

    Args:
        labels: Int array of shape `(images,)`, none negative, at least one image.
        predicted: Int array of shape `(images,)`, none negative.

    Returns:
        Float, 0 to 1.

    Raises:
        ValueError: If the shapes differ, a label is negative or there is no image.

    Source:
        scikit-learn's `f1_score(labels, predicted, average="macro", zero_division=0)`.

    Example: F1 is 2/3 for class 0, 0 for class 1 and 1 for class 2.

    >>> round(macro_f1([0, 1, 2], [0, 0, 2]), 6)
    0.555556
    """
    labels, predicted = _pair(labels, predicted)
    classes = int(max(labels.max(), predicted.max())) + 1
    matrix = confusion_matrix(labels, predicted, classes)
    doubled = 2 * np.diag(matrix)
    occurrences = matrix.sum(axis=0) + matrix.sum(axis=1)  # 2 TP + FP + FN
    present = occurrences > 0
    return float((doubled[present] / occurrences[present]).sum() / np.count_nonzero(present))


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
    _check_labels("labels", labels, probabilities.shape[1])
    likelihoods = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # float32 softmax may exceed 1 by its rounding; a log of that would make the loss negative.
    if not (np.isfinite(likelihoods).all() and likelihoods.min() >= 0 and likelihoods.max() <= 1 + 1e-3):
        raise ValueError(
            f"`probabilities` must lie between 0 and 1. Received: {likelihoods.min():g} to {likelihoods.max():g}."
        )
    return float(-np.log(np.clip(likelihoods, SMALLEST_PROBABILITY, 1)).sum() / len(labels))


def confusion_matrix(labels, predicted, classes):
    """Counts the images of each true class that were predicted as each class.

    Args:
        labels: Int array of shape `(images,)`, 0 to `classes` - 1.
        predicted: Int array of shape `(images,)`, 0 to `classes` - 1.
        classes: Number of classes.

    Returns:
        Int64 array of shape `(classes, classes)`, rows true, columns predicted; sums to `images`.

    Raises:
        ValueError: If the shapes differ or a label is not a class.

    Example:

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2)
    array([[1, 1],
           [0, 1]])
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.ndim != 1 or labels.shape != predicted.shape:
        raise ValueError(
            "`labels` and `predicted` must both have shape (images,). "
            f"Received: shapes {labels.shape} and {predicted.shape}."
        )
    _check_labels("labels", labels, classes)
    _check_labels("predicted", predicted, classes)
    cells = labels.astype(np.int64) * classes + predicted.astype(np.int64)  # labels come as int8
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


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


def _pair(labels, predicted):
    """Both as arrays of one shape, with at least one image, or ValueError."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.ndim != 1 or labels.shape != predicted.shape or len(labels) == 0:
        raise ValueError(
            "`labels` and `predicted` must both have shape (images,), with at least one image. "
            f"Received: shapes {labels.shape} and {predicted.shape}."
        )
    return labels, predicted


def _check_labels(name, labels, classes):
    """Raises ValueError unless the labels are integers from 0 to `classes` - 1."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"`{name}` must be integers. Received: dtype {labels.dtype}.")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"`{name}` must lie between 0 and {classes - 1}. Received: {labels.min()} to {labels.max()}."
        )
