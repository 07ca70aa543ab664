"""Finding faces in pictures of any size."""

import dataclasses

import cv2
import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.frame import Box
from fer_ensemble.faces.yunet import YuNet

# Pixels. Of 150 FER2013 faces, YuNet found 124 in pictures of 48 pixels and 148 in the same enlarged to 192; in
# pictures of 624 pixels, which the face fills, 106, and 148 when these are searched at half their size, too.
_SMALL = 96
_LARGE = 240


@dataclasses.dataclass(frozen=True)
class Detection:
    """Where a face is.

    Attributes:
        box: Left, top, width and height in pixels of the picture, floats; may reach beyond the picture.
        landmarks: Float32 array of shape `(5, 2)`, x and y in pixels of the picture from its upper left corner:
            eye on the left of the picture, eye on the right, tip of the nose, corners of the mouth left and right.
        score: How sure the detector is, 0 to 1.
    """

    box: Box
    landmarks: np.ndarray
    score: float


@dataclasses.dataclass(frozen=True)
class DetectorSettings:
    """How faces are looked for.

    Attributes:
        size: The picture's longest side while it is searched, in pixels. Larger finds smaller faces, and takes
            longer: faces of about 10 pixels at this size are found.
        least_score: Detections below are dropped. OpenCV's own default of 0.9 misses close-ups with an expression.
        most_overlap: Of two detections that overlap by more (intersection over union), the surer one stays.
    """

    size: int = 640
    least_score: float = 0.6
    most_overlap: float = 0.3

    def __post_init__(self):
        if not 32 <= self.size <= 8192:
            raise UserError(f"`detection_size` must be 32 to 8192 pixels. Received: {self.size}.")
        if not 0 < self.least_score <= 1:
            raise UserError(f"`least_score` must be above 0, at most 1. Received: {self.least_score}.")
        if not 0 < self.most_overlap < 1:
            raise UserError(f"`most_overlap` must be between 0 and 1. Received: {self.most_overlap}.")


class FaceDetector:
    """Finds faces, with YuNet. May be used from several threads.

    Example:

    >>> detector = FaceDetector()
    >>> detector.detect(np.zeros((100, 100, 3), np.uint8))
    []
    """

    def __init__(self, settings: DetectorSettings = DetectorSettings()):
        self.settings = settings
        self._network = YuNet(settings.least_score, settings.most_overlap)

    def detect(self, picture: np.ndarray) -> list[Detection]:
        """Finds the faces in a picture.

        Args:
            picture: Uint8 array of shape `(height, width, 3)`, RGB, or `(height, width)`, grey.

        Returns:
            List of `Detection`, the largest box first.
        """
        longest = max(picture.shape[:2])
        side = min(longest, self.settings.size) if longest >= _SMALL else 2 * _SMALL
        found = self._search(picture, side)
        if side > _LARGE:  # it misses faces that fill the picture, and finds them at half the size
            least = _LARGE * longest / side
            found += [
                one
                for one in self._search(picture, side // 2)
                if max(one.box[2:]) > least
                and all(overlap(one.box, other.box) < self.settings.most_overlap for other in found)
            ]
        return sorted(found, key=lambda one: (-one.box[2] * one.box[3], one.box))

    def _search(self, picture, side):
        """Searches the picture with its longest side brought to `side` pixels."""
        height, width = picture.shape[:2]
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if size != (width, height):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        stretch = np.array([width / size[0], height / size[1]], np.float32)
        boxes, landmarks, scores = self._network.search(picture)
        boxes = boxes * np.tile(stretch, 2)
        return [
            Detection(tuple(box), points, score)
            for box, points, score in zip(boxes.tolist(), landmarks * stretch, scores.tolist(), strict=True)
        ]


def overlap(box: Box, other: Box) -> float:
    """Returns the intersection of two boxes (left, top, width, height) over their union, 0 to 1.

    >>> overlap((0, 0, 2, 2), (1, 0, 2, 2))
    0.3333333333333333
    """
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    return common / max(box[2] * box[3] + other[2] * other[3] - common, 1e-9)
