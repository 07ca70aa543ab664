"""Writing a video with what was found drawn into it, and with its sound."""

import contextlib
import dataclasses
import fractions
import os
import pathlib
from collections.abc import Iterator, Sequence

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.labelled_pictures import draw_faces
from fer_ensemble.faces.video import (
    Timeline,
    UntilDamage,
    decode_frames,
    import_av,
    open_video,
    stamp_of,
    to_upright,
)

_COPIED_SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}  # that an .mp4 may hold
_QUALITY = {"crf": "21", "preset": "veryfast"}
_CLOCK = fractions.Fraction(1, 90_000)  # seconds


def annotate_video(
    source: str | os.PathLike, output: str | os.PathLike, labelled: Iterator, class_names: Sequence[str]
) -> Iterator:
    """Writes a video like `source` with faces drawn into each frame, as H.264 in an `.mp4`.

    Between two frames that were looked at, a box moves from one to the other; the label is that of the earlier.

    Args:
        source: Path of the video.
        output: Path of the file to write.
        labelled: Iterator of `LabelledFrame` of the same video. It is read as the writing goes on.
        class_names: Names of the classes, for the colours.

    Yields:
        Each `LabelledFrame`, once.

    Raises: as `label_frames`. What could be written by then is kept.
    """
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        writing = _write(source, temporary, labelled, class_names)
        problem = None
        with contextlib.closing(writing):
            try:
                yield from writing
            except UserError as error:  # a damaged video
                problem = error
            except ValueError as error:  # PyAV's, as of time stamps that no .mp4 can have
                problem = UserError(f"{source}: expected a video that can be written again. Received: {error}.")
        if problem:
            if temporary.exists() and temporary.stat().st_size:
                temporary.replace(output)
            raise problem


def _write(source, output, labelled, class_names):
    av = import_av()
    labelled = UntilDamage(labelled)
    previous, following = None, next(labelled, None)
    if following is None:
        raise labelled.problem or UserError(
            f"{source}: expected a video. Received: one without a frame. Replace or remove it."
        )
    yield following
    with open_video(source) as (container, stream), av.open(str(output), "w", format="mp4") as written:
        frames = UntilDamage(decode_frames(source, container, stream))
        sound = _Sound(source, written)
        pictures = None
        with contextlib.closing(sound):
            for _, time, frame in frames:
                while following is not None and following.time <= time:
                    previous, following = following, next(labelled, None)
                    if following is not None:
                        yield following
                picture = draw_faces(to_upright(frame), _faces_at(time, previous, following), class_names)
                picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]  # as H.264 wants it
                if pictures is None:
                    rate = stream.average_rate or 25
                    pictures = written.add_stream("libx264", rate=rate, options=_QUALITY)
                    pictures.height, pictures.width = picture.shape[:2]
                    pictures.pix_fmt = "yuv420p"
                    pictures.time_base = pictures.codec_context.time_base = _CLOCK
                    sound.begin()
                new = av.VideoFrame.from_ndarray(picture, format="rgb24")
                new.pts, new.time_base = round(time / _CLOCK), _CLOCK
                sound.write_until(time)
                written.mux(pictures.encode(new))
            if pictures is not None:
                written.mux(pictures.encode())
                sound.write_until(None)
    if problem := labelled.problem or frames.problem:
        raise problem


class _Sound:
    """The sound of the source, copied as it is where an `.mp4` may hold it, else as AAC; or nothing."""

    def __init__(self, source, written):
        self._stack = contextlib.ExitStack()
        self._written, self._packets, self._next = written, iter(()), None
        container, pictures = self._stack.enter_context(open_video(source))
        if not container.streams.audio:
            return
        self._stream = container.streams.audio[0]
        start = pictures.start_time * pictures.time_base if pictures.start_time and pictures.time_base else 0
        self._timeline = Timeline(start)
        self._copied = self._stream.codec_context.name in _COPIED_SOUND
        self._packets = self._copy(container) if self._copied else self._encode(container)

    def begin(self):
        """Adds the stream of sound to what is written."""
        if not hasattr(self, "_stream"):
            return
        if self._copied:
            self._output = self._written.add_stream_from_template(self._stream)
        else:
            self._output = self._written.add_stream("aac", rate=self._stream.rate or 44_100)

    def write_until(self, time):
        """Writes the packets up to a time in seconds, or all where it is None."""
        while True:
            try:
                packet = self._next or next(self._packets, None)
            except import_av().error.FFmpegError:  # it is damaged, and ends here
                packet = None
            self._next = None
            if packet is None:
                return
            if time is not None and packet.dts * packet.time_base > time + 0.5:
                self._next = packet
                return
            self._written.mux(packet)

    def _copy(self, container):
        for packet in container.demux(self._stream):
            if packet.dts is None:  # the end, as PyAV tells it
                continue
            time = self._timeline.place(packet.dts * packet.time_base, (packet.duration or 0) * packet.time_base)
            shift = round(time / packet.time_base) - packet.dts
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = self._output
            yield packet

    def _encode(self, container):
        for frame in container.decode(self._stream):
            time = self._timeline.place(stamp_of(frame), fractions.Fraction(frame.samples, frame.sample_rate))
            frame.pts = round(time / frame.time_base)
            yield from self._output.encode(frame)
        yield from self._output.encode(None)

    def close(self):
        self._stack.close()


def _faces_at(time, previous, following):
    if previous is None:
        return []
    if following is None or following.time <= previous.time:
        return previous.faces
    share = min(1.0, max(0.0, (time - previous.time) / (following.time - previous.time)))
    later = {face.id: face.box for face in following.faces}
    return [
        dataclasses.replace(
            face,
            box=tuple(a + share * (b - a) for a, b in zip(face.box, later[face.id], strict=True)),
        )
        if face.id in later
        else face
        for face in previous.faces
    ]
