"""What a training notes of itself beside its files: how far it is, in which process, and why it ended."""

import contextlib
import json
import os
import pathlib
import socket
import time

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import EXPECTED_ERRORS
from fer_ensemble.base.json_files import read_json
from fer_ensemble.members.directory import FAILURE, PROGRESS
from fer_ensemble.members.record_shape import NOTE_FIELDS, check_shape


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
    line = str(error) if isinstance(error, EXPECTED_ERRORS) else f"{type(error).__name__}: {error}"
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
