"""What every network that answers for faces can do."""

import typing

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import IMAGE_SIZE


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


def check_faces(faces) -> np.ndarray:
    """Returns faces as a contiguous uint8 array of shape `(n, 48, 48)`.

    Raises:
        UserError: If they have another shape or type.
    """
    faces = np.asarray(faces)
    if faces.shape == (0,):  # of an empty list
        return np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    if faces.dtype != np.uint8:
        hint = " Scale them: (255 * faces).round().astype('uint8')." if faces.dtype.kind == "f" else ""
        raise UserError(f"`faces` must be uint8, grey values 0..255. Received: {faces.dtype}.{hint}")
    if faces.ndim != 3 or faces.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        hint = " For one face, give faces[None]." if faces.shape == (IMAGE_SIZE, IMAGE_SIZE) else ""
        raise UserError(
            f"`faces` must have shape (faces, 48, 48). Received: shape {faces.shape}.{hint} "
            "`find_faces` cuts faces out of pictures of any size."
        )
    return np.ascontiguousarray(faces)
