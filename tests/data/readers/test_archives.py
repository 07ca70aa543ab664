import gzip
import io
import random
import tarfile
import zipfile

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers.archives import walk_files

FILES = {"b/1.txt": b"one", "a.txt": b"two"}
LONG = random.Random(0).randbytes(200_000)  # longer than what is looked at beforehand


def pack_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pack_tar_gz(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


def contents(path):
    return {"/".join(file.parts): (file.stream.read(), file.depth) for file in walk_files(path)}


def test_a_folder_gives_its_files_in_order_below_its_own_name(tmp_path):
    for name, content in {**FILES, ".hidden/x": b"", "__MACOSX/x": b"", ".DS_Store": b""}.items():
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_bytes(content)
    found = contents(tmp_path / "top")
    assert list(found.items()) == [("top/a.txt", (b"two", 0)), ("top/b/1.txt", (b"one", 0))]


@pytest.mark.parametrize("pack", [pack_zip, pack_tar_gz])
def test_an_archive_is_known_by_its_content_and_gives_its_files(tmp_path, pack):
    (tmp_path / "archive").write_bytes(pack({**FILES, "__MACOSX/x": b""}))
    assert contents(tmp_path / "archive") == {"a.txt": (b"two", 1), "b/1.txt": (b"one", 1)}


def test_gz_and_archives_inside_archives_are_opened(tmp_path):
    inner = {"plain.gz": gzip.compress(b"text"), "in/deep.tar.gz": pack_tar_gz(FILES)}
    (tmp_path / "outer.zip").write_bytes(pack_zip(inner))
    assert contents(tmp_path / "outer.zip") == {
        "plain.gz": (b"text", 1),
        "a.txt": (b"two", 2),
        "b/1.txt": (b"one", 2),
    }


def test_the_name_tells_the_way_to_the_file(tmp_path):
    (tmp_path / "outer.zip").write_bytes(pack_zip({"in.zip": pack_zip({"a.txt": b""})}))
    [file] = walk_files(tmp_path / "outer.zip")
    assert file.name == f"{tmp_path}/outer.zip/in.zip/a.txt"


def test_looking_at_the_head_reads_nothing_away(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"0123456789"))
    for file in walk_files(tmp_path / "x.gz"):
        assert file.head() == b"0123456789" == file.stream.read()


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(pack_zip(FILES)[:-30], id="zip cut short"),
        pytest.param(pack_tar_gz(FILES)[:-20], id="tar.gz cut short"),
        pytest.param(gzip.compress(b"text" * 99)[:-9], id="gz without its end"),
        pytest.param(gzip.compress(LONG)[:-1000], id="gz without its last 1,000 bytes"),
        pytest.param(pack_zip({"x": LONG}).replace(LONG[90_000:90_010], b"0123456789"), id="zip with other bytes"),
        pytest.param(b"\x1f\x8bno", id="gz in its first two bytes only"),
    ],
)
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, damaged):
    (tmp_path / "broken").write_bytes(damaged)
    message = r"broken(/x)?: expected a complete archive\. Received a damaged one"
    with pytest.raises(UserError, match=message):
        contents(tmp_path / "broken")


def test_an_encrypted_zip_is_an_error(tmp_path):
    content = bytearray(pack_zip({"a.txt": b"text"}))
    content[6] |= 1  # the flag "encrypted" of the file, and of its entry in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"secret\.zip: expected an archive without password"):
        contents(tmp_path / "secret.zip")


def test_a_missing_path_is_told_with_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv does not exist\. Expected a CSV, an image folder"):
        contents(tmp_path / "none.csv")
