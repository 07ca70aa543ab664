"""From five landmarks to a 48x48 face in the frame that FER2013's faces have."""

import math

import cv2
import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE

# Where the five landmarks lie on average in FER2013's faces, in pixels from the upper left corner of the 48x48
# image: eye on the left of the image, eye on the right, tip of the nose, corner of the mouth on the left, on the
# right. `bench/crop.py` measures them, and what each way to cut costs.
FRAME_LANDMARKS = np.array(
    [[14.9, 18.6], [32.9, 18.7], [23.5, 28.7], [16.5, 36.3], [31.3, 36.4]], dtype=np.float32
)
FRAME_LANDMARKS.flags.writeable = False

# FER2013's faces roll by -12 to 13 degrees: what lies within needs no turning, which costs sharpness.
LEAST_ROLL = 12.0  # degrees

Box = tuple[float, float, float, float]  # left, top, width and height, in pixels of the picture

_LONGEST_SIDE = 32_766  # pixels of a picture that OpenCV's warpAffine reads

_CENTRE = 0.5  # OpenCV counts from the middle of the first pixel, landmarks count from its corner


def fit_frame(landmarks: np.ndarray, least_roll: float = LEAST_ROLL) -> np.ndarray:
    """Fits FER2013's frame to five landmarks of a face by least squares: scale and shift, and rarely a rotation.

    A face that rolls by more than `least_roll` is turned upright by what it rolls more, so that the fit changes
    smoothly while a head tilts.

    Args:
        landmarks: Float array of shape `(5, 2)`, x and y in pixels of the picture from its upper left corner, in
            the order of `FRAME_LANDMARKS`.
        least_roll: Degrees that a face may roll before it is turned.

    Returns:
        Float64 array of shape `(2, 3)`: the affine map from the picture to the frame.

    Source:
        Umeyama (1991), https://doi.org/10.1109/34.88573, with the rotation held.

    Example: a face of twice the size, further right.

    >>> abs(fit_frame(2 * FRAME_LANDMARKS - [10, 0])).round(3)
    array([[0.5, 0. , 5. ],
           [0. , 0.5, 0. ]])
    """
    points = np.asarray(landmarks, np.float64)
    frame = FRAME_LANDMARKS.astype(np.float64)
    points_middle, frame_middle = points.mean(axis=0), frame.mean(axis=0)
    centred, target = points - points_middle, frame - frame_middle
    roll = measure_roll(points)
    turn = math.copysign(max(0.0, abs(roll) - least_roll), roll)
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    rotation = np.array([[cosine, sine], [-sine, cosine]])  # back by `turn`
    centred = centred @ rotation.T
    scale = max((centred * target).sum(), 1e-6) / max((centred**2).sum(), 1e-6)
    linear = scale * rotation
    return np.column_stack([linear, frame_middle - linear @ points_middle])


def measure_roll(landmarks: np.ndarray) -> float:
    """Returns by how many degrees a face rolls, clockwise as seen in the picture, -180 to 180.

    It is the rotation that fits all five landmarks to the frame best; the eyes alone would be less steady.
    """
    points = np.asarray(landmarks, np.float64)
    points = points - points.mean(axis=0)
    frame = FRAME_LANDMARKS - FRAME_LANDMARKS.mean(axis=0)
    along = (frame * points).sum()
    across = (frame[:, 0] * points[:, 1] - frame[:, 1] * points[:, 0]).sum()
    return math.degrees(math.atan2(across, along))


def frame_of_box(box: Box) -> np.ndarray:
    """Returns the affine map, float64 `(2, 3)`, that makes a box (left, top, width, height) the whole frame.

    The longer side decides: the square around the middle of the box is taken.
    """
    left, top, width, height = map(float, box)
    side = max(width, height, 1e-6)
    scale = IMAGE_SIZE / side
    return np.array(
        [
            [scale, 0.0, -scale * (left + (width - side) / 2)],
            [0.0, scale, -scale * (top + (height - side) / 2)],
        ]
    )


def cut_face(grey: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Cuts a face out of a picture.

    The picture is sampled at about its own resolution and averaged down from there, so that nothing finer than a
    pixel of the frame is left (aliasing); beyond its borders the outermost pixels go on.

    Args:
        grey: Uint8 array of shape `(height, width)`.
        matrix: Float array of shape `(2, 3)`, the affine map from the picture to the frame, as of `fit_frame`.

    Returns:
        Uint8 array of shape `(48, 48)`.
    """
    matrix = np.asarray(matrix, np.float64)
    if max(grey.shape) > _LONGEST_SIDE:
        height, width = grey.shape
        share = _LONGEST_SIDE / max(grey.shape)
        smaller = max(1, round(width * share)), max(1, round(height * share))
        grey = cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA)
        matrix = matrix * [width / smaller[0], height / smaller[1], 1]
    linear = matrix[:, :2]
    shrink = 1 / math.sqrt(abs(np.linalg.det(linear)))  # pixels of the picture per pixel of the frame
    fine = min(64, max(1, math.ceil(shrink)))
    inverse = cv2.invertAffineTransform(matrix)
    to_picture = inverse.copy()  # from the fine grid, counted from the middle of the first pixel
    to_picture[:, :2] /= fine
    to_picture[:, 2] += to_picture[:, :2].sum(axis=1) * _CENTRE - _CENTRE
    size = IMAGE_SIZE * fine
    sampled = cv2.warpAffine(
        grey,
        to_picture,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return sampled if fine == 1 else cv2.resize(sampled, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """Returns the grey values of a picture, uint8 `(height, width)`: 0.299 R + 0.587 G + 0.114 B (ITU-R 601)."""
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
