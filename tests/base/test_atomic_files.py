import errno
import hashlib
import sys

import pytest

from fer_ensemble.base import atomic_files
from fer_ensemble.base.atomic_files import hash_file, replacing, write_text


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_the_file_is_written_beside_its_place_and_moved_there(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with replacing(path) as temporary:
        # A move is atomic only within a file system; Keras looks at the suffix.
        assert temporary.parent == tmp_path and temporary.suffix == ".keras" and temporary != path
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["model.keras"]


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path):
    # The new file takes the old one's place; nothing is ever written into a file that others may be reading.
    path = tmp_path / "progress.json"
    path.write_text("old")
    with path.open() as reader:
        write_text(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_two_writers_never_share_a_temporary_file(tmp_path):
    path = tmp_path / "folds.csv"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer block ended last
    assert names(tmp_path) == ["folds.csv"]


def test_an_error_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "member.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["member.json"]


def test_an_error_of_the_system_names_the_file(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*state\.npz'") as caught,
        replacing(tmp_path / "state.npz"),
    ):
        raise OSError(errno.ENOSPC, "write failed")
    assert caught.value.errno == errno.ENOSPC


def test_an_error_before_anything_is_written_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "a.txt"):
        raise RuntimeError
    assert names(tmp_path) == []


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path, python):
    path = tmp_path / "state.npz"
    path.write_text("old")
    code = f"""
import os, pathlib
from fer_ensemble.base.atomic_files import replacing
with replacing(pathlib.Path({str(path)!r})) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), 9)
"""
    assert python("-c", code).returncode == -9
    assert path.read_text() == "old"


def test_text_is_written_whole_as_utf_8(tmp_path):
    write_text(tmp_path / "a.json", "größer\n")
    assert (tmp_path / "a.json").read_bytes() == b"gr\xc3\xb6\xc3\x9fer\n"


def test_the_hash_is_sha_256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")  # the example of FIPS 180-4
    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    content = bytes(range(256)) * 10_000  # more than one block
    path.write_bytes(content)
    assert hash_file(path) == hashlib.sha256(content).hexdigest()


@pytest.fixture
def folders(tmp_path):
    """An old folder in its place, and a new one."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "new", tmp_path / "old"


@pytest.mark.skipif(sys.platform != "linux", reason="takes Linux")
def test_two_folders_change_places_in_one_step(folders):
    assert atomic_files._exchange(*folders)
    assert [(folder / "file").read_text() for folder in folders] == ["old", "new"]
    assert not atomic_files._exchange(folders[0], folders[1].with_name("none"))


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_takes_the_place_of_another(folders, exchange, monkeypatch):
    if not exchange:  # as on a file system that cannot, and elsewhere than on Linux
        monkeypatch.setattr(atomic_files, "_exchange", lambda *paths: False)
    new, old = folders
    atomic_files.replace_folder(new, old)
    assert names(old.parent) == ["old"] and (old / "file").read_text() == "new"
    old.rename(new)
    atomic_files.replace_folder(new, old)  # there is none
    assert names(old.parent) == ["old"] and (old / "file").read_text() == "new"


def test_a_folder_in_its_place_is_told_before_the_work_is_done(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(IsADirectoryError, match=r"report\.html'"), replacing(tmp_path / "report.html"):
        raise AssertionError("begun")
    assert names(tmp_path) == ["report.html"]
