"""What every network that answers for faces can do."""

import typing

import numpy as np


@typing.runtime_checkable
class Network(typing.Protocol):
    """Something that turns faces into probabilities: an ONNX file, or an ensemble of members.

    It stays loaded, may be used from several threads at once, and writes nothing.

    Attributes:
        class_names: Names of the classes, in the order of the probabilities.
        about: What is known of it, as JSON has it: where it comes from, its calibration, its version.
        unsure_below: An answer whose probability is below is unsure.
    """

    class_names: tuple[str, ...]
    about: dict
    unsure_below: float

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Predicts uint8 faces of shape `(n, 48, 48)`: float32 `(n, classes)`, calibrated, each row's sum 1."""
        ...
