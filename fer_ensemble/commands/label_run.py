"""The work of `fer-ensemble label`: from paths to a table, JSON, CSV, pictures with labels, and crops."""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import pathlib
import sys
from typing import TYPE_CHECKING

from fer_ensemble.base.errors import EXIT_ERROR, MissingPackageError, UserError
from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_inputs import boxes_of, is_video, list_inputs, read_boxes, real_path
from fer_ensemble.commands.label_outputs import (
    JsonDocument,
    Table,
    annotated_path,
    write_annotated,
    write_crops,
    write_explanations,
)

if TYPE_CHECKING:
    from fer_ensemble.classifier.classifier import Classifier

_FEW = 4  # pictures, which are done before a bar is read


def label(arguments: list[str], options: LabelOptions, classifier: "Classifier | None" = None) -> int:
    """Labels pictures and videos.

    Args:
        arguments: Paths of files and folders, patterns, `-`.
        options: `LabelOptions`.
        classifier: `Classifier` in place of the one that `options.model` names.

    Returns:
        0, also where there is no face; 1 if there was not one file that could be read.

    Raises:
        OSError: If an output cannot be written.
        UserError: If an option is wrong, or an output was made otherwise.
    """
    outputs = [folder for folder in (options.annotate, options.crops, options.explain) if folder]
    names = list_inputs(arguments, outputs)
    _check_annotated(options.annotate, names)
    _check_record_files(options, names)
    boxes = read_boxes(options.boxes) if options.boxes else None
    classifier = classifier or _load(options)
    with contextlib.ExitStack() as stack:
        files = _open_record_files(stack, classifier, options)
        done = set.intersection(*(file.done for file in files)) if files else set()
        todo = {path: name for path, name in names.items() if path not in done}
        if len(todo) < len(names):
            where = " and ".join(str(file.path) for file in files)
            _note(f"{len(names) - len(todo):,} of {len(names):,} files are in {where} already")
        shown = JsonDocument(classifier.class_names, classifier.unsure_below) if options.json else Table(names)
        run = _Run(classifier, options, files, shown, boxes)
        long = len(todo) > _FEW or any(map(is_video, todo))
        with ProgressBar("labelling", "files", len(todo), shown=long) as progress:
            # Pictures go through together, and videos by themselves, in the order given.
            for video, group in itertools.groupby(todo.items(), key=lambda one: is_video(one[0])):
                for share in run.label_videos(group) if video else run.label_pictures(group):
                    progress.add(share)
        shown.close()
    run.tell()
    return EXIT_ERROR if todo and run.unreadable == len(names) else 0


