"""What is wrong in people's files: the first problem stops the reading, or all are collected."""

import csv
import dataclasses
import pathlib
from typing import BinaryIO

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError

MAXIMUM_BAD_ROWS = 100_000  # that are left out; with more, it is another kind of file


@dataclasses.dataclass
class BadRows:
    """Takes note of bad rows, and of bad images.

    Attributes:
        skip: Whether bad rows are left out. If not, the first one is an error.
        found: List of `(file, row, problem)`; `row` is counted from 0 without header.
    """

    skip: bool = False
    found: list[tuple[str, int, str]] = dataclasses.field(default_factory=list)

    def add(
        self,
        file: str,
        row: int,
        problem: str,
        location: str = "",
        stream: BinaryIO | None = None,
        fix: str = "Mend the row",
    ) -> None:
        """Notes one bad row, or raises UserError unless bad rows are skipped.

        Args:
            file: The file's name.
            row: Its number, from 0.
            problem: What was expected, and what came.
            location: Helps to find the row, as ` (line 3)`.
            stream: What is left of the file. It is read to its end first: a bad row may come of a damaged archive,
                which says so itself.
            fix: What to do about it.
        """
        if not self.skip:
            while stream and stream.read(1 << 20):
                pass
            raise UserError(
                f"{file}, row {row}{location}: {problem} {fix}, or leave out what is bad: "
                "python -m fer_ensemble.data INPUT --output=NEW.h5 --skip_bad_rows"
            )
        if len(self.found) == MAXIMUM_BAD_ROWS:
            raise UserError(
                f"{file}: expected at most {MAXIMUM_BAD_ROWS:,} bad rows. Received: more, the first in row "
                f"{self.found[0][1]}: {self.found[0][2]}"
            )
        self.found.append((file, row, problem))

    def write(self, path: pathlib.Path) -> None:
        """Writes the list as a CSV (`file,row,problem`), or removes an old list where there is nothing to list."""
        if not self.found:
            path.unlink(missing_ok=True)
            return
        with (
            replacing(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["file", "row", "problem"])
            writer.writerows(self.found)
