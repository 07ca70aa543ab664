"""A face that was found in a picture, cut out in FER2013's frame."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.detector import FaceDetector, overlap
from fer_ensemble.faces.frame import Box, cut_face, fit_frame, frame_of_box, to_grey

DETECT, WHOLE = "detect", "whole"

_AROUND = 0.5  # of a box's longer side: how far around it a face is looked for
_LEAST_OVERLAP = 0.25  # of a given box with the detected one: a box around a whole head has about twice its area


@dataclasses.dataclass(frozen=True, eq=False)
class FoundFace:
    """A face in a picture.

    Attributes:
        box: Left, top, width and height in pixels of the picture, floats; may reach beyond the picture.
        landmarks: Float32 array of shape `(5, 2)`, x and y in pixels of the picture from its upper left corner:
            eye on the left of the picture, eye on the right, tip of the nose, corners of the mouth left and right.
            None where the face was not searched for, or no landmarks were found in the box that was given.
        detector_score: How sure the detector is that it is a face, 0 to 1. None where it was not asked.
        crop: Uint8 array of shape `(48, 48)`, grey: the face as the network sees it.
    """

    box: Box
    landmarks: np.ndarray | None
    detector_score: float | None
    crop: np.ndarray


def find_in(picture: np.ndarray, detector: FaceDetector) -> list[FoundFace]:
    """Finds the faces of a picture, uint8 RGB or grey, with a `FaceDetector`; the largest comes first."""
    detections = detector.detect(picture)
    grey = to_grey(picture) if detections else None
    return [
        FoundFace(one.box, one.landmarks, one.score, cut_face(grey, fit_frame(one.landmarks)))
        for one in detections
    ]


def take_whole(picture: np.ndarray) -> list[FoundFace]:
    """Takes a picture that shows one face and nothing else: its central square is the frame, as FER2013's are."""
    height, width = picture.shape[:2]
    side = min(height, width)
    box = ((width - side) / 2, (height - side) / 2, float(side), float(side))
    return [FoundFace(box, None, None, cut_face(to_grey(picture), frame_of_box(box)))]


def take_boxes(picture: np.ndarray, boxes: Sequence[Box], detector: FaceDetector) -> list[FoundFace]:
    """Takes the faces whose boxes are given, in that order.

    Boxes are drawn in many ways. So landmarks are looked for in each and around it, and decide how the face is
    cut; where there are none, the frame is the box, made square.

    Args:
        picture: Uint8 array, RGB or grey.
        boxes: Sequence of (left, top, width, height) in pixels of the picture.
        detector: `FaceDetector`.

    Raises:
        UserError: If a box is smaller than a pixel or lies outside the picture.
    """
    height, width = picture.shape[:2]
    grey = to_grey(picture)
    faces = []
    for box in boxes:
        box = tuple(map(float, box))
        inside = len(box) == 4 and np.isfinite(box).all() and min(box[2:]) >= 1
        if not inside or box[0] >= width or box[1] >= height or box[0] + box[2] <= 0 or box[1] + box[3] <= 0:
            raise UserError(
                f"A box must be left, top, width, height in pixels and touch the picture of {width} x {height}. "
                f"Received: {box}."
            )
        one = _detect_in(picture, box, detector)
        if one is None:
            faces.append(FoundFace(box, None, None, cut_face(grey, frame_of_box(box))))
        else:
            faces.append(FoundFace(box, one.landmarks, one.score, cut_face(grey, fit_frame(one.landmarks))))
    return faces


def _detect_in(picture, box, detector):
    """Returns the detection that overlaps the box most, or None if none does well enough."""
    left, top, width, height = box
    margin = _AROUND * max(width, height)
    x, y = max(0, math.floor(left - margin)), max(0, math.floor(top - margin))
    part = picture[y : math.ceil(top + height + margin), x : math.ceil(left + width + margin)]
    found = [
        dataclasses.replace(
            one,
            box=(one.box[0] + x, one.box[1] + y, *one.box[2:]),
            landmarks=one.landmarks + np.array([x, y], np.float32),
        )
        for one in detector.detect(np.ascontiguousarray(part))
    ]
    best = max(found, key=lambda one: overlap(one.box, box), default=None)
    return best if best and overlap(best.box, box) >= _LEAST_OVERLAP else None
