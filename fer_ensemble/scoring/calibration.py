"""Whether probabilities mean what they say, and how they are made to."""

import dataclasses
import functools
import math

import numpy as np

from fer_ensemble.scoring.metrics import SMALLEST_PROBABILITY, log_loss

BINS = 15  # as in Guo et al. (2017), so that errors can be compared
HIGHEST_TEMPERATURE = 100.0  # and its inverse is the lowest
# What is left, at least, of a probability that label smoothing is taken from, as no class is impossible.
LEAST_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What makes probabilities mean what they say; it never changes the order of the classes.

    Attributes:
        smoothing: The label smoothing that is undone first, 0 to below 1.
        temperature: What the logarithms are then divided by, above 0.
    """

    smoothing: float
    temperature: float

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the calibrated probabilities: float64, shape `(images, classes)`."""
        return apply_temperature(undo_smoothing(probabilities, self.smoothing), self.temperature)


def fit_calibration(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """Finds the calibration that gives the smallest log-loss.

    Networks that learnt smoothed labels tend to leave each class about `smoothing / classes`, even where they are
    sure. No temperature mends that: one that suits the sure predictions makes the others too bold.

    Args:
        probabilities: Float array of shape `(images, classes)`, each row summing to 1. Give it out-of-fold ones.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.

    Returns:
        `Calibration`.

    Source:
        Smoothed labels: Szegedy et al. (2016), https://arxiv.org/abs/1512.00567, here inverted. The temperature:
        `choose_temperature`.
    """
    from scipy.optimize import minimize_scalar

    labels = np.asarray(labels, np.int64)

    def fit(smoothing):
        return Calibration(smoothing, choose_temperature(undo_smoothing(probabilities, smoothing), labels))

    def loss(smoothing):
        return log_loss(fit(smoothing).apply(probabilities), labels)

    found = minimize_scalar(loss, bounds=(0, 0.9), method="bounded", options={"xatol": 1e-4})
    return fit(float(found.x) if found.fun < loss(0.0) else 0.0)


def undo_smoothing(probabilities: np.ndarray, smoothing: float) -> np.ndarray:
    """Returns the probabilities as they were before smoothing: float64, the same order in each row.

    >>> undo_smoothing([[0.75, 0.25]], 0.2).round(4)  # 0.1 less of each: 0.65 : 0.15
    array([[0.8125, 0.1875]])
    """
    probabilities = np.asarray(probabilities, np.float64)
    floor = smoothing / probabilities.shape[1]
    raised = np.maximum(probabilities - floor, LEAST_SHARE * probabilities)
    return raised / raised.sum(axis=1, keepdims=True)


def extrapolate_temperature(single: float, several: float, size: float, target: float) -> float:
    """Tells the temperature for an average of more networks than there were to choose it on.

    The more networks are averaged, the less sure is what comes out, and the lower the temperature that suits it.
    What is left of the networks' variance goes with 1 / size, and so, here, does the temperature.

    Args:
        single: Temperature that suits one network.
        several: Temperature that suits an average of `size` networks.
        size: Number of networks, 1 or more. Of unequal weights, their effective number (see `effective_size`).
        target: Number of networks that the temperature is wanted for.

    Returns:
        Float: at most `several`, as more networks are not surer; at least half of it, where the line of useless
        networks might lead. `several` if `size` is below 1.5: points so near give no line.

    >>> extrapolate_temperature(single=1.2, several=1.0, size=4, target=16)
    0.95
    """
    if size < 1.5:
        return several
    temperature = several + (single - several) * (1 / target - 1 / size) / (1 - 1 / size)
    return min(several, max(several / 2, temperature))


def effective_size(weights: np.ndarray) -> float:
    """Returns how many equally weighed networks average to the same variance: `[0.5, 0.5, 0]` gives 2.0."""
    weights = np.asarray(weights, np.float64)
    return float(weights.sum() ** 2 / (weights**2).sum())


def choose_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
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
    from scipy.optimize import brentq

    logits = _log(probabilities)
    logits -= logits.max(axis=1, keepdims=True)
    true = logits[np.arange(len(labels)), np.asarray(labels, np.int64)].mean()

    @functools.cache
    def slope(log_inverse):  # of the log-loss, which is convex in 1 / temperature
        shares = np.exp(math.exp(log_inverse) * logits)
        return float((np.einsum("ij,ij->i", shares, logits) / shares.sum(axis=1)).mean() - true)

    highest = math.log(HIGHEST_TEMPERATURE)
    if slope(-highest) >= 0:
        return HIGHEST_TEMPERATURE
    if slope(highest) <= 0:
        return 1 / HIGHEST_TEMPERATURE
    return math.exp(-brentq(slope, -highest, highest, xtol=1e-12))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns the probabilities at a temperature: float64, shape `(images, classes)`, the same order in each row.

    >>> apply_temperature([[0.8, 0.2]], 0.5).round(3)  # 0.64 : 0.04
    array([[0.941, 0.059]])
    """
    return _softmax(_log(probabilities) / temperature)


def calibration_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS, adaptive: bool = False
) -> list[dict]:
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
        bin_numbers = np.empty(len(confidence), np.int64)
        bin_numbers[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    else:
        bin_numbers = np.clip(
            np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1
        )  # (0, 1/15], (1/15, 2/15], ...
    counts = np.bincount(bin_numbers, minlength=bins)
    sums = [
        np.bincount(bin_numbers, values, minlength=bins)
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


def calibration_error(bins: list[dict]) -> float:
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


def chance_calibration_error(bins: list[dict]) -> float:
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
