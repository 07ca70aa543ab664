import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from fer_ensemble.base.errors import HeldError, UserError
from fer_ensemble.members import directory

RECORD = {"settings": {}, "data": {}, "folds": {}, "class_names": ["a", "b"]}


@pytest.fixture
def folder(tmp_path):
    folder = directory.member_folder(tmp_path, 2, "cnn_1")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def complete(folder):
    for name in ("model.keras", "history.csv"):
        (folder / name).write_text(name)
    directory.write_record(folder, RECORD, ["model.keras", "history.csv"])
    return folder


def test_a_member_lives_in_the_folder_of_its_fold_and_run(tmp_path):
    assert directory.member_folder(str(tmp_path), 2, "cnn_1") == tmp_path / "exp_2" / "cnn_1"
    assert directory.member_folder(tmp_path, None, "cnn_1") == tmp_path / "exp_none" / "cnn_1"


def test_members_are_found_by_their_names_finished_or_not(tmp_path):
    for name in (
        "exp_1/resnet_0",
        "exp_0/cnn_1",
        "exp_1/cnn_0",
        "exp_10/cnn_0",
        "exp_2/my_net_12",
        "exp_none/cnn_0",
    ):
        (tmp_path / name).mkdir(parents=True)
    for name in ("exp_a/cnn_0", "exp_0/cnn", "exp_0/cnn_x", "exp_0/_0", "runs/cnn_0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "exp_0" / "log_0").write_text("a file")
    found = directory.find_folders(str(tmp_path))
    assert list(found) == [
        ("cnn_0", 1), ("cnn_0", 10), ("cnn_0", None), ("cnn_1", 0), ("my_net_12", 2), ("resnet_0", 1),
    ]  # fmt: skip
    assert found["cnn_0", 10] == tmp_path / "exp_10" / "cnn_0"


def test_nothing_is_found_where_nothing_is(tmp_path):
    assert directory.find_folders(tmp_path / "none") == {}


def test_a_member_is_complete_once_its_record_is_written(folder):
    assert not directory.is_complete(folder)
    (folder / "model.keras").write_text("a model")
    assert not directory.is_complete(folder)
    directory.write_record(folder, RECORD, ["model.keras"])
    assert directory.is_complete(folder)


def test_a_record_cannot_be_written_of_files_that_are_not_there(folder):
    with pytest.raises(FileNotFoundError):
        directory.write_record(folder, RECORD, ["model.keras"])
    assert not directory.is_complete(folder)


def test_the_record_comes_back_with_the_hashes(complete):
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("model.keras", "history.csv")}
    assert directory.read_record(complete) == {**RECORD, "files": hashes}


@pytest.mark.parametrize(
    "content",
    [b"", b'{"settings": {', b"\xff\xfe", b"[1, 2]", b"7", b"null", json.dumps({**RECORD}).encode()],
    ids=["empty", "cut", "no text", "list", "number", "null", "without hashes"],
)
def test_a_damaged_record_is_told_with_what_to_do(content, complete):
    (complete / "member.json").write_bytes(content)
    message = r"member\.json must be the record of a finished member, but is damaged .* again with --overwrite\."
    with pytest.raises(ValueError, match=message):
        directory.read_record(complete)


def test_files_as_they_were_written_pass(complete):
    for name in ("model.keras", "history.csv"):
        directory.check_file(complete, directory.read_record(complete), name)


def test_a_changed_byte_names_the_file(complete):
    (complete / "model.keras").write_text("Model.keras")
    message = (
        r"exp_2/cnn_1/model\.keras is not the file that the training wrote \(SHA-256 in member\.json\)\. Train"
    )
    with pytest.raises(ValueError, match=message):
        directory.check_file(complete, directory.read_record(complete), "model.keras")
    directory.check_file(complete, directory.read_record(complete), "history.csv")


def test_a_missing_file_is_named(complete):
    (complete / "history.csv").unlink()
    with pytest.raises(ValueError, match=r"history\.csv is missing .* --overwrite"):
        directory.check_file(complete, directory.read_record(complete), "history.csv")


def test_a_file_that_the_record_does_not_know_is_refused(complete):
    (complete / "predictions.h5").write_text("from elsewhere")
    with pytest.raises(ValueError, match=r"predictions\.h5 is not the file that the training wrote"):
        directory.check_file(complete, directory.read_record(complete), "predictions.h5")


