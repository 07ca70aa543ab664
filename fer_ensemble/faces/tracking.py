"""Following faces over time, so that each keeps its number."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.detector import overlap
from fer_ensemble.faces.found import FoundFace

LOST_AFTER = 2.0  # seconds without being seen, after which a face that comes back is a new one
_LOST_AFTER_MISSES = 6  # but never before it was missed so often
_LEAST_LIKENESS = 0.35
_MEMORY = 0.7  # share of the past in the look and the speed of a face


@dataclasses.dataclass(eq=False)
class _Track:
    id: int
    box: np.ndarray  # left, top, width, height
    look: np.ndarray
    seen: float
    misses: int = 0
    velocity: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(2))  # pixels per second

    def predict(self, time):
        passed = min(time - self.seen, 1.0)
        return np.concatenate([self.box[:2] + passed * self.velocity, self.box[2:]])


class Tracker:
    """Gives faces numbers that they keep from picture to picture.

    A face of the new picture and one that was seen before are alike by how much its box overlaps the place where
    the other, by its speed, should be by now, and by how much the two crops look alike. The most alike pair is
    joined first. Overlap alone would exchange two faces that cross.

    Source:
        Bewley et al. (2016), SORT, https://arxiv.org/abs/1602.00763: prediction, then overlap; without its Kalman
        filter, joined greedily, and with the look of the faces.
    """

    def __init__(self):
        self._tracks = []
        self._next = 0

    def update(self, time: float, faces: Sequence[FoundFace]) -> list[int]:
        """Numbers the faces of the next picture.

        Args:
            time: Seconds, more than before.
            faces: List of `FoundFace`.

        Returns:
            List of numbers, one for each face.
        """
        boxes = [np.array(face.box, float) for face in faces]
        looks = [_describe_look(face.crop) for face in faces]
        pairs = []
        for track in self._tracks:
            expected = track.predict(time)
            for number, (box, look) in enumerate(zip(boxes, looks, strict=True)):
                likeness = _likeness(expected, track, box, look)
                if likeness >= _LEAST_LIKENESS:
                    pairs.append((likeness, track.id, number, track))
        ids = [-1] * len(faces)
        joined = set()
        for _, id, number, track in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if id not in joined and ids[number] < 0:
                joined.add(id)
                ids[number] = id
                _move(track, time, boxes[number], looks[number])
        for track in self._tracks:
            track.misses += track.id not in joined
        self._tracks = [
            track
            for track in self._tracks
            if track.misses <= _LOST_AFTER_MISSES or time - track.seen <= LOST_AFTER
        ]
        for number, id in enumerate(ids):
            if id < 0:
                ids[number] = self._next
                self._tracks.append(_Track(self._next, boxes[number], looks[number], time))
                self._next += 1
        return ids


def _likeness(expected, track, box, look):
    size = math.sqrt(expected[2] * expected[3])
    distance = math.dist(expected[:2] + expected[2:] / 2, box[:2] + box[2:] / 2) / max(size, 1.0)
    reach = 0.7 + 0.4 * track.misses  # of where it may be by now, in sizes of the face
    ratio = math.sqrt(box[2] * box[3]) / max(size, 1.0)
    if distance > reach or not 0.5 < ratio < 2:
        return 0.0
    near = max(overlap(expected, box), 0.5 * (1 - distance / reach))
    return 0.5 * near + 0.5 * max(0.0, float((track.look * look).sum()))


def _move(track, time, box, look):
    passed = time - track.seen
    if passed > 0:
        velocity = (box[:2] + box[2:] / 2 - track.box[:2] - track.box[2:] / 2) / passed
        known = track.velocity.any()
        track.velocity = _MEMORY * track.velocity + (1 - _MEMORY) * velocity if known else velocity
    mixed = _MEMORY * track.look + (1 - _MEMORY) * look
    track.look = mixed / max(float(np.linalg.norm(mixed)), 1e-9)
    track.box, track.seen, track.misses = box, time, 0


def _describe_look(crop):
    """Returns the crop at a quarter of its size, less its mean, of length 1: products of two are correlations."""
    small = crop.reshape(12, 4, 12, 4).mean(axis=(1, 3))
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-9)


class Smoother:
    """Smooths the probabilities of each face over time, exponentially: what is older than `seconds` counts 1 / e.

    Args:
        seconds: 0 smooths nothing.

    Attributes:
        seconds: As given.

    Raises:
        UserError: If they are below 0, or not finite.
    """

    def __init__(self, seconds: float):
        if not 0 <= seconds < math.inf:
            raise UserError(f"`smooth` must be seconds, 0 or more. Received: {seconds}.")
        self.seconds = seconds
        self._past = {}

    def update(self, time: float, ids: Sequence[int], probabilities: np.ndarray) -> np.ndarray:
        """Returns the smoothed probabilities, float64 of shape `(faces, classes)`; each row still sums to 1."""
        smoothed = np.array(probabilities, np.float64)
        if not self.seconds:
            return smoothed
        for row, id in zip(smoothed, ids, strict=True):
            if id in self._past:
                before, past = self._past[id]
                keep = math.exp(-(time - before) / self.seconds)
                row[:] = keep * past + (1 - keep) * row
            self._past[id] = time, row.copy()
        oldest = time - max(LOST_AFTER, 10 * self.seconds)
        self._past = {id: one for id, one in self._past.items() if one[0] >= oldest}
        return smoothed
