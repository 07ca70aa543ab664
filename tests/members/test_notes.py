import os
import socket

from fer_ensemble.base.errors import UserError
from fer_ensemble.members import notes


def test_the_holder_is_told_with_its_job(tmp_path, monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    alone = notes.describe_process()
    assert alone == {"host": socket.gethostname(), "pid": os.getpid()}
    assert notes.describe_holder(alone) == f"process {os.getpid()} on {socket.gethostname()}"
    monkeypatch.setenv("SLURM_JOB_ID", "15")
    assert notes.describe_holder(notes.describe_process()).startswith("job 15, process ")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert notes.describe_process()["job"] == "12_3"


def test_a_failure_is_noted_in_one_line(tmp_path):
    assert notes.read_failure(tmp_path) is None
    notes.write_failure(tmp_path, UserError("`width` must be\n  at least 1."))
    note = notes.read_failure(tmp_path)
    assert note["error"] == "`width` must be at least 1." and note["pid"] == os.getpid()
    notes.write_failure(tmp_path, KeyError("a"))
    assert notes.read_failure(tmp_path)["error"] == "KeyError: 'a'"
    notes.write_failure(tmp_path / "none", ValueError("nowhere to write"))  # raises nothing


def test_progress_is_what_the_training_last_said_or_none(tmp_path):
    assert notes.read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"epoch": 1.5')
    assert notes.read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"epoch": 1.5}')
    assert notes.read_progress(tmp_path) == {"epoch": 1.5}
