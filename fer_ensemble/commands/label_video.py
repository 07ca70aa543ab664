"""What `fer-ensemble label` writes of a video."""

import pathlib
from collections.abc import Iterator

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.streams import printable
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.classifier.labelled_video import LabelledFrame, label_frames
from fer_ensemble.classifier.video_summary import VideoSummary
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_outputs import annotated_path, named_output, write_crops
from fer_ensemble.faces.video import UntilDamage, read_duration
from fer_ensemble.report.video_page import format_time, format_video_page


class VideoOutputs:
    """One video on its way through: its frames, and what is written of them besides the records.

    Attributes:
        seen: How many frames were looked at.
        done: Which share of the video was looked at, about.
    """

    def __init__(self, classifier: Classifier, path: str, name: str, options: LabelOptions):
        self._classifier, self._path, self._name, self._options = classifier, path, name, options
        self._summary = VideoSummary(classifier.class_names)
        self.seen, self.done = 0, 0.0
        self._duration = None

    def frames(self) -> Iterator[LabelledFrame]:
        """Yields each `LabelledFrame`; writes the annotated video and crops meanwhile, and the page at the end."""
        options, classifier = self._options, self._classifier
        self._duration = read_duration(self._path)
        frames = label_frames(classifier, self._path, options.every, options.smooth, options.threads or None)
        if options.annotate:
            from fer_ensemble.faces.annotated_video import annotate_video

            output = annotated_path(options.annotate, self._name, video=True)
            frames = annotate_video(self._path, output, frames, classifier.class_names)
        frames = UntilDamage(frames)
        for frame in frames:
            self.seen += 1
            self._summary.add(frame)
            if options.crops:
                write_crops(options.crops, self._name, frame.faces)
            yield frame
        if options.report and self.seen:
            page = named_output(options.report, self._name, ".html")
            page.parent.mkdir(parents=True, exist_ok=True)
            name = printable(pathlib.Path(self._path).name)
            write_text(page, format_video_page(name, self._summary, options.smooth))
        if frames.problem:
            raise frames.problem

    def advance(self, time: float) -> float:
        """Moves `done` on to a time in seconds; returns by how much."""
        before = self.done
        if self._duration:
            self.done = max(before, min(1.0, time / self._duration))
        return self.done - before

    def summary(self) -> list[tuple[int, str]]:
        """Returns a pair for each face of the table: its number, and what it showed for how long."""
        lines = []
        for one in self._summary.people():
            shares = sorted(one.shares.items(), key=lambda pair: -pair[1])
            texts = [f"{name} {100 * share:.0f} %" for name, share in shares if share >= 0.05]
            span = f"{format_time(one.first)} to {format_time(one.last)}"
            lines.append((one.id, f"{span}: {', '.join(texts)}"))
        return lines
