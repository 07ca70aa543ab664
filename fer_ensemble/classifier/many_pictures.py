"""Many pictures, one after another: reading, searching and classifying at the same time, in bounded memory."""

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.errors import EXPECTED_ERRORS, MissingPackageError, UserError
from fer_ensemble.classifier.face import Face
from fer_ensemble.faces.picture_arrays import as_picture

if TYPE_CHECKING:
    from fer_ensemble.classifier.classifier import Classifier

_MOST_PIXELS = 30_000_000  # that wait for a batch to be full, where the pictures are kept

# The file itself may be fine: it is worth another try once a package is installed, or a disk is there again.
_PASSING = (MissingPackageError, OSError, MemoryError)

_LONGEST_WAIT = 1.0  # seconds that an answer waits for a batch to be full


@dataclasses.dataclass(frozen=True, eq=False)
class PictureFaces:
    """What was found in one picture of many.

    Attributes:
        source: The path, as it was given.
        faces: List of `Face`, the largest first; empty where there is none, or the file could not be read.
        problem: Why it could not be read, or None.
        picture: The picture, uint8 RGB, where it was asked for.
        passing: Whether the problem may lie elsewhere than in the file: a missing package, memory, the disk.
    """

    source: str | os.PathLike
    faces: list[Face]
    problem: str | None = None
    picture: np.ndarray | None = None
    passing: bool = False


def find_in_many(
    classifier: "Classifier",
    sources: Iterable[str | os.PathLike],
    batch_size: int = 64,
    workers: int | None = None,
    find: Callable | None = None,
    keep_pictures: bool = False,
) -> Iterator[PictureFaces]:
    """Finds the faces of many pictures.

    Threads read pictures and search them, while the faces of those before are classified together. What is under
    way is bounded, so that memory does not grow with the number of pictures.

    Args:
        classifier: `Classifier`.
        sources: Iterable of paths; it may have no end.
        batch_size: How many faces are classified at once.
        workers: How many threads read and search; as many as there are cores by default.
        find: Function `(source, picture)` to a list of `FoundFace`. Searches the picture by default.
        keep_pictures: Whether the pictures are handed out, too.

    Yields:
        `PictureFaces`, one for each source, in their order. A file that cannot be read ends nothing: `problem`
        says why.

    Raises:
        UserError: If `batch_size` or `workers` is below 1.
    """
    workers = count_cores() if workers is None else workers
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value < 1:
            raise UserError(f"`{name}` must be at least 1. Received: {value}.")

    def read(source):
        try:
            picture = as_picture(source)
            found = classifier.find(picture) if find is None else find(source, picture)
        except EXPECTED_ERRORS as error:
            passing = isinstance(error, _PASSING)
            return PictureFaces(source, [], describe_problem(error, source), passing=passing)
        return PictureFaces(source, found, None, picture if keep_pictures else None)

    return _run(classifier, iter(sources), read, batch_size, workers)


def _run(classifier, sources, read, batch_size, workers):
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="pictures")
    try:
        under_way = collections.deque(pool.submit(read, one) for one in itertools.islice(sources, workers + 1))
        batch, begun = [], time.monotonic()
        while under_way:
            batch.append(under_way.popleft().result())
            under_way.extend(pool.submit(read, one) for one in itertools.islice(sources, 1))
            if _is_full(batch, batch_size) or not under_way or time.monotonic() - begun > _LONGEST_WAIT:
                yield from _classify(classifier, batch)
                batch, begun = [], time.monotonic()
    finally:
        pool.shutdown(cancel_futures=True)


def _is_full(batch, batch_size):
    pixels = sum(one.picture[..., 0].size for one in batch if one.picture is not None)
    faces = sum(len(one.faces) for one in batch)
    return faces >= batch_size or len(batch) >= batch_size or pixels >= _MOST_PIXELS


def _classify(classifier, batch):
    faces = iter(classifier.classify([face for one in batch for face in one.faces]))
    for one in batch:
        yield dataclasses.replace(one, faces=[next(faces) for _ in one.faces])


def describe_problem(error: Exception, source: str | os.PathLike) -> str:
    """Returns what was wrong with a file, in one line that need not name it once more."""
    return " ".join(str(error).split()).removeprefix(f"{source}: ") or type(error).__name__
