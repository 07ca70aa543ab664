"""The CSV files of FER2013: a row per face, its pixels as text."""

import dataclasses

import numpy as np

from fer_ensemble.base.counter import Progress
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES, IMAGE_SIZE, SPLITS, UNLABELLED
from fer_ensemble.data.readers.pixels import parse_pixels

_BLOCK = 300_000  # bytes read and parsed at once; 100 kB and 1 MB were both slower by a fifth

_LABELS = {b"": UNLABELLED} | {b"%d" % label: label for label in range(len(CLASS_NAMES))}
_USAGES = {name.encode(): usage for usage, name in enumerate(SPLITS)}


@dataclasses.dataclass
class Faces:
    """Faces of one source, in its order.

    Attributes:
        name: What messages call the source.
        images: uint8, shape `(images, 48, 48)`.
        labels: int8, shape `(images,)`, -1 where there is no label.
        usage: uint8, shape `(images,)`, positions in `SPLITS`; None where the source does not tell.
        rows: int64, shape `(images,)`, counted from 0; bad rows are missing, but counted.
        row_count: Number of rows, bad ones included.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray | None
    rows: np.ndarray
    row_count: int


def read_header(line):
    """Returns the column names in the first line (bytes) of a CSV: lower case, without blanks around them."""
    text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
    return [name.strip().strip('"').lower() for name in text.split(",")]


def split_line(line):
    """Returns the fields (bytes) of a CSV line, without blanks and quotes around them.

    FER2013's files have neither commas nor line ends inside quotes, which makes this three times as fast as `csv`.

    Raises:
        UserError: If a quote is not closed: the line was cut.
    """
    fields = [field.strip() for field in line.split(b",")]
    if b'"' in line:
        for position, field in enumerate(fields):
            if field.startswith(b'"'):
                if len(field) < 2 or not field.endswith(b'"'):
                    raise UserError('expected a closing quote ("). Received: a row that was cut.')
                fields[position] = field[1:-1].strip()
    return fields


def read_faces(stream, name, bad_rows):
    """Reads a CSV with the column `pixels` and perhaps `emotion` and `Usage`, in any order, among others.

    Args:
        stream: The CSV, open for reading bytes.
        name: What error messages call it.
        bad_rows: `BadRows`, told of each row that is not 2,304 numbers 0..255, a label 0..6 or none, and (if there
            is such a column) one of the names in `SPLITS`.

    Returns:
        `Faces`; `usage` is None if there is no such column, labels are -1 if there is no `emotion`.
    """
    columns = read_header(stream.readline())
    pixels = columns.index("pixels")
    emotion, usage = (columns.index(key) if key in columns else None for key in ("emotion", "usage"))
    blocks = []
    row = 0  # of the next line that is not empty
    number = 1  # of the last line read, as editors count
    with Progress(f"Reading {name}", "rows") as progress:
        while lines := stream.readlines(_BLOCK):
            texts, labels, usages, rows, places = [], [], [], [], []
            for line in lines:
                number += 1
                if line.isspace():
                    continue
                try:
                    fields = split_line(line)
                    _check_field_count(fields, columns)
                    label = UNLABELLED if emotion is None else _parse_label(fields[emotion])
                    split = 0 if usage is None else parse_usage(fields[usage])
                except ValueError as problem:
                    bad_rows.add(name, row, str(problem), f" (line {number})")
                else:
                    texts.append(fields[pixels])
                    labels.append(label)
                    usages.append(split)
                    rows.append(row)
                    places.append(f" (line {number})")
                row += 1
            blocks.append(_parse_block(texts, labels, usages, rows, places, name, bad_rows))
            progress.add(len(lines))
    images, labels, usages, rows = (np.concatenate(arrays) for arrays in zip(_empty_block(), *blocks, strict=True))
    return Faces(name, images, labels, None if usage is None else usages, rows, row)


def parse_usage(field):
    """Returns the position in `SPLITS` of a field (bytes); raises UserError for an unknown name."""
    if field not in _USAGES:
        raise UserError(f"expected a Usage among {', '.join(SPLITS)}. Received: {_shown(field)}.")
    return _USAGES[field]


def _parse_label(field):
    if field not in _LABELS:
        raise UserError(f"expected an emotion 0..{len(CLASS_NAMES) - 1}, or nothing. Received: {_shown(field)}.")
    return _LABELS[field]


def _check_field_count(fields, columns):
    if len(fields) != len(columns):
        raise UserError(f"expected {len(columns)} fields, one per column. Received: {len(fields)}.")


def _parse_block(texts, labels, usages, rows, places, name, bad_rows):
    good = np.ones(len(texts), bool)

    def note(position, problem):
        good[position] = False
        bad_rows.add(name, rows[position], problem, places[position])

    images = parse_pixels(texts, note)
    arrays = images, np.array(labels, np.int8), np.array(usages, np.uint8), np.array(rows, np.int64)
    return arrays if good.all() else tuple(array[good] for array in arrays)


def _empty_block():
    return (
        np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8),
        np.zeros(0, np.int8),
        np.zeros(0, np.uint8),
        np.zeros(0, np.int64),
    )


def _shown(field):
    return repr(field[:40].decode("utf-8", "backslashreplace"))
