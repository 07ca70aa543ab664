"""The rows of a CSV, each with its place, so that a bad one can be named."""

import collections
import csv
import dataclasses
import io
from collections.abc import Iterator
from typing import BinaryIO

from fer_ensemble.base.errors import UserError

MAXIMUM_LINE = 1_000_000  # bytes; a row of FER2013 has at most 9,300
MAXIMUM_LINES = 10_000_000  # of a file, so that empty ones end some time
_LINES_OF_ROW = 100  # at most, where a field in quotes goes over several


@dataclasses.dataclass
class Row:
    """One row below the header.

    Attributes:
        number: Its number, counted from 0; empty lines do not count.
        line: The number of its first line, as editors count.
        fields: One string per column, without blanks and quotes around it; None for a bad row.
        problem: What is wrong with a bad row, else None.
    """

    number: int
    line: int
    fields: list[str] | None
    problem: str | None = None


def split_header(line: bytes) -> list[str]:
    """Returns the column names in the first line (bytes) of a CSV: lower case, without blanks around them."""
    text = _decode(line.removeprefix(b"\xef\xbb\xbf"))
    try:
        names = next(csv.reader(io.StringIO(text), skipinitialspace=True), [""])
    except csv.Error:  # as of a line of no CSV at all
        names = text.split(",")
    return [name.strip().lower() for name in names]


def read_header(stream: BinaryIO, name: str) -> list[str]:
    """Reads the first line of a CSV.

    Args:
        stream: The CSV, open for reading bytes.
        name: What error messages call it.

    Returns:
        The column names, as from `split_header`.
    """
    return split_header(_read_line(stream, name, 1))


def find_column(columns: list[str], wanted: str, name: str) -> int | None:
    """Returns the position of the column `wanted`, or None; raises UserError if there are two of that name."""
    if columns.count(wanted) > 1:
        raise UserError(
            f"{name}: expected one column {wanted}. Received: {columns.count(wanted)}. "
            "Rename or remove the others."
        )
    return columns.index(wanted) if wanted in columns else None


def read_rows(stream: BinaryIO, name: str, columns: list[str]) -> Iterator[Row]:
    """Reads the rows below the header.

    pandas took 2.3 s to split FER2013's lines, Python's csv 1.9 s, and both stop at a bad row or pass over it
    without its number. So only lines with quotes go through csv; the others take 0.4 s.

    Args:
        stream: The CSV, open for reading bytes behind its header.
        name: What error messages call it.
        columns: The column names.

    Yields:
        `Row`s, bad ones included.

    Raises:
        UserError: If a line is longer than `MAXIMUM_LINE`, or there are more than `MAXIMUM_LINES`.
    """
    lines = _Lines(stream, name)
    number = 0
    while line := lines.take():
        first = lines.number
        if line.isspace():
            continue
        try:
            fields = _split_quoted(line, lines) if b'"' in line else _decode(line).split(",")
            if len(fields) != len(columns):
                raise ValueError(f"expected {len(columns)} fields, one per column. Received: {len(fields)}.")
            yield Row(number, first, [field.strip() for field in fields])
        except ValueError as problem:
            yield Row(number, first, None, str(problem))
        number += 1


class _Lines:
    """The lines of a stream, of which some may be looked at in advance."""

    def __init__(self, stream, name):
        self._stream, self._name = stream, name
        self._read = 1  # the header
        self._ahead = collections.deque()
        self.number = 1  # of the line taken last

    def take(self):
        self.number += 1
        if self._ahead:
            return self._ahead.popleft()
        return self._read_on()

    def look(self, count):
        """Returns the line `count` lines further on (0 is the next)."""
        while len(self._ahead) <= count:
            self._ahead.append(self._read_on())
        return self._ahead[count]

    def _read_on(self):
        self._read += 1
        if self._read > MAXIMUM_LINES:
            raise UserError(
                f"{self._name}: expected at most {MAXIMUM_LINES:,} lines. Received: more. Divide the file."
            )
        return _read_line(self._stream, self._name, self._read)


def _read_line(stream, name, number):
    line = stream.readline(MAXIMUM_LINE)
    if len(line) == MAXIMUM_LINE and not line.endswith(b"\n"):
        raise UserError(
            f"{name}, line {number}: expected a line of at most {MAXIMUM_LINE:,} bytes. Received: a longer one. "
            "Mend the file."
        )
    return line


def _split_quoted(line, lines):
    """Returns the fields of a line with quotes, and of those that follow while a quote is open."""
    text, further = _decode(line), 0
    while True:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise ValueError(f"expected fields in quotes between commas. Received: {error}.") from None
        else:
            if len(rows) != 1:
                raise ValueError(f"expected one row in a line. Received: {len(rows)}.")
            for _ in range(further):
                lines.take()
            return rows[0]
        while True:  # to the next line with a quote
            following = lines.look(further)
            further += 1
            if not following or further == _LINES_OF_ROW:
                raise ValueError('expected a closing quote ("). Received: none.')
            text += _decode(following)
            if b'"' in following:
                break


def _decode(line):
    return line.decode("utf-8", "backslashreplace")
