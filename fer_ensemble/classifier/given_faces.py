"""Cropped faces as people give them, checked."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import IMAGE_SIZE


def check_faces(faces: np.ndarray) -> np.ndarray:
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
