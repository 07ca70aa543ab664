"""Reading a video: upright pictures with their true times, one after another."""

import contextlib
import dataclasses
import fractions
import math
import numbers
import os
import pathlib
import types
import typing
from collections.abc import Callable

import numpy as np

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.data.readers.pictures import MAXIMUM_PIXELS

_STEP_BACK = 1.0  # seconds; where time stamps go back by more, the clock has begun anew


class Timeline:
    """Times of a stream, which go on where time stamps are missing, or begin anew as in joined recordings.

    Args:
        start: Time stamp, in seconds, that is to be time 0. Defaults to the first one.
    """

    def __init__(self, start: numbers.Real | None = None):
        self._start, self._latest, self._following = start, None, 0

    def place(self, stamp: numbers.Real | None, step: numbers.Real) -> numbers.Real:
        """Returns the time of a frame, in seconds, from its time stamp and how long it lasts."""
        if stamp is None:
            time = self._following
        else:
            if self._start is None or (
                self._latest is not None and stamp - self._start < self._latest - _STEP_BACK
            ):
                self._start = stamp - self._following
            time = stamp - self._start
        self._latest = time if self._latest is None else max(self._latest, time)
        self._following = self._latest + step
        return time


class UntilDamage:
    """An iterator that ends where a video is damaged, so that what came before is made use of first.

    Args:
        items: Iterator that may raise UserError.

    Attributes:
        problem: The error that ended it, or None.
    """

    def __init__(self, items: typing.Iterator):
        self._items, self.problem = items, None

    def __iter__(self) -> "UntilDamage":
        return self

    def __next__(self) -> object:
        try:
            return next(self._items)
        except UserError as error:
            self.problem = error
            raise StopIteration from error


@dataclasses.dataclass(frozen=True, eq=False)
class VideoPicture:
    """A picture of a video.

    Attributes:
        index: The number of the frame, counted from 0, with those that are passed over.
        time: Seconds since the video's first picture, by its own time stamps.
        picture: Uint8 array of shape `(height, width, 3)`, RGB, upright.
    """

    index: int
    time: float
    picture: np.ndarray


@dataclasses.dataclass(frozen=True)
class Every:
    """How often a video is looked at: every so many seconds, or every so many frames; the other is 0."""

    seconds: float = 0.0
    frames: int = 0

    @classmethod
    def parse(cls, value: float | int | str) -> "Every":
        """Reads `0.2`, `"0.2"` or `"2s"`, seconds, and `5` or `"5"`, frames.

        >>> Every.parse("0.2"), Every.parse("2s"), Every.parse(5)
        (Every(seconds=0.2, frames=0), Every(seconds=2.0, frames=0), Every(seconds=0.0, frames=5))
        """
        text = str(value).strip().lower()
        with contextlib.suppress(ValueError):
            if text.isdigit() and int(text) > 0:
                return cls(frames=int(text))
            seconds = float(text.removesuffix("s"))
            if not text.isdigit() and 0 < seconds < math.inf:
                return cls(seconds=seconds)
        raise UserError(
            f"`every` must be seconds, as 0.2 or 2s, or a number of frames, as 5, above 0. Received: {value}."
        )

    def choose(self) -> Callable[[int, float], bool]:
        """Returns a function `(index, time)` that tells of each frame in turn whether it is looked at."""
        if self.frames:
            return lambda index, time: index % self.frames == 0
        next_time = -math.inf

        def due(index, time):
            nonlocal next_time
            if time < next_time - 1e-6:
                return False
            # On a fixed grid, so that no error adds up; of a gap in the video, one picture.
            next_time = (math.floor(time / self.seconds + 1e-6) + 1) * self.seconds
            return True

        return due


def import_av() -> types.ModuleType:
    """Returns PyAV.

    Raises:
        MissingPackageError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackageError(
            "Videos take the package av, which is not installed: pip install 'fer-ensemble[video]'"
        ) from error
    return av


@contextlib.contextmanager
def open_video(path: str | os.PathLike) -> typing.Iterator[tuple]:
    """Opens a video; gives PyAV's container and its first stream of pictures.

    Raises:
        OSError: If there is no such file.
        UserError: If it is no video, or its pictures are too large.
    """
    av = import_av()
    path = pathlib.Path(path)
    if not path.stat().st_size:
        raise UserError(f"{path}: expected a video. Received: an empty file. Replace or remove it.")
    if not path.is_file():
        raise UserError(f"{path}: expected a video file. Received: a folder or device. Replace or remove it.")
    with contextlib.ExitStack() as stack:
        try:
            # A pipe or an address that a playlist names is never opened.
            options = {"protocol_whitelist": "file"}
            container = stack.enter_context(av.open(str(path), options=options, metadata_errors="ignore"))
            stream = container.streams.video[0]
        except (av.error.FFmpegError, IndexError, ValueError) as error:
            why = "without pictures" if isinstance(error, IndexError) else f"that cannot be opened ({_say(error)})"
            raise UserError(f"{path}: expected a video. Received: a file {why}. Replace or remove it.") from error
        size = stream.codec_context.width, stream.codec_context.height
        if size[0] * size[1] > MAXIMUM_PIXELS:
            raise UserError(
                f"{path}: expected pictures of at most {MAXIMUM_PIXELS:,} pixels. Received: {size[0]:,} x "
                f"{size[1]:,}. Make the video smaller."
            )
        stream.thread_type = "AUTO"
        yield container, stream


def read_duration(path: str | os.PathLike) -> float | None:
    """Returns about how many seconds a video lasts, as its head says, or None; raises as `open_video`."""
    with open_video(path) as (container, _):
        return container.duration / 1e6 if container.duration else None  # AV_TIME_BASE, microseconds


def decode_frames(
    path: str | os.PathLike, container: typing.Any, stream: typing.Any
) -> typing.Iterator[tuple[int, float, typing.Any]]:
    """Yields each frame of a stream: its number, its time in seconds from the first one, and PyAV's frame.

    Raises:
        UserError: If the video is damaged, after the last frame that can be read.
    """
    av = import_av()
    timeline, step = Timeline(), 1 / (stream.average_rate or stream.guessed_rate or 25)
    index = -1
    try:
        for index, frame in enumerate(container.decode(stream)):
            yield index, max(0.0, float(timeline.place(stamp_of(frame), step))), frame
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(
            f"{path}: expected a whole video. Received: one that cannot be read beyond {index + 1:,} frames "
            f"({_say(error)})."
        ) from error


def read_pictures(path: str | os.PathLike, every: Every) -> typing.Iterator[VideoPicture]:
    """Yields pictures of a video, `VideoPicture`; only one is held at a time.

    Args:
        path: Path of the file.
        every: `Every`: how often.

    Raises: as `open_video` and `decode_frames`.
    """
    due = every.choose()
    with open_video(path) as (container, stream):
        for index, time, frame in decode_frames(path, container, stream):
            if due(index, time):
                yield VideoPicture(index, time, to_upright(frame))


def to_upright(frame: typing.Any) -> np.ndarray:
    """Converts PyAV's frame to RGB, uint8 `(height, width, 3)`, turned as its metadata say."""
    picture = frame.to_ndarray(format="rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def stamp_of(frame: typing.Any) -> fractions.Fraction | None:
    """Returns the time stamp of PyAV's frame, in seconds, or None where it has none."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _say(error):
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:120]
