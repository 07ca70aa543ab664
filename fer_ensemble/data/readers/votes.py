"""The votes of FER+: ten people looked at each face of FER2013."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import VOTE_NAMES
from fer_ensemble.data.readers.csv_files import parse_usage, read_header, split_line

VOTERS = 10


def read_votes(stream, name, bad_rows):
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
    columns = read_header(stream.readline())
    places = [columns.index(vote.lower()) for vote in VOTE_NAMES]
    usage_place = columns.index("usage")
    votes, usages = [], []
    for line in stream:
        if line.isspace():
            continue
        try:
            fields = split_line(line)
            if len(fields) != len(columns):
                raise UserError(f"expected {len(columns)} fields, one per column. Received: {len(fields)}.")
            row_votes = [_parse_count(fields[place]) for place in places]
            usage = parse_usage(fields[usage_place])
        except ValueError as problem:
            bad_rows.add(name, len(votes), str(problem))
            row_votes, usage = [0] * len(VOTE_NAMES), None
        votes.append(row_votes)
        usages.append(usage)
    return np.array(votes, np.uint8).reshape(-1, len(VOTE_NAMES)), usages


def _parse_count(field):
    if field and not (field.isdigit() and int(field) <= VOTERS):
        shown = field[:40].decode("utf-8", "backslashreplace")
        raise UserError(f"expected numbers of votes 0..{VOTERS}, or nothing. Received: {shown!r}.")
    return int(field or 0)
