"""What is gained where a network may leave out the faces that it is unsure of."""

import numpy as np

from fer_ensemble.scoring.selective import area_under_risk_coverage, risk_coverage

CURVE_POINTS = 50


def describe_risk(probabilities: np.ndarray, labels: np.ndarray, unsure_below: float) -> dict:
    """Describes accuracy against how many faces are answered.

    Args:
        probabilities: Float array of shape `(images, classes)`, calibrated.
        labels: Int array of shape `(images,)`, at least one image. A label that is no class, such as -1, makes
            every answer wrong.
        unsure_below: An answer of a smaller probability is unsure.

    Returns:
        Dict: `unsure_below`; `unsure`, the share of images; `sure_accuracy` and `unsure_accuracy`, None where no
        image is; `aurc` (see `area_under_risk_coverage`); `curve`, at most 50 pairs of coverage and risk.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    sure = probabilities.max(axis=1) >= unsure_below
    correct = probabilities.argmax(axis=1) == labels
    coverage, risk = risk_coverage(probabilities, labels)
    points = min(CURVE_POINTS, len(labels))
    shown = np.arange(1, points + 1) * len(labels) // points - 1
    return {
        "unsure_below": float(unsure_below),
        "unsure": float(1 - sure.mean()),
        "sure_accuracy": _mean(correct[sure]),
        "unsure_accuracy": _mean(correct[~sure]),
        "aurc": area_under_risk_coverage(probabilities, labels),
        "curve": np.stack([coverage[shown], risk[shown]], axis=1).round(5).tolist(),
    }


def _mean(values):
    return float(values.mean()) if len(values) else None
