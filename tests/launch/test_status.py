import json
import time

import numpy as np
import pytest
from rich.console import Console

from fer_ensemble.base.errors import UserError
from fer_ensemble.launch.status import MemberStatus, format_status, read_status, show_status
from fer_ensemble.members import directory, lock, notes

PROGRESS = {"epoch": 2.5, "epochs": 30, "images_per_second": 1234.5, "seconds_left": 3900}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "exp_2" / "cnn_1"
    folder.mkdir(parents=True)
    return folder


def save_notes(folder, **notes):
    np.savez(folder / directory.STATE, notes=json.dumps({"settings": {"epochs": 30}, **notes}))


def complete(folder):
    record = {"settings": {"epochs": 30}, "data": {}, "folds": {}, "class_names": ["happy"]}
    directory.write_record(folder, {**record, "metrics": {"oof": 0.61, "PublicTest": None}}, [])


def test_a_member_that_is_not_begun_waits(tmp_path):
    assert read_status(tmp_path / "exp_2" / "cnn_1") == MemberStatus("exp_2/cnn_1", "waiting")
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_is_held_runs(folder):
    with lock.held(folder):
        notes.write_progress(folder, PROGRESS)
        notes.write_failure(folder, ValueError("of the time before"))
        status = read_status(folder)
    assert (status.state, status.progress["epoch"]) == ("running", 2.5)


def test_a_member_whose_holder_is_gone_is_interrupted(folder):
    with lock.held(folder):
        notes.write_progress(folder, PROGRESS)
    assert read_status(folder).state == "interrupted"
    save_notes(folder, history=[{}] * 3)
    assert read_status(folder).progress["epoch"] == 3
    save_notes(folder, history=[{}] * 3, step=5)
    assert read_status(folder).note == "in the middle of epoch 4"


def test_on_another_host_a_recent_sign_of_life_counts(folder):
    for age, state in ((5, "running"), (600, "interrupted")):
        progress = {**PROGRESS, "state": "running", "host": "elsewhere", "pid": 7, "updated": time.time() - age}
        (folder / directory.PROGRESS).write_text(json.dumps(progress))
        assert read_status(folder).state == state


def test_a_member_whose_training_failed_says_why(folder):
    notes.write_progress(folder, PROGRESS)
    notes.write_failure(folder, UserError("The loss must be a finite number."))
    assert read_status(folder).state == "failed"
    assert read_status(folder).note == "The loss must be a finite number."


def test_damage_is_a_failure_that_names_the_file(folder):
    (folder / directory.STATE).write_text("cut")
    assert read_status(folder).state == "failed" and "state.npz" in read_status(folder).note
    complete(folder)
    (folder / directory.RECORD).write_text('{"settings": ')
    assert read_status(folder).state == "failed" and "member.json" in read_status(folder).note
    complete(folder)
    record = json.loads((folder / directory.RECORD).read_text())
    (folder / directory.RECORD).write_text(json.dumps({**record, "settings": {}}))
    assert read_status(folder).state == "failed" and "member.json" in read_status(folder).note


def test_a_complete_member_shows_its_scores(folder):
    complete(folder)
    status = read_status(folder)
    assert (status.state, status.note) == ("complete", "oof 61.00%")


def test_the_table_has_it_all():
    where = {"host": "node7", "pid": 4321, "job": "12_3"}
    statuses = [
        MemberStatus("exp_0/cnn_0", "running", {**PROGRESS, **where}),
        MemberStatus("exp_1/cnn_0", "failed", PROGRESS, "[Errno 28] No space left on device"),
        MemberStatus("exp_2/cnn_0", "waiting"),
    ]
    console = Console(width=150)
    with console.capture() as capture:
        console.print(format_status(statuses))
    lines = [" ".join(line.split()) for line in capture.get().splitlines()]
    assert lines == [
        "member state epoch images/s left where",
        "exp_0/cnn_0 running 2.5/30 1,234 1 h 05 min job 12_3, process 4321 on node7",
        "exp_1/cnn_0 failed 2.5/30 [Errno 28] No space left on device",
        "exp_2/cnn_0 waiting",
        "1 waiting, 1 running, 1 failed",
    ]


def test_watching_ends_when_all_are_complete(folder, capsys):
    complete(folder)
    show_status([folder], watch=True)
    assert "1 complete" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["progress.json", "failure.json"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        '{"epoch": "three", "epochs": 4}',
        '{"epoch": 1.5}',
        '{"epochs": 0, "epoch": 0}',
        '{"error": 7}',
        '{"state": "running", "host": "node7"}',
        '{"state": "running", "host": "node7", "updated": "now"}',
        '{"epoch": NaN, "epochs": 1}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_notes_of_a_wrong_shape_are_no_traceback(folder, name, text):
    (folder / name).write_text(text, errors="surrogateescape")
    status = read_status(folder)
    assert status.state in ("waiting", "interrupted", "failed")
    assert format_status([status]).row_count == 1
