"""What one network, or one ensemble, is found to do on labelled faces: the plain numbers of `evaluation.json`."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.evaluation.part_scores import describe_calibration, describe_classes
from fer_ensemble.evaluation.risk import describe_risk
from fer_ensemble.scoring.comparisons import compare_pairs
from fer_ensemble.scoring.confusion import bootstrap_intervals, confusion_matrix
from fer_ensemble.scoring.metrics import predicted_labels, score


def describe_network(
    probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str], unsure_below: float
) -> dict:
    """Describes predictions.

    Args:
        probabilities: Float array of shape `(images, classes)`, calibrated, each row summing to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1, at least one image.
        class_names: Names of the classes.
        unsure_below: An answer of a smaller probability is unsure.

    Returns:
        Dict: what `score` returns; `bootstrap`, intervals as from `bootstrap_intervals`; `confusion`, a list of
        rows; `classes` and `calibration`, as in `scores.json`; `risk`, as from `describe_risk`.
    """
    matrix = confusion_matrix(labels, predicted_labels(probabilities), len(class_names))
    return {
        **score(probabilities, labels),
        "bootstrap": bootstrap_intervals(matrix),
        "confusion": matrix.tolist(),
        "classes": describe_classes(matrix, class_names),
        "calibration": describe_calibration(probabilities, labels),
        "risk": describe_risk(probabilities, labels, unsure_below),
    }


def compare_networks(probabilities: dict, labels: np.ndarray) -> list[dict]:
    """Compares every two networks on the same faces.

    Args:
        probabilities: Dict from a network's name to a float array of shape `(images, classes)`.
        labels: Int array of shape `(images,)`.

    Returns:
        List as from `compare_pairs`.
    """
    return compare_pairs(
        {name: (values.argmax(axis=1) == labels).astype(np.float64) for name, values in probabilities.items()}
    )
