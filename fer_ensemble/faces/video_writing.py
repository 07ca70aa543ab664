"""Writing pictures with their times as a video, as for tests and benchmarks."""

import fractions
import os
from collections.abc import Iterable

import numpy as np

from fer_ensemble.faces.video import import_av

_CLOCK = fractions.Fraction(1, 1000)  # seconds
_SOUND_RATE = 16_000  # samples per second


def write_video(
    path: str | os.PathLike,
    pictures: Iterable[np.ndarray],
    times: Iterable[float],
    sound_seconds: float = 0.0,
    rotation: int = 0,
) -> None:
    """Writes an H.264 video whose frames have exactly the times that are given.

    Args:
        path: Path of the file; its suffix is its kind: `.mp4`, `.mkv`, ...
        pictures: Iterable of uint8 arrays of shape `(height, width, 3)`, RGB, all of one size, even numbers.
        times: Iterable of seconds, ascending, in whole milliseconds.
        sound_seconds: How long a tone of 440 Hz sounds, as AAC.
        rotation: Degrees, counter-clockwise, by which players are told to turn the pictures: a multiple of 90.
    """
    av = import_av()
    with av.open(str(path), "w") as container:
        stream = sound = None
        for picture, time in zip(pictures, times, strict=True):
            if stream is None:
                stream = container.add_stream("libx264", rate=25, options={"crf": "12", "preset": "ultrafast"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = _CLOCK
                if rotation:
                    stream.set_display_rotation(rotation)
                if sound_seconds:
                    sound = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            _write_tone(av, container, sound, sound_seconds)


def _write_tone(av, container, stream, seconds):
    samples = np.arange(int(seconds * _SOUND_RATE))
    tone = (0.2 * np.sin(2 * np.pi * 440 * samples / _SOUND_RATE)).astype(np.float32)
    for start in range(0, len(tone) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_RATE, start, fractions.Fraction(1, _SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
