"""What is exported: one network or several, with all that is known of them."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from fer_ensemble import __version__
from fer_ensemble.faces.frame import FRAME_LANDMARKS
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.members.views import VIEWS, average_views
from fer_ensemble.scoring.calibration import Calibration

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Source:
    """One network or several, ready to be exported.

    Attributes:
        name: What it is called in messages.
        models: List of `keras.Model` from grey values, shape `(batch, 48, 48, 1)`, to probabilities.
        weights: Tuple of floats, one for each model, summing to 1.
        views: The views of each face that are averaged, as `fer_ensemble.members.views` names them.
        facts: What the exported file says of itself, a dictionary that JSON can hold (see `make_facts`).
        held_out: int64, the rows, in their source, of training images that a member held out; None: any.
    """

    name: str
    models: list
    weights: tuple
    views: str
    facts: dict
    held_out: np.ndarray | None = None

    @functools.cached_property
    def calibration(self) -> Calibration:
        """The `Calibration` of the weighted mean."""
        return Calibration(**self.facts["calibration"])

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Predicts faces as Keras does, nothing folded: float32, shape `(faces, classes)`, calibrated."""
        return self.calibration.apply(self.average(faces)).astype(np.float32)

    def average(self, faces: np.ndarray) -> np.ndarray:
        """As `predict`, but not calibrated: float64."""
        mean = 0.0
        for model, weight in zip(self.models, self.weights, strict=True):
            seen = average_views(model, self.views)
            mean = mean + weight * predict_probabilities(seen, faces, VIEWS[self.views]).astype(np.float64)
        return mean


def make_facts(
    class_names: Sequence[str], calibration: Calibration, unsure_below: float, sha256: str, provenance: dict
) -> dict:
    """Returns what an exported file says of itself.

    Args:
        class_names: Names of the classes, in the order of the probabilities.
        calibration: `Calibration` that is inside.
        unsure_below: Probability of the predicted class below which an answer is unsure.
        sha256: Of the file that it was made of.
        provenance: Dictionary: where that comes from.

    Returns:
        Dictionary that JSON can hold: these, and `format_version`; `crop_landmarks`, where a face's five landmarks
        belong in its 48 pixels (see `fer_ensemble.faces.frame`); `version`, of this package.
    """
    return {
        "format_version": FORMAT_VERSION,
        "class_names": list(class_names),
        "calibration": dataclasses.asdict(calibration),
        "crop_landmarks": [[round(float(value), 3) for value in point] for point in FRAME_LANDMARKS],
        "unsure_below": unsure_below,
        "source_sha256": sha256,
        "version": __version__,
        "provenance": provenance,
    }
