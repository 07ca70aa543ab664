"""The learning curve of a member, a row for each epoch, as `history.csv` has it."""

import csv
import io

HISTORY_COLUMNS = (
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second", "seconds",
)  # fmt: skip


def format_history(history: list[dict]) -> str:
    """Returns the history, dictionaries with the keys of `HISTORY_COLUMNS`, as CSV; None stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    for row in history:
        values = [row[name] for name in HISTORY_COLUMNS]
        writer.writerow(
            ["" if value is None else f"{value:.6g}" if isinstance(value, float) else value for value in values]
        )
    return text.getvalue()
