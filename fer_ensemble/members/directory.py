"""The member directory: what its files are called, and when it is complete."""

import csv
import json
import math
import os
import pathlib
import re
from collections.abc import Iterable

from fer_ensemble.base.atomic_files import hash_file, write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.data.fold_names import Fold, fold_name, parse_fold
from fer_ensemble.members.record_shape import (
    RECORD_FIELDS,
    WHOLE_RECORD_FIELDS,
    check_class_names,
    check_hashes,
    check_settings,
    check_shape,
)

RECORD = "member.json"  # written last: without it, the directory is unfinished work
MODEL = "model.keras"
PREDICTIONS = "predictions.h5"
HISTORY = "history.csv"
STATE = "state.npz"  # what an interrupted training goes on from
PROGRESS = "progress.json"
FAILURE = "failure.json"  # why the last training ended without being complete
UNFINISHED = (STATE, PROGRESS, FAILURE, HISTORY, MODEL, PREDICTIONS)  # the files of a training, but for the record
MOST_HISTORY_BYTES = 64 << 20  # an epoch takes 60


def member_name(fold: Fold, run: str) -> str:
    """Returns a member's path under the folder of its ensemble: `exp_2/cnn_0`, `exp_none/cnn_0`."""
    return f"exp_{fold_name(fold)}/{run}"


def member_folder(experiments: str | os.PathLike, fold: Fold, run: str) -> pathlib.Path:
    """Returns the folder of a member."""
    return pathlib.Path(experiments) / member_name(fold, run)


def run_name(model: str, replica: int) -> str:
    """Returns the name of a run: `cnn_0`. `is_run` knows it again."""
    return f"{model}_{replica}"


def find_folders(experiments: str | os.PathLike) -> dict[tuple[str, Fold], pathlib.Path]:
    """Finds what looks like a member, finished or not.

    Returns:
        Dictionary from `(run, fold)` to the folder, in the order of runs, then folds; single ones come first, None
        comes last.
    """
    found = {}
    for folder in pathlib.Path(experiments).glob("exp_*/*_*"):
        fold = re.fullmatch(r"exp_(\d{1,9}(?:\+\d{1,9})*|none)", folder.parent.name, re.ASCII)
        if fold and folder.is_dir() and is_run(folder.name):
            found[folder.name, parse_fold(fold[1])] = folder

    def order(item):
        (run, fold), _ = item
        return run, fold is None, isinstance(fold, tuple), fold

    return dict(sorted(found.items(), key=order))


def is_run(name: str) -> bool:
    """Whether a text is the name of a run: `cnn_0`, `resnet18_12`."""
    return bool(re.fullmatch(r"[a-z]\w*_\d{1,9}", name, re.ASCII))


def is_complete(folder: pathlib.Path) -> bool:
    """Whether a member's training has ended; its record, written last, says so."""
    return (folder / RECORD).is_file()


def write_record(folder: pathlib.Path, record: dict, files: Iterable[str]) -> None:
    """Completes a member: writes its record, with the SHA-256 of the named files in it."""
    hashes = {name: hash_file(folder / name) for name in files}
    write_text(folder / RECORD, json.dumps({**record, "files": hashes}, indent=2) + "\n")


def recorded_views(record: dict) -> str:
    """Returns the views of each face, a name of `fer_ensemble.members.views.VIEWS`, that a member averages."""
    return record["settings"].get("tta", "none")


def is_answered(folder: pathlib.Path, record: dict, views: str) -> bool:
    """Whether a complete member's predictions are of these views, and those that its record tells of.

    A kill may have come when others were written, and the record was not.
    """
    path = folder / PREDICTIONS
    written = not path.is_file() or hash_file(path) == record["files"].get(PREDICTIONS)
    return written and recorded_views(record) == views


def read_record(folder: pathlib.Path, whole: bool = False) -> dict:
    """Reads a complete member's record.

    Args:
        folder: `pathlib.Path` of the member.
        whole: Whether everything is looked for that `train_member` writes, not only what makes it a member.

    Raises:
        UserError: If `member.json` is damaged.
    """
    path = folder / RECORD
    what, fix = "the record of a finished member", "Train the member again with --overwrite."
    record = read_json(path, what, fix)
    try:
        check_shape(record, WHOLE_RECORD_FIELDS if whole else RECORD_FIELDS)
        check_settings(record["settings"])
        check_class_names(record["class_names"])
        check_hashes(record["files"])
    except ValueError as error:
        raise UserError(f"{path} must be {what}, but is damaged ({error}). {fix}") from error
    return record


def check_file(folder: pathlib.Path, record: dict, name: str) -> None:
    """Raises UserError if one of a complete member's files is not, to the bit, what its training wrote."""
    path = folder / name
    if not path.is_file() or hash_file(path) != record["files"].get(name):
        state = "is not the file that the training wrote" if path.is_file() else "is missing"
        raise UserError(f"{path} {state} (SHA-256 in {RECORD}). Train the member again with --overwrite.")


def check_files(folder: pathlib.Path) -> None:
    """Checks all of a complete member's files; raises UserError as `read_record` and `check_file` do."""
    record = read_record(folder)
    for name in record["files"]:
        check_file(folder, record, name)


def read_history(folder: pathlib.Path) -> dict[str, list[float | None]]:
    """Reads a member's `history.csv`.

    Returns:
        Dictionary from each column to its list of floats, one per epoch, None where nothing was measured.

    Raises:
        FileNotFoundError: If there is none: its first epoch has not ended.
        UserError: If it is not a table of numbers with one row at least.
    """
    path = folder / HISTORY
    try:
        if path.stat().st_size > MOST_HISTORY_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
        history = {name: [_number_or_none(row[name]) for row in rows] for name in (rows[0] if rows else ())}
        if not history:
            raise ValueError("it has no rows")
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(
            f"{path} must be a table of numbers, a row for each epoch, but is damaged ({error}). "
            "Train the member again with --overwrite."
        ) from error
    return history


def read_checked_history(folder: pathlib.Path, record: dict) -> dict[str, list[float | None]]:
    """Reads a complete member's `history.csv`; raises UserError if it is not, to the bit, what was written."""
    check_file(folder, record, HISTORY)
    return read_history(folder)


def _number_or_none(text):
    if text == "":
        return None
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is no measurement")
    return number
