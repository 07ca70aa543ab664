"""Text that people and programs read: aligned tables, percents, times, the lines of the predictions file."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import SPLITS, UNLABELLED


def format_table(header, rows):
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
    columns = [[row[place] for row in rows] for place in range(len(header))]
    widths = [max(map(len, [title, *cells])) for title, cells in zip(header, columns, strict=True)]
    aligns = [">" if _is_numbers(cells) else "<" for cells in columns]
    for line in [header, ["-" * width for width in widths], *rows]:
        cells = [f"{cell:{a}{w}}" for cell, a, w in zip(line, aligns, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def predictions_table(rows, usage, labels, predicted, probabilities, class_names):
    """Writes the ensemble's prediction of each image as lines of a CSV file.

    Args:
        rows: Int array of shape `(images,)`, the images' places in their source.
        usage: Int array of shape `(images,)`, positions in `SPLITS`; written by name.
        labels: Int array of shape `(images,)`; -1, no label, is written as an empty cell.
        predicted: Int array of shape `(images,)`, the predicted labels.
        probabilities: Float array of shape `(images, classes)`; written with 6 decimals.
        class_names: One name per class, the titles of the probabilities.

    Returns:
        Iterator of the lines, each ending in a newline; the first is
        `row,usage,emotion,predicted,<class names>`.

    Raises:
        UserError: If the shapes do not fit together, before the first line.

    Example:

    >>> print(*predictions_table([7], [2], [-1], [1], [[0.25, 0.75]], ["sad", "happy"]), sep="", end="")
    row,usage,emotion,predicted,sad,happy
    7,PrivateTest,,1,0.250000,0.750000
    """
    columns = [np.asarray(column) for column in (rows, usage, labels, predicted)]
    probabilities = np.asarray(probabilities)
    images = len(columns[0])
    if any(column.shape != (images,) for column in columns) or probabilities.shape != (
        images,
        len(class_names),
    ):
        raise UserError(
            "`rows`, `usage`, `labels` and `predicted` must have shape (images,) and `probabilities` "
            f"shape (images, {len(class_names)}). Received: shapes "
            f"{', '.join(str(column.shape) for column in [*columns, probabilities])}."
        )
    return _prediction_lines(*(column.tolist() for column in [*columns, probabilities]), class_names)


def _prediction_lines(rows, usage, labels, predicted, probabilities, class_names):
    yield ",".join(["row", "usage", "emotion", "predicted", *map(_quoted, class_names)]) + "\n"
    line = "%d,%s,%s,%d" + ",%.6f" * len(class_names) + "\n"
    for row, split, label, guess, chances in zip(rows, usage, labels, predicted, probabilities, strict=True):
        emotion = "" if label == UNLABELLED else label
        yield line % (row, SPLITS[split], emotion, guess, *chances)


def _quoted(cell):
    """A cell as CSV wants it (RFC 4180): in quotes where it would break the line apart."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell


def _is_numbers(cells):
    """Whether the cells, but for empty ones and dashes, begin with a digit after a sign or bracket, if any."""
    filled = [cell for cell in cells if cell.strip("-")]
    return bool(filled) and all(cell.lstrip("+-[")[:1].isdecimal() for cell in filled)
