"""What a video showed, face by face, in memory that does not grow with its length."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fer_ensemble.classifier.labelled_video import LabelledFrame

_FIRST_BIN = 0.1  # seconds
_MOST_BINS = 800  # of one face; then two become one
_MOST_PEOPLE = 200  # whose numbers are kept; then those are dropped that were seen the shortest
_THUMBNAIL = 96  # pixels


class Person:
    """One face that was followed.

    Attributes:
        id: Its number.
        first, last: Seconds from the beginning of the video.
        frames: How many frames that were looked at show it.
        unsure: How many of these answers were unsure.
        counts: Dict from each class to the number of frames in which it was the most probable.
        clearest: Dict from a class to its clearest moment: probability, seconds, and the face as JPEG, bytes.
    """

    def __init__(self, id: int, time: float, class_names: Sequence[str]):
        self.id, self.first, self.last = id, time, time
        self.frames = self.unsure = 0
        self.counts = dict.fromkeys(class_names, 0)
        self.clearest = {}
        self.bins = {}  # from the number of the bin to the sum of the probabilities, and their number behind

    @property
    def shares(self) -> dict[str, float]:
        """Dict from each class to the share of the frames in which it was the most probable."""
        return {name: count / self.frames for name, count in self.counts.items()}


class VideoSummary:
    """Collects a video's frames, `LabelledFrame`, as they come.

    Attributes:
        class_names: Names of the classes.
        duration: Seconds up to the last frame.
        frames: How many frames were looked at.
        faceless: How many of them show no face.
        bin_seconds: How long a step of `series` is.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = tuple(class_names)
        self.duration, self.frames, self.faceless = 0.0, 0, 0
        self.bin_seconds = _FIRST_BIN
        self._people = {}

    def add(self, frame: LabelledFrame) -> None:
        """Adds a frame."""
        self.duration = frame.time
        self.frames += 1
        self.faceless += not frame.faces
        while frame.time / self.bin_seconds >= _MOST_BINS:
            self.bin_seconds *= 2
            for person in self._people.values():
                person.bins = _halve(person.bins)
        for face in frame.faces:
            if face.id not in self._people:
                self._make_room()
                self._people[face.id] = Person(face.id, frame.time, self.class_names)
            self._add_face(self._people[face.id], face, frame)

    def people(self, most: int | None = None) -> list[Person]:
        """Returns the faces, a list of `Person`, by their numbers; with `most`, those seen the longest."""
        people = sorted(self._people.values(), key=lambda person: (-person.frames, person.id))[:most]
        return sorted(people, key=lambda person: person.id)

    def series(self, person: Person) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a face showed over time.

        Returns:
            times: Float64 array of shape `(steps,)`, seconds: the middle of each step in which it was seen.
            probabilities: Float64 array of shape `(steps, classes)`, their mean in each step.
        """
        numbers = sorted(person.bins)
        sums = np.array([person.bins[number] for number in numbers])
        return (np.array(numbers) + 0.5) * self.bin_seconds, sums[:, :-1] / sums[:, -1:]

    def _add_face(self, person, face, frame):
        person.last = frame.time
        person.frames += 1
        person.unsure += face.unsure
        person.counts[face.expression] += 1
        one = np.array([*face.probabilities.values(), 1.0])
        number = int(frame.time / self.bin_seconds)
        person.bins[number] = person.bins.get(number, 0.0) + one
        if face.probability > person.clearest.get(face.expression, (0.0,))[0]:
            thumbnail = _cut_thumbnail(frame.picture, face.box)
            person.clearest[face.expression] = face.probability, frame.time, thumbnail

    def _make_room(self):
        if len(self._people) >= _MOST_PEOPLE:
            shortest = min(self._people.values(), key=lambda person: (person.frames, person.last))
            del self._people[shortest.id]


def _halve(bins):
    halved = {}
    for number, one in bins.items():
        halved[number // 2] = halved.get(number // 2, 0.0) + one
    return halved


def _cut_thumbnail(picture, box):
    side = 1.3 * max(box[2], box[3])
    left, top = box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2
    image = Image.fromarray(picture).crop((round(left), round(top), round(left + side), round(top + side)))
    content = io.BytesIO()
    image.resize((_THUMBNAIL, _THUMBNAIL)).save(content, "JPEG", quality=85)
    return content.getvalue()