def test_a_member_is_held_by_one_at_a_time(tmp_path):
    folder = tmp_path / "exp_0" / "cnn_0"  # made when it is held
    with directory.held(folder):
        with (
            pytest.raises(HeldError, match=r"exp_0/cnn_0 is being trained by another process\."),
            directory.held(folder),
        ):
            raise AssertionError("held twice")
        (folder / "progress.json").write_text('{"pid": 7, "host": "node3"}')
        with (
            pytest.raises(HeldError, match=r"by another process \(process 7 on node3\)\."),
            directory.held(folder),
        ):
            raise AssertionError("held twice")
    with directory.held(folder):
        pass


def test_whether_it_is_held_is_asked_of_the_lock_and_disturbs_nobody(tmp_path):
    assert not directory.is_held(tmp_path)
    with directory.held(tmp_path):
        assert directory.is_held(tmp_path)
        assert directory.is_held(tmp_path)
    assert not directory.is_held(tmp_path)
    with directory.held(tmp_path):
        pass


def test_the_holder_is_told_with_its_job(tmp_path, monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    alone = directory.describe_process()
    assert alone == {"host": socket.gethostname(), "pid": os.getpid()}
    assert directory.describe_holder(alone) == f"process {os.getpid()} on {socket.gethostname()}"
    monkeypatch.setenv("SLURM_JOB_ID", "15")
    assert directory.describe_holder(directory.describe_process()).startswith("job 15, process ")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert directory.describe_process()["job"] == "12_3"


def test_a_failure_is_noted_in_one_line(tmp_path):
    assert directory.read_failure(tmp_path) is None
    directory.write_failure(tmp_path, UserError("`width` must be\n  at least 1."))
    note = directory.read_failure(tmp_path)
    assert note["error"] == "`width` must be at least 1." and note["pid"] == os.getpid()
    directory.write_failure(tmp_path, KeyError("a"))
    assert directory.read_failure(tmp_path)["error"] == "KeyError: 'a'"
    directory.write_failure(tmp_path / "none", ValueError("nowhere to write"))  # raises nothing


def test_all_files_are_checked(complete):
    directory.check_files(complete)
    (complete / "history.csv").write_text("cut")
    with pytest.raises(ValueError, match=r"history\.csv is not the file that the training wrote"):
        directory.check_files(complete)


def test_an_error_lets_go(tmp_path):
    with pytest.raises(RuntimeError), directory.held(tmp_path):
        raise RuntimeError
    with directory.held(tmp_path):
        pass


def test_a_holder_that_dies_lets_go(tmp_path):
    code = """
import pathlib, sys, time
from fer_ensemble.members.directory import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HeldError), directory.held(tmp_path):
            raise AssertionError("held twice")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    with directory.held(tmp_path):
        pass


def test_progress_is_what_the_training_last_said_or_none(tmp_path):
    assert directory.read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"epoch": 1.5')
    assert directory.read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"epoch": 1.5}')
    assert directory.read_progress(tmp_path) == {"epoch": 1.5}


@pytest.mark.parametrize("killed_after", range(5))
def test_a_replacement_that_is_killed_anywhere_is_finished_by_the_next_process(
    tmp_path, monkeypatch, killed_after
):
    for name in ("model.keras", "predictions.h5", "history.csv", "member.json"):
        (tmp_path / name).write_text("old")
    directory.begin_afresh(tmp_path)
    assert directory.is_complete(tmp_path) and directory.is_replaced(tmp_path)
    new = directory.work_folder(tmp_path)
    for name in ("model.keras", "predictions.h5", "history.csv"):
        (new / name).write_text("new")
    directory.finish_replacement(tmp_path)  # not complete yet: nothing happens
    assert (tmp_path / "model.keras").read_text() == "old"
    (new / "member.json").write_text("new")
    moves, replace = [], pathlib.Path.replace

    def replace_or_die(path, target):
        if len(moves) == killed_after:
            raise KeyboardInterrupt
        moves.append(path)
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "replace", replace_or_die)
        with contextlib.suppress(KeyboardInterrupt):
            directory.finish_replacement(tmp_path)
    record = tmp_path / "member.json"
    assert not record.exists() or (record.read_text() == "new" and killed_after == 4)
    directory.finish_replacement(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.keras",
        "predictions.h5",
        "history.csv",
        "member.json",
    }
    assert {path.read_text() for path in tmp_path.iterdir()} == {"new"}


def test_beginning_afresh_removes_what_is_unfinished(tmp_path):
    for name in ("state.npz", "progress.json", "failure.json", "history.csv"):
        (tmp_path / name).write_text("half")
    directory.begin_afresh(tmp_path)
    assert not list(tmp_path.iterdir()) and directory.work_folder(tmp_path) == tmp_path
