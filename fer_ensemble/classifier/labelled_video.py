"""The faces of a video, and their expressions over time."""

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import typing

import numpy as np

from fer_ensemble.base.cores import count_cores
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.classifier.face import Face, make_face
from fer_ensemble.faces.tracking import Smoother, Tracker
from fer_ensemble.faces.video import Every, UntilDamage, import_av, read_pictures


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledFrame:
    """A frame that was looked at.

    Attributes:
        index: Its number in the video, counted from 0.
        time: Seconds from the first frame.
        faces: List of `Face`, with their numbers, the largest first.
        picture: Uint8 array of shape `(height, width, 3)`, RGB.
    """

    index: int
    time: float
    faces: list[Face]
    picture: np.ndarray


def label_frames(
    classifier: Classifier,
    path: str | os.PathLike,
    every: float | int | str = "0.2",
    smooth: float = 0.0,
    workers: int | None = None,
) -> typing.Iterator[LabelledFrame]:
    """Finds and follows the faces of a video.

    Args:
        classifier: `Classifier`.
        path: Path of the file.
        every: How often it is looked at: "0.2" or 0.2, seconds; 5, frames.
        smooth: Over how many seconds the probabilities are smoothed; 0 is not at all.
        workers: How many pictures are searched at a time; as many as there are cores by default.

    Returns:
        Generator of `LabelledFrame`, one for each frame that is looked at, also where it has no face. Memory does
        not grow with the video.

    Raises:
        MissingPackageError: If PyAV is not installed.
        UserError: If a setting is wrong, it is no video, or it is damaged; the latter after its last whole frame.
    """
    every, smoother = Every.parse(every), Smoother(smooth)
    import_av()
    return _label(classifier, read_pictures(path, every), smoother, workers or count_cores())


def _label(classifier, pictures, smoother, workers):
    tracker = Tracker()
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="frames")
    try:
        for one, found in _search_ahead(pool, classifier, pictures, workers):
            ids = tracker.update(one.time, found)
            probabilities = classifier.predict([face.crop for face in found])
            rows = smoother.update(one.time, ids, probabilities)
            faces = [
                make_face(
                    face, row, classifier.class_names, classifier.unsure_below,
                    frame=one.index, time=one.time, id=id, smoothing=smoother.seconds,
                )
                for face, row, id in zip(found, rows, ids, strict=True)
            ]  # fmt: skip
            yield LabelledFrame(one.index, one.time, faces, one.picture)
    finally:
        pool.shutdown(cancel_futures=True)
        pictures.close()


def _search_ahead(pool, classifier, pictures, workers):
    """Yields each picture with the faces found in it; while one is used, the next are read and searched."""
    under_way = collections.deque()
    pictures = UntilDamage(pictures)
    while True:
        for one in itertools.islice(pictures, workers + 1 - len(under_way)):
            under_way.append((one, pool.submit(classifier.find, one.picture)))
        if not under_way:
            break
        one, found = under_way.popleft()
        yield one, found.result()
    if pictures.problem:
        raise pictures.problem
