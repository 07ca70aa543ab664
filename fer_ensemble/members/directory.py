"""The member directory: what its files are called, and when it is complete."""

import contextlib
import csv
import json
import math
import os
import pathlib
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator

from fer_ensemble.base.atomic_files import hash_file, write_text
from fer_ensemble.base.errors import TOLD_ERRORS, HeldError, UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.data.fold_names import Fold, fold_name, parse_fold
from fer_ensemble.members.record_shape import (
    NOTE_FIELDS,
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
LOCK = "lock"
MOST_HISTORY_BYTES = 64 << 20  # an epoch takes 60
NEW = "new"  # folder, in a complete member's, of the training that is to replace it


def member_name(fold: Fold, run: str) -> str:
    """Returns the place of a member under the folder of its ensemble: `exp_2/cnn_0`, `exp_none/cnn_0`."""
    return f"exp_{fold_name(fold)}/{run}"


def member_folder(experiments: str | os.PathLike, fold: Fold, run: str) -> pathlib.Path:
    """Returns the folder of a member."""
    return pathlib.Path(experiments) / member_name(fold, run)


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


def is_replaced(folder: pathlib.Path) -> bool:
    """Whether a training is to replace the member. Until it is complete, the old member stays as it was."""
    return (folder / NEW).is_dir()


def work_folder(folder: pathlib.Path) -> pathlib.Path:
    """Returns where an unfinished training keeps its files: the member's folder, or `new/` in it."""
    return folder / NEW if is_replaced(folder) else folder


def begin_afresh(folder: pathlib.Path) -> None:
    """Has a member trained afresh: a complete one stays until it is replaced, an unfinished one is removed."""
    if is_complete(folder):
        shutil.rmtree(folder / NEW, ignore_errors=True)
        (folder / NEW).mkdir()
        return
    for name in (STATE, PROGRESS, FAILURE, HISTORY, MODEL, PREDICTIONS):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)


def finish_replacement(folder: pathlib.Path) -> None:
    """Moves a complete training from `new/` into the member's place.

    The record goes first and comes last, so that no moment shows a mixture as complete. Called again after a kill
    in between, it does the rest.
    """
    new = folder / NEW
    if not is_complete(new):
        return
    (folder / RECORD).unlink(missing_ok=True)
    for cache in folder.glob("predictions-*.h5"):  # of the old network
        cache.unlink()
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    names = {path.name for path in new.iterdir()} - {RECORD}
    for name in (*sorted(names), RECORD):
        (new / name).replace(folder / name)
    new.rmdir()


def write_record(folder: pathlib.Path, record: dict, files: Iterable[str]) -> None:
    """Completes a member: writes its record, with the SHA-256 of the named files in it."""
    hashes = {name: hash_file(folder / name) for name in files}
    write_text(folder / RECORD, json.dumps({**record, "files": hashes}, indent=2) + "\n")


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


@contextlib.contextmanager
def held(folder: pathlib.Path) -> Iterator[None]:
    """Holds a member for this process alone; a holder that dies, however it dies, lets go.

    It is the kernel's `flock` on a file that stays: no process has to be left to renew it or clean up. Between
    nodes it holds where the file system has one `flock` for all of them: NFS 4, CephFS, GPFS, BeeGFS and Lustre as
    usually set up. On Lustre mounted with `localflock` each node sees its own locks only; there it is for the
    scheduler to start each member once.

    Raises:
        HeldError: If another process holds it.
    """
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=1)  # `is_held` holds it, too, for an instant
    except filelock.Timeout:
        holder = read_progress(work_folder(folder))
        who = f" ({describe_holder(holder)})" if holder else ""
        raise HeldError(f"{folder} is being trained by another process{who}.") from None
    try:
        yield
    finally:
        lock.release()


def is_held(folder: pathlib.Path) -> bool:
    """Whether a process holds the member: asked of the lock, so that one that died does not count."""
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is trained
        return False
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never begun, or a file system without flock
        return False
    return False


def describe_process() -> dict:
    """Returns what tells which process this is: `host`, `pid`, and under SLURM the `job`, as `squeue` names it."""
    job = os.environ.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return {"host": socket.gethostname(), "pid": os.getpid(), **({"job": job} if job else {})}


def describe_holder(process: dict) -> str:
    """Says in words what `describe_process` returned: `job 12_3, process 4321 on node7`."""
    job = f"job {process['job']}, " if process.get("job") else ""
    return f"{job}process {process.get('pid', '?')} on {process.get('host', '?')}"


def write_progress(folder: pathlib.Path, progress: dict) -> None:
    """Writes how far the training is, a dictionary, with this process and the time."""
    text = json.dumps({"state": "running", **progress, **describe_process(), "updated": time.time()})
    write_text(folder / PROGRESS, text + "\n")


def read_progress(folder: pathlib.Path) -> dict | None:
    """Returns what the member's training last said of itself, or None."""
    return _read_notes(folder / PROGRESS)


def write_failure(folder: pathlib.Path, error: BaseException) -> None:
    """Notes why a training ended: one line, with process and time. Where even that is impossible, nothing."""
    line = str(error) if isinstance(error, TOLD_ERRORS) else f"{type(error).__name__}: {error}"
    note = {"error": " ".join(line.split()), **describe_process(), "time": time.time()}
    with contextlib.suppress(OSError):
        write_text(folder / FAILURE, json.dumps(note) + "\n")


def read_failure(folder: pathlib.Path) -> dict | None:
    """Returns the note of `write_failure`, or None."""
    return _read_notes(folder / FAILURE)


def _read_notes(path):
    try:
        notes = read_json(path, "a note of a training", "")
        check_shape(notes, NOTE_FIELDS, optional=True)
    except (OSError, ValueError):
        return None
    return notes
