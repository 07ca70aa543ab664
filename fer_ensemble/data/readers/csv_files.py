"""The CSV files of FER2013, and those like them: a row per face, its pixels as text."""

from typing import BinaryIO

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.data.classes import ClassNumbers
from fer_ensemble.data.dataset import CLASS_NAMES, SPLITS, UNLABELLED
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.csv_rows import find_column, read_header, read_rows
from fer_ensemble.data.readers.faces import Faces, GrowingImages
from fer_ensemble.data.readers.pixels import parse_pixels

LABEL_COLUMNS = ("emotion", "expression", "label", "class")  # the first of them that is there counts

_LABELS = {"": UNLABELLED} | {str(label): label for label in range(len(CLASS_NAMES))}


def read_faces(stream: BinaryIO, name: str, bad_rows: BadRows) -> Faces:
    """Reads a CSV with the column `pixels` and perhaps `emotion` and `Usage`, in any order, among others.

    Labels are FER2013's numbers 0..6 or, where the first one is a word, the names of classes.

    Args:
        stream: The CSV, open for reading bytes.
        name: What error messages call it.
        bad_rows: `BadRows`, told of each row that is not 2,304 numbers 0..255, a label or none, and (if there is
            such a column) one of the names in `SPLITS`.

    Returns:
        `Faces`; `usage` is None if there is no such column, labels are -1 if there is no column of labels.

    Raises:
        UserError: If a column occurs twice, or a line is too long.
    """
    columns = read_header(stream, name)
    pixels, emotion, usage = (
        find_column(columns, key, name) for key in ("pixels", label_column(columns), "usage")
    )
    images, labels, usages, rows = GrowingImages(), [], [], []
    label_reader = None
    row_count = 0
    with ProgressBar(f"Reading {name}", "rows") as progress:
        for row in read_rows(stream, name, columns):
            row_count += 1
            try:
                if row.problem:
                    raise ValueError(row.problem)
                image = parse_pixels(row.fields[pixels])
                split = 0 if usage is None else parse_usage(row.fields[usage])
                # Last: a bad row decides neither which kind the labels are of, nor which classes there are.
                field = "" if emotion is None else row.fields[emotion]
                if field and label_reader is None:
                    label_reader = _Numbers() if _is_number(field) else ClassNumbers(name)
                if isinstance(label_reader, ClassNumbers) and _is_number(field):
                    raise ValueError(
                        f"expected the name of a class, as in the rows before. Received: {field[:40]!r}."
                    )
                label = label_reader.number(field) if field else UNLABELLED
            except UserError:
                raise
            except ValueError as problem:
                bad_rows.add(name, row.number, str(problem), f" (line {row.line})", stream)
            else:
                images.append(image)
                labels.append(label)
                usages.append(split)
                rows.append(row.number)
            if row_count % 256 == 0:
                progress.add(256)
    labels, class_names = (label_reader or _Numbers()).finish(np.array(labels, np.int64))
    usages = None if usage is None else np.array(usages, np.uint8)
    return Faces(name, images.to_array(), labels, usages, np.array(rows, np.int64), row_count, class_names)


def label_column(columns: list[str]) -> str:
    """Returns the name of the column of labels: `emotion`, or else another of `LABEL_COLUMNS`."""
    return next((name for name in LABEL_COLUMNS if name in columns), LABEL_COLUMNS[0])


def parse_usage(field: str) -> int:
    """Returns the position in `SPLITS` of a field; raises ValueError for an unknown name."""
    if field not in SPLITS:
        raise ValueError(f"expected a Usage among {', '.join(SPLITS)}. Received: {field[:40]!r}.")
    return SPLITS.index(field)


class _Numbers:
    """FER2013's labels."""

    def number(self, field):
        if field not in _LABELS:
            raise ValueError(
                f"expected an emotion 0..{len(CLASS_NAMES) - 1}, or nothing. Received: {field[:40]!r}. "
                "(Other classes have names instead of numbers, in all rows.)"
            )
        return _LABELS[field]

    def finish(self, labels):
        return labels.astype(np.int8), CLASS_NAMES


def _is_number(field):
    return field.lstrip("+-").replace(".", "", 1).isdigit()
