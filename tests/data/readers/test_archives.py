import gzip
import random

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers.archives import walk_files
from tests.archives import tarred, zipped

FILES = {"b/1.txt": b"one", "a.txt": b"two"}
LONG = random.Random(0).randbytes(200_000)  # longer than what is looked at beforehand


def tar_gz(files):
    return tarred(files, "w:gz")


def contents(path):
    return {"/".join(file.parts): (file.stream.read(), file.depth) for file in walk_files(path)}


def test_a_folder_gives_its_files_in_order_below_its_own_name(tmp_path):
    for name, content in {**FILES, ".hidden/x": b"", "__MACOSX/x": b"", ".DS_Store": b""}.items():
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_bytes(content)
    found = contents(tmp_path / "top")
    assert list(found.items()) == [("top/a.txt", (b"two", 0)), ("top/b/1.txt", (b"one", 0))]


@pytest.mark.parametrize("pack", [zipped, tar_gz])
def test_an_archive_is_known_by_its_content_and_gives_its_files(tmp_path, pack):
    (tmp_path / "archive").write_bytes(pack({**FILES, "__MACOSX/x": b""}))
    assert contents(tmp_path / "archive") == {"a.txt": (b"two", 1), "b/1.txt": (b"one", 1)}


def test_gz_and_archives_inside_archives_are_opened(tmp_path):
    inner = {"plain.gz": gzip.compress(b"text"), "in/deep.tar.gz": tar_gz(FILES)}
    (tmp_path / "outer.zip").write_bytes(zipped(inner))
    assert contents(tmp_path / "outer.zip") == {
        "plain.gz": (b"text", 1),
        "a.txt": (b"two", 2),
        "b/1.txt": (b"one", 2),
    }


def test_the_name_tells_the_way_to_the_file(tmp_path):
    (tmp_path / "outer.zip").write_bytes(zipped({"in.zip": zipped({"a.txt": b""})}))
    [file] = walk_files(tmp_path / "outer.zip")
    assert file.name == f"{tmp_path}/outer.zip/in.zip/a.txt"


def test_looking_at_the_head_reads_nothing_away(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"0123456789"))
    for file in walk_files(tmp_path / "x.gz"):
        assert file.head() == b"0123456789" == file.stream.read()


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(zipped(FILES)[:-30], id="zip cut short"),
        pytest.param(tar_gz(FILES)[:-20], id="tar.gz cut short"),
        pytest.param(gzip.compress(b"text" * 99)[:-9], id="gz without its end"),
        pytest.param(gzip.compress(LONG)[:-1000], id="gz without its last 1,000 bytes"),
        pytest.param(zipped({"x": LONG}).replace(LONG[90_000:90_010], b"0123456789"), id="zip with other bytes"),
        pytest.param(b"\x1f\x8bno", id="gz in its first two bytes only"),
    ],
)
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, damaged):
    (tmp_path / "broken").write_bytes(damaged)
    message = r"broken(/x)?: expected a complete archive\. Received a damaged one"
    with pytest.raises(UserError, match=message):
        contents(tmp_path / "broken")


def test_an_encrypted_zip_is_an_error(tmp_path):
    content = bytearray(zipped({"a.txt": b"text"}))
    content[6] |= 1  # the flag "encrypted" of the file, and of its entry in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"secret\.zip: expected an archive without password"):
        contents(tmp_path / "secret.zip")


def test_a_missing_path_is_told_with_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv does not exist\. Expected a CSV, an image folder"):
        contents(tmp_path / "none.csv")
