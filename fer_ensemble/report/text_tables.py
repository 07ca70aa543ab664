"""Aligned tables as plain text."""

from collections.abc import Iterable, Sequence

from fer_ensemble.base.errors import UserError


def format_table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Lays out a table as plain text: a header, a rule, and the rows.

    Args:
        header: One title per column.
        rows: Rows of cells, written with `str`; None gives an empty cell. A column whose cells all
            begin like a number or an interval, or are empty or a dash, is aligned right, with its
            title; the others left.

    Returns:
        The lines, joined by newlines, without one at the end.

    Raises:
        UserError: If a row has not as many cells as the header.

    Example:

    >>> print(format_table(["member", "images", "accuracy"], [["cnn_0", 9, "66.67 %"], ["all", 3589, None]]))
    member  images  accuracy
    ------  ------  --------
    cnn_0        9   66.67 %
    all       3589
    """
    header = [str(title) for title in header]
    rows = [["" if cell is None else str(cell) for cell in row] for row in rows]
    for row in rows:
        if len(row) != len(header):
            raise UserError(
                f"Each row must have one cell per column ({len(header)}). Received: {len(row)} cells, {row}."
            )
    lines = []
    columns = [[row[number] for row in rows] for number in range(len(header))]
    widths = [max(map(len, [title, *cells])) for title, cells in zip(header, columns, strict=True)]
    aligns = [">" if _is_numbers(cells) else "<" for cells in columns]
    for line in [header, ["-" * width for width in widths], *rows]:
        cells = [f"{cell:{a}{w}}" for cell, a, w in zip(line, aligns, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _is_numbers(cells):
    """Whether the cells, but for empty ones and dashes, begin with a digit after a sign or bracket, if any."""
    filled = [cell for cell in cells if cell.strip("-")]
    return bool(filled) and all(cell.lstrip("+-[")[:1].isdecimal() for cell in filled)
