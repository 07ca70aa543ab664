"""The member directory: what its files are called, and when it is complete."""

import contextlib
import json
import pathlib
import re

import filelock

from fer_ensemble.command import HeldError
from fer_ensemble.files import hash_file, write_text

RECORD = "member.json"  # written last: without it, the directory is unfinished work
MODEL = "model.keras"
PREDICTIONS = "predictions.h5"
HISTORY = "history.csv"
STATE = "state.npz"  # what an interrupted training goes on from
PROGRESS = "progress.json"
LOCK = "lock"


def member_folder(experiments, fold, run):
    """Returns the folder of a member: `experiments/exp_<fold>/<run>`."""
    return pathlib.Path(experiments) / f"exp_{fold}" / run


def find_folders(experiments):
    """Finds what looks like a member, finished or not.

    Returns:
        Dictionary from `(run, fold)` to the folder, in the order of runs, then folds.
    """
    found = {}
    for folder in pathlib.Path(experiments).glob("exp_*/*_*"):
        fold = re.fullmatch(r"exp_(\d+)", folder.parent.name)
        if fold and folder.is_dir() and re.fullmatch(r"[a-z]\w*_\d+", folder.name):
            found[folder.name, int(fold[1])] = folder
    return dict(sorted(found.items()))


def is_complete(folder):
    """Whether a member's training has ended; its record, written last, says so."""
    return (folder / RECORD).is_file()


def write_record(folder, record, files):
    """Completes a member: writes its record, with the SHA-256 of the named files in it."""
    hashes = {name: hash_file(folder / name) for name in files}
    write_text(folder / RECORD, json.dumps({**record, "files": hashes}, indent=2) + "\n")


def read_record(folder):
    """Reads a complete member's record.

    Raises:
        ValueError: If `member.json` is damaged.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["settings"], record["files"], record["data"], record["folds"], record["class_names"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be the record of a finished member, but is damaged ({error}). "
            "Train the member again with --overwrite."
        ) from error
    return record


def check_file(folder, record, name):
    """Raises ValueError if one of a complete member's files is not, to the bit, what its training wrote."""
    path = folder / name
    if not path.is_file() or hash_file(path) != record["files"].get(name):
        state = "is not the file that the training wrote" if path.is_file() else "is missing"
        raise ValueError(f"{path} {state} (SHA-256 in {RECORD}). Train the member again with --overwrite.")


@contextlib.contextmanager
def held(folder):
    """Holds a member for this process alone; a holder that dies lets go.

    Raises:
        HeldError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        holder = read_progress(folder)
        who = f" (process {holder['pid']} on {holder['host']})" if holder else ""
        raise HeldError(f"{folder} is being trained by another process{who}.") from None
    try:
        yield
    finally:
        lock.release()


def read_progress(folder):
    """Returns what the member's training last said of itself, or None."""
    try:
        return json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
