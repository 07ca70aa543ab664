"""Pictures composed of faces, as for tests and benchmarks: where each face is, and what it shows, is known."""

from collections.abc import Sequence

import cv2
import numpy as np


def compose_picture(
    faces: np.ndarray,
    corners: Sequence[tuple[int, int]],
    size: tuple[int, int],
    scale: int = 4,
    ground: int | np.ndarray = 128,
) -> np.ndarray:
    """Puts faces into a picture.

    Args:
        faces: Uint8 array of shape `(n, 48, 48)`.
        corners: Sequence of `n` pairs of x and y: the upper left corner of each face, whole pixels. What lies
            beyond the picture is cut off; later faces cover earlier ones.
        size: Width and height of the picture, pixels.
        scale: How many times each face is enlarged.
        ground: Grey value around the faces, or a whole picture, uint8 of shape `(height, width)`.

    Returns:
        Uint8 array of shape `(height, width, 3)`, RGB.
    """
    picture = np.array(np.broadcast_to(np.asarray(ground, np.uint8), (size[1], size[0])))
    for face, (x, y) in zip(faces, corners, strict=True):
        large = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        top, left = max(0, y), max(0, x)
        part = picture[top : max(0, y + large.shape[0]), left : max(0, x + large.shape[1])]
        part[:] = large[top - y :, left - x :][: part.shape[0], : part.shape[1]]
    return np.repeat(picture[:, :, None], 3, axis=2)
