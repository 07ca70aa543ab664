import hashlib
import json

import pytest

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


def test_all_files_are_checked(complete):
    directory.check_files(complete)
    (complete / "history.csv").write_text("cut")
    with pytest.raises(ValueError, match=r"history\.csv is not the file that the training wrote"):
        directory.check_files(complete)
