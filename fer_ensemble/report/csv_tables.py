"""Tables as CSV files, whole or not at all."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fer_ensemble.base.atomic_files import replacing

if TYPE_CHECKING:
    import pandas


def write_csv(
    path: pathlib.Path, columns: Sequence[str], rows: Iterable[Sequence], digits: str | None = None
) -> None:
    """Writes a table.

    Args:
        path: Path of the file; its folder exists.
        columns: Names of the columns.
        rows: Rows of cells, a cell per column; None and NaN give an empty cell.
        digits: How floats are written, such as `%.6f`; None: to the last digit.
    """
    import pandas

    # As objects, cells stay what they are: a column of integers with a gap would become floats.
    write_frame(path, pandas.DataFrame([list(row) for row in rows], columns=list(columns), dtype=object), digits)


def write_frame(path: pathlib.Path, frame: "pandas.DataFrame", digits: str | None = None) -> None:
    """Writes a `pandas.DataFrame`, without its index; arguments as for `write_csv`."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=digits, lineterminator="\n", encoding="utf-8")
