"""Whether probabilities mean what they say, and the temperature that makes them."""

import math

import numpy as np

from fer_ensemble.ensemble.metrics import SMALLEST_PROBABILITY

BINS = 15  # as in Guo et al. (2017), so that errors can be compared
MOST_STEPS = 50


def choose_temperature(probabilities, labels):
    """Finds the temperature that gives the smallest log-loss.

    Give it out-of-fold predictions. No temperature changes which class is predicted.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        Float above 0: below 1 if the probabilities were too modest, above 1 if they were too bold. It stays
        within 0.01 and 100, which only predictions that are all right or all useless reach.

    Source:
        Guo et al. (2017), https://arxiv.org/abs/1706.04599. An ensemble's mean has no logits: the logarithms of
        the probabilities stand for them, as in Rahaman & Thiery (2021), https://arxiv.org/abs/2007.08792.
    """
    logits = _log(probabilities)
    true = logits[np.arange(len(labels)), np.asarray(labels, np.int64)]
    low, high, inverse = 0.01, 100.0, 1.0
    # The log-loss is convex in 1 / temperature: Newton's steps, halving where one would leave the bracket.
    for _ in range(MOST_STEPS):
        chances = _softmax(inverse * logits)
        means = (chances * logits).sum(axis=1)
        slope = (means - true).mean()
        curvature = ((chances * logits**2).sum(axis=1) - means**2).mean()
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else low
        inverse, before = step if low < step < high else (low + high) / 2, inverse
        if abs(inverse - before) < 1e-6:
            break
    return float(1 / inverse)


def apply_temperature(probabilities, temperature):
    """Returns the probabilities at a temperature: float64, shape `(images, classes)`, the same order in each row.

    >>> apply_temperature([[0.8, 0.2]], 0.5).round(3)  # 0.64 : 0.04
    array([[0.941, 0.059]])
    """
    return _softmax(_log(probabilities) / temperature)


def calibration_bins(probabilities, labels, bins=BINS, adaptive=False):
    """Compares how sure the predictions were with how often they were right.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.
        bins: Number of bins.
        adaptive: Whether the bins hold equally many images, instead of being equally wide.

    Returns:
        List of dicts, without empty bins: `images`, `confidence` (mean probability of the predicted class) and
        `accuracy`, both 0 to 1; `deviation`, the accuracy's standard deviation if the probabilities were right.
    """
    probabilities = np.asarray(probabilities)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == np.asarray(labels)
    if adaptive:
        places = np.empty(len(confidence), np.int64)
        places[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    else:
        places = np.clip(
            np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1
        )  # (0, 1/15], (1/15, 2/15], ...
    counts = np.bincount(places, minlength=bins)
    sums = [
        np.bincount(places, values, minlength=bins)
        for values in (confidence, correct, confidence * (1 - confidence))
    ]
    return [
        {
            "images": int(images),
            "confidence": float(sure / images),
            "accuracy": float(right / images),
            "deviation": float(np.sqrt(variance) / images),
        }
        for images, sure, right, variance in zip(counts, *sums, strict=True)
        if images
    ]


def calibration_error(bins):
    """Averages the gap between confidence and accuracy over the images: the expected calibration error (ECE).

    Args:
        bins: List as from `calibration_bins`.

    Returns:
        Float, 0 to 1.

    Source:
        Naeini et al. (2015), https://doi.org/10.1609/aaai.v29i1.9602; with adaptive bins, Nguyen & O'Connor
        (2015), https://arxiv.org/abs/1508.05154.

    Example:

    >>> sure_and_right = {"images": 3, "confidence": 0.9, "accuracy": 1.0}
    >>> unsure_and_wrong = {"images": 1, "confidence": 0.5, "accuracy": 0.0}
    >>> round(calibration_error([sure_and_right, unsure_and_wrong]), 6)
    0.2
    """
    images = sum(one["images"] for one in bins)
    return sum(one["images"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / images


def chance_calibration_error(bins):
    """Tells the calibration error that perfect probabilities would show, as the images are finitely many.

    Args:
        bins: List as from `calibration_bins`.

    Returns:
        Float, 0 to 1: the error's expected value, where each bin's gap is normally distributed about zero.
    """
    images = sum(one["images"] for one in bins)
    return math.sqrt(2 / math.pi) * sum(one["images"] * one["deviation"] for one in bins) / images


def _log(probabilities):
    return np.log(np.clip(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY, 1))


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
