"""The votes of FER+: ten people looked at each face of FER2013."""

from typing import BinaryIO

import numpy as np

from fer_ensemble.data.dataset import VOTE_NAMES
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.csv_files import parse_usage
from fer_ensemble.data.readers.csv_rows import find_column, read_header, read_rows

VOTERS = 10


def read_votes(stream: BinaryIO, name: str, bad_rows: BadRows) -> tuple[np.ndarray, list[int | None]]:
    """Reads `fer2013new.csv` of FER+ (Barsoum et al., 2016, https://github.com/microsoft/FERPlus).

    Its rows stand in the order of `fer2013.csv`; the image names are of no use, as they are empty where no
    voter saw a face.

    Args:
        stream: The CSV, open for reading bytes: `Usage`, `Image name` and the columns of `VOTE_NAMES`.
        name: What error messages call it.
        bad_rows: `BadRows`, told of each row that does not hold numbers of votes 0..10, or an unknown Usage.

    Returns:
        votes: uint8, shape `(rows, 10)`, in the order of `VOTE_NAMES`; 0 where a row has none, or is bad.
        usage: List of the rows' positions in `SPLITS`; None for a bad row.
    """
    columns = read_header(stream, name)
    positions = [find_column(columns, vote.lower(), name) for vote in VOTE_NAMES]
    usage_position = find_column(columns, "usage", name)
    votes, usages = [], []
    for row in read_rows(stream, name, columns):
        try:
            if row.problem:
                raise ValueError(row.problem)
            row_votes = [_parse_count(row.fields[position]) for position in positions]
            usage = parse_usage(row.fields[usage_position])
        except ValueError as problem:
            bad_rows.add(name, row.number, str(problem), f" (line {row.line})", stream)
            row_votes, usage = [0] * len(VOTE_NAMES), None
        votes.append(row_votes)
        usages.append(usage)
    return np.array(votes, np.uint8).reshape(-1, len(VOTE_NAMES)), usages


def _parse_count(field):
    if field and not (field.isascii() and field.isdigit() and len(field) < 10 and int(field) <= VOTERS):
        raise ValueError(f"expected numbers of votes 0..{VOTERS}, or nothing. Received: {field[:40]!r}.")
    return int(field or 0)
