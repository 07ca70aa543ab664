"""Whatever people have of a picture as an array."""

import os

import numpy as np
from PIL import Image

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers.pictures import read_picture, to_rgb

Picture = str | os.PathLike | bytes | Image.Image | np.ndarray  # what `as_picture` takes


def as_picture(source: Picture, bgr: bool = False) -> np.ndarray:
    """Returns a picture as an array.

    Args:
        source: Path of a picture file, or its content as bytes; a `PIL.Image.Image`; or a uint8 array of shape
            `(height, width, 3)`, RGB, `(height, width, 4)`, RGBA, whose transparency is left out, or
            `(height, width)`, grey.
        bgr: Whether the array's colours are blue, green, red, as `cv2.imread` and `cv2.VideoCapture` give them.

    Returns:
        Uint8 array of shape `(height, width, 3)`, RGB, or `(height, width)`, grey.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        UserError: If it is no picture, or not as described.
    """
    if isinstance(source, str | bytes | os.PathLike):
        return read_picture(source)
    if hasattr(source, "getexif"):  # asked for so, a PIL image needs no import
        return to_rgb(source)
    if not isinstance(source, np.ndarray):
        raise UserError(
            "`picture` must be a path, the bytes of a picture file, a PIL image or a NumPy array. "
            f"Received: {type(source).__name__}."
        )
    return _check_array(source, bgr)


def _check_array(array, bgr):
    if array.dtype != np.uint8:
        hint = " Scale it: (255 * picture).round().astype('uint8')." if array.dtype.kind == "f" else ""
        raise UserError(f"`picture` must be uint8, 0..255. Received: {array.dtype}.{hint}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise UserError(
            "`picture` must have shape (height, width, 3), RGB, or (height, width), grey. "
            f"Received: shape {array.shape}."
        )
    if array.ndim == 3:
        array = array[:, :, 2::-1] if bgr else array[:, :, :3]
    return np.ascontiguousarray(array)
