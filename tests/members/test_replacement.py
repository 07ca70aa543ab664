import contextlib
import pathlib

import pytest

from fer_ensemble.members import directory, replacement


@pytest.mark.parametrize("killed_after", range(6))
def test_a_replacement_that_is_killed_anywhere_is_finished_by_the_next_process(
    tmp_path, monkeypatch, killed_after
):
    for name in ("model.keras", "predictions.h5", "history.csv", "member.json"):
        (tmp_path / name).write_text("old")
    replacement.begin_afresh(tmp_path)
    replacement.finish_replacement(tmp_path)  # as the training does that is about to begin
    assert directory.is_complete(tmp_path) and replacement.is_replaced(tmp_path)
    new = replacement.work_folder(tmp_path)
    for name in ("model.keras", "predictions.h5", "history.csv"):
        (new / name).write_text("new")
    replacement.finish_replacement(tmp_path)  # not complete yet: nothing happens
    assert (tmp_path / "model.keras").read_text() == "old"
    (new / "member.json").write_text("new")
    moves, replace, remove = [], pathlib.Path.replace, pathlib.Path.rmdir

    def replace_or_die(path, target):
        if len(moves) == killed_after:
            raise KeyboardInterrupt
        moves.append(path)
        return replace(path, target)

    def remove_or_die(path):
        if killed_after == 4:
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "replace", replace_or_die)
        patch.setattr(pathlib.Path, "rmdir", remove_or_die)
        with contextlib.suppress(KeyboardInterrupt):
            replacement.finish_replacement(tmp_path)
    record = tmp_path / "member.json"
    assert not record.exists() or (record.read_text() == "new" and killed_after >= 4)
    replacement.finish_replacement(tmp_path)
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
    replacement.begin_afresh(tmp_path)
    assert not list(tmp_path.iterdir()) and replacement.work_folder(tmp_path) == tmp_path
