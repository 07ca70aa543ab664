"""What is wrong in people's files: the first problem stops the reading, or all are collected."""

import csv
import dataclasses

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError


@dataclasses.dataclass
class BadRows:
    """Takes note of bad rows, and of bad images.

    Attributes:
        skip: Whether bad rows are left out. If not, the first one is an error.
        found: List of `(file, row, problem)`; `row` is counted from 0 without header.
    """

    skip: bool = False
    found: list[tuple[str, int, str]] = dataclasses.field(default_factory=list)

    def add(self, file, row, problem, place=""):
        """Notes one bad row; raises UserError unless bad rows are skipped. `place` helps to find the row."""
        if not self.skip:
            raise UserError(
                f"{file}, row {row}{place}: {problem} "
                "Mend the row, or leave bad rows out: python -m fer_ensemble.data --skip_bad_rows"
            )
        self.found.append((file, row, problem))

    def write(self, path):
        """Writes the list as a CSV (`file,row,problem`), or removes an old list where there is nothing to list."""
        if not self.found:
            path.unlink(missing_ok=True)
            return
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "row", "problem"])
            writer.writerows(self.found)