class _Run:
    """One run over many files, and its counts."""

    def __init__(self, classifier, options, files, shown, boxes):
        self.classifier, self.options = classifier, options
        self.files, self.shown, self.boxes = files, shown, boxes
        self.faces = self.read = self.faceless = self.unreadable = 0

    def label_pictures(self, group):
        """Labels pictures; yields 1 after each."""
        from fer_ensemble.classifier.many_pictures import find_in_many

        names, options = dict(group), self.options
        pictures = find_in_many(
            self.classifier,
            names,
            options.batch_size,
            options.threads or None,
            self._find,
            keep_pictures=bool(options.annotate),
        )
        with contextlib.closing(pictures):
            for one in pictures:
                records = [face.to_record(one.source, number) for number, face in enumerate(one.faces)]
                if options.annotate and one.problem is None:
                    write_annotated(
                        options.annotate, names[one.source], one.picture, one.faces, self.classifier.class_names
                    )
                if options.crops:
                    write_crops(options.crops, names[one.source], one.faces)
                if options.explain:
                    write_explanations(options.explain, names[one.source], self.classifier.explain(one.faces))
                if not one.passing:  # else the same command tries it again
                    self._write(one.source, records, one.problem)
                    self._commit(one.source)
                self._count(len(records), one.problem)
                self.shown.add(one.source, records, one.problem)
                yield 1

    def label_videos(self, group):
        """Labels videos; yields, after each frame and in the end, which share of its video is done since."""
        from fer_ensemble.classifier.many_pictures import describe_problem
        from fer_ensemble.commands.label_video import VideoOutputs

        for path, name in group:
            outputs = VideoOutputs(self.classifier, path, name, self.options)
            problem = _say_why_not_there(path)
            passing, faces = problem is not None, 0
            try:
                for frame in () if problem else outputs.frames():
                    records = [face.to_record(path) for face in frame.faces]
                    faces += len(records)
                    self._write(path, records, None, frame.index, frame.time)
                    if self.options.json:
                        self.shown.add(path, records, None)
                    yield outputs.advance(frame.time)
            except UserError as error:  # an output that cannot be written is no problem of the video
                problem, passing = describe_problem(error, path), isinstance(error, MissingPackageError)
            if outputs.seen:  # of a damaged video, what came before
                self.shown.add_video(path, outputs.summary())
            else:
                problem = problem or "a video without a frame"
            if problem:
                self.shown.add(path, [], problem)
            if not passing:
                if problem:
                    self._write(path, [], problem)
                self._commit(path)
            self._count(faces, problem)
            yield 1 - outputs.done

    def tell(self):
        """Tells how it went, on stderr."""
        parts = [f"{self.faces:,} {'face' if self.faces == 1 else 'faces'} in {self.read:,} "
                 f"{'file' if self.read == 1 else 'files'}"]  # fmt: skip
        if self.faceless:
            parts.append(f"{self.faceless:,} without a face")
        if self.unreadable:
            parts.append(f"{self.unreadable:,} could not be read")
        _note("; ".join(parts))

    def _find(self, source, picture):
        boxes = None if self.boxes is None else boxes_of(self.boxes, source)
        return self.classifier.find(picture, faces=self.options.faces, boxes=boxes)

    def _write(self, path, records, problem, frame=None, time=None):
        if not self.files:
            return
        from fer_ensemble.classifier.record_files import empty_record

        records = records or [empty_record(path, self.classifier.class_names, problem, frame, time)]
        for file in self.files:
            if path not in file.done:
                for record in records:
                    file.add(record)

    def _commit(self, path):
        for file in self.files:
            if path not in file.done:
                file.commit([path])

    def _count(self, faces, problem):
        self.faces += faces
        self.read += problem is None
        self.faceless += problem is None and not faces
        self.unreadable += problem is not None


def _say_why_not_there(path):
    try:
        with pathlib.Path(path).open("rb"):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _check_annotated(folder, names):
    """Sees to it that no picture is written over by its copy with labels."""
    if not folder:
        return
    sources = {real_path(path) for path in names}
    for path, name in names.items():
        target = annotated_path(folder, name, is_video(path))
        if real_path(target) in sources:
            raise UserError(
                f"`annotate` must be a folder where none of the pictures is. Received: {folder}, in which "
                f"{target} would be written over. Choose another."
            )


def _check_record_files(options, names):
    """Sees to it that nothing that is read is written over by records of it."""
    read = {real_path(path) for path in (*names, options.boxes, options.model) if path}
    for name in ("csv", "jsonl"):
        path = getattr(options, name)
        if path and real_path(path) in read:
            raise UserError(f"`{name}` must be another file than what is read. Received: {path}. Choose another.")


def _load(options):
    import cv2

    from fer_ensemble.classifier.classifier import load
    from fer_ensemble.faces.detector import DetectorSettings

    cv2.setNumThreads(1)  # pictures are searched side by side instead
    return load(
        options.model or None,
        threads=options.threads or None,
        unsure_below=options.unsure_below,
        detector=DetectorSettings(options.detection_size, options.least_score),
    )


def _open_record_files(stack, classifier, options):
    paths = [path for path in (options.csv, options.jsonl) if path]
    if not paths:
        return []
    from fer_ensemble.classifier.record_files import RecordFile

    made_by = {
        "network": _digest(classifier.about),
        "class_names": list(classifier.class_names),
        "unsure_below": classifier.unsure_below,
        "boxes": _digest(pathlib.Path(options.boxes).read_bytes()) if options.boxes else None,
        **{
            name: value
            for name, value in dataclasses.asdict(options).items()
            if name in ("faces", "detection_size", "least_score", "every", "smooth")
        },
    }
    open_file = functools.partial(
        RecordFile, class_names=classifier.class_names, made_by=made_by, overwrite=options.overwrite
    )
    kinds = {options.csv: False, options.jsonl: True}
    return [stack.enter_context(open_file(path, lines=kinds[path])) for path in paths]


def _digest(content):
    content = content if isinstance(content, bytes) else repr(content).encode()
    return hashlib.sha256(content).hexdigest()


def _note(text):
    print(text, file=sys.stderr, flush=True)
