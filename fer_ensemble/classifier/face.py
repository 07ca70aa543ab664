"""A face with its expression, and the record of it that every output has."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fer_ensemble.faces.found import FoundFace

SCHEMA_VERSION = 1
LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # as seen in the picture


@dataclasses.dataclass(frozen=True, eq=False)
class Face(FoundFace):
    """A face in a picture, and its expression.

    Attributes:
        expression: Name of the most probable class.
        probability: Its probability, 0 to 1, calibrated.
        probabilities: Dict of all classes' probabilities by name; they sum to 1.
        unsure: Whether the probability is below `unsure_below`.
        explanation: Where it was asked for, float32 of shape `(48, 48)`: how much each pixel of `crop` spoke
            for the expression, below 0 against it. They sum to the difference of logits that they explain, that
            of the expression less the mean of all (see `fer_ensemble.classifier.explanation.explain`). Else None.
        frame: Of a video, the number of the frame, counted from 0; else None.
        time: Of a video, the time of the frame in seconds; else None.
        id: Of a video, the number of the person's face, which it keeps; of a picture, the place of the face in the
            list of its faces. None where it was given neither.
        smoothing: Of a video, over how many seconds the probabilities are smoothed; 0 is not at all. Else None.
    """

    expression: str
    probability: float
    probabilities: dict[str, float]
    unsure: bool
    explanation: np.ndarray | None = None
    frame: int | None = None
    time: float | None = None
    id: int | None = None
    smoothing: float | None = None

    def to_record(self, file: str | None = None, id: int | None = None) -> dict:
        """Returns the face as JSON has it, one flat schema for pictures, video and camera.

        Args:
            file: What the picture or the video is called.
            id: The number of the face; that of the face itself by default.

        Returns:
            Dict of `schema_version`, `file`, `frame`, `time` (seconds), `face` (its number), `box` (left, top,
            width, height in pixels), `landmarks` (five pairs of x and y, or None), `detector_score`, `expression`,
            `probability`, `probabilities` (by class name), `unsure`, `smoothing` (seconds). Frame, time and
            smoothing are None for pictures.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "file": file,
            "frame": self.frame,
            "time": None if self.time is None else round(self.time, 6),
            "face": self.id if id is None else id,
            "box": [round(float(value), 2) for value in self.box],
            "landmarks": None if self.landmarks is None else np.round(self.landmarks.astype(float), 2).tolist(),
            "detector_score": None if self.detector_score is None else round(self.detector_score, 4),
            "expression": self.expression,
            "probability": round(self.probability, 6),
            "probabilities": {name: round(value, 6) for name, value in self.probabilities.items()},
            "unsure": self.unsure,
            "smoothing": self.smoothing,
        }


def make_face(
    found: FoundFace, probabilities: np.ndarray, class_names: Sequence[str], unsure_below: float, **context: object
) -> Face:
    """Joins a `FoundFace` and its probabilities, float, shape `(classes,)`; `context` as `Face` has it."""
    label = int(np.argmax(probabilities))
    probability = float(probabilities[label])
    return Face(
        found.box,
        found.landmarks,
        found.detector_score,
        found.crop,
        class_names[label],
        probability,
        {name: float(value) for name, value in zip(class_names, probabilities, strict=True)},
        probability < unsure_below,
        **context,
    )
