"""The ensemble's calibration, chosen on the images that its members held out."""

import numpy as np

from fer_ensemble.ensemble.parts import OOF, Part, predicted_and_labelled, sum_by_run
from fer_ensemble.scoring.calibration import (
    Calibration,
    choose_temperature,
    effective_size,
    extrapolate_temperature,
    fit_calibration,
    undo_smoothing,
)

TEST = "test"


def calibrate_out_of_fold(oof: Part, weights: np.ndarray) -> dict[str, Calibration] | None:
    """Chooses the ensemble's calibration out of fold.

    There an image is predicted by one member of each run, a test image by all: its temperature is extrapolated.

    Args:
        oof: The out-of-fold `Part` with the ensemble's predictions.
        weights: Float64 array of shape `(members,)`.

    Returns:
        Dict with two `Calibration`s: `oof` for images that were held out, `test` for all others. None if no image
        that was held out is labelled.
    """
    known = predicted_and_labelled(oof, oof.ensemble)
    if not known.any():
        return None
    labels = oof.labels[known]
    held_out = fit_calibration(oof.ensemble[known], labels)
    shares = sum_by_run(oof, weights)
    by_run = np.array([shares[run] for run in sorted(shares)])  # in the order of `oof.runs`
    alone = [choose_temperature(undo_smoothing(run[known], held_out.smoothing), labels) for run in oof.runs]
    temperature = extrapolate_temperature(
        float(np.average(alone, weights=by_run)),
        held_out.temperature,
        effective_size(by_run),
        effective_size(weights),
    )
    return {OOF: held_out, TEST: Calibration(held_out.smoothing, temperature)}
