"""What people, accidents and enemies give as --data: each ends in one line that names the file and the fix."""

import gzip
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers import bad_rows as bad_rows_module
from fer_ensemble.data.readers import csv_rows, unpacking
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.store import convert_inputs, load_dataset
from tests.archives import damage, zipped
from tests.h5_files import declare_a_million, write_h5

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = " ".join(["5"] * 2304)
CSV = f"emotion,pixels,Usage\n3,{LINE},Training\n0,{LINE},PublicTest\n"
FACES = np.random.default_rng(0).integers(0, 256, (99, 2304))
LONG = (CSV + "".join(f"3,{' '.join(map(str, row))},Training\n" for row in FACES)).encode()
NOISE = " ".join(map(str, FACES[0]))


def misplaced(content):
    """A ZIP whose list of files is said to begin 1,000 bytes further on: its files begin before the archive."""
    end = content.index(b"PK\x05\x06") + 16
    offset = int.from_bytes(content[end : end + 4], "little") + 1000
    return content[:end] + offset.to_bytes(4, "little") + content[end + 4 :]


def nested(depth):
    content = CSV.encode()
    for _ in range(depth):
        content = zipped({"a": content}, zipfile.ZIP_STORED)
    return content


def tar_with_long_header():
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 3_000_000
    return gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + b"1 path=a\n" * 400_000)


def sparse_tar():
    """A file of 1 TB in 10 kB, all of it a hole."""
    header = bytearray(tarfile.TarInfo("happy/1.png").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398], header[398:410] = b"%011o\0" % 0, b"%011o\0" % 0
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def many_classes():
    return "label,pixels\n" + "".join(f"c{number},{LINE}\n" for number in range(101))


def long_line():
    return zipped({"a.csv": b"emotion,pixels\n3," + b"1 " * 10_000_000})


def eps():
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\n (x) (w) file closefile\n"


def gzipped(times):
    content = b"a"
    for _ in range(times):
        content = gzip.compress(content)
    return content


def gz_without_end_of_name():
    return b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 100_000


# Each file's name, its content, what is told beside the name.
FILES = {
    "damaged gz": ("f.csv.gz", damage(gzip.compress(LONG), 300), "damaged"),
    "cut gz": ("f.csv.gz", gzip.compress(LONG)[:-500], "damaged"),
    "gz without end of name": ("f.csv.gz", gz_without_end_of_name(), "damaged"),
    "damaged LZMA": ("f.zip", damage(zipped({"a.csv": CSV + NOISE}, zipfile.ZIP_LZMA)), "damaged"),
    "damaged bzip2": ("f.zip", damage(zipped({"a.csv": CSV + NOISE}, zipfile.ZIP_BZIP2)), "damaged"),
    "damaged deflate": ("f.zip", damage(zipped({"a.csv": CSV + NOISE})), "damaged"),
    "an offset before the beginning": ("f.zip", misplaced(zipped({"a.csv": CSV})), "damaged"),
    "nested 1,200 deep": ("f.zip", nested(1200), "at most 4 archives within each other"),
    "gz nested deep": ("f.gz", gzipped(5), "4 arch"),
    "long line": ("f.zip", long_line(), r"a\.csv, line 2: expected a line of at most 1,000,000 bytes"),
    "long header": ("f.tar.gz", tar_with_long_header(), "at most 1,000,000 bytes about one file"),
    "sparse terabyte": ("f.tar", sparse_tar(), "unpacks to at most 200 times its size"),
    "EPS as PNG": ("f.zip", zipped({"happy/1.png": eps()}), r"1\.png, row 0: expected a readable picture \(PNG"),
    "duplicate emotion": ("f.csv", CSV.replace("Usage", "emotion"), "expected one column emotion. Received: 2"),
    "duplicate pixels": ("f.csv", CSV.replace("Usage", " Pixels"), "expected one column pixels. Received: 2"),
    "cut in quotes": ("f.csv", f'emotion,pixels\n3,"{LINE}"\n4,"5 5\n', r"row 1 .* a closing quote"),
    "name with a comma": ("f.csv", f'label,pixels\n"a,b",{LINE}\n', "row 0 .* expected the name of a class"),
    "number among names": ("f.csv", f"label,pixels\nsad,{LINE}\n3,{LINE}\n", "row 1 .* the name of a class, as"),
    "one class only": ("f.csv", f"label,pixels\nbored,{LINE}\n", "at least two classes. Received: bored only"),
    "101 classes": ("f.csv", many_classes(), "at most 100 classes"),
    "zero bytes": ("f.csv", b"emotion,pixels\n\0\0\0,\0\n", r"row 0 \(line 2\)"),
    "not UTF-8": ("f.csv", b"emotion,pixels\n3," + b"5 " * 2303 + b"\xff\n", r"row 0 .* Received: '.{1,3}xff' as"),
    "pixels in Arabic digits": ("f.csv", f"emotion,pixels\n3,{LINE[:-1]}\u0665\n", "row 0 .* as pixel 2303"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:string or file could not be read")
@pytest.mark.parametrize(("name", "content", "told"), FILES.values(), ids=FILES)
def test_a_bad_file_is_one_error_that_names_it(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"^{path}[^\n]*{told}") as error:
        load_dataset(path)
    assert ("Mend the row" in str(error.value)) == told.startswith("row ")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("~no_such_user/x.csv", r"Received: '~no_such_user/x\.csv' \(Could not determine home"),
        ("a\0b", r"Received: 'a\\x00b'"),
        (f"{ROOT},{ROOT}", "Expected each input once"),
        ("/dev/zero", "/dev/zero: expected a file or folder. Received: a pipe or device"),
    ],
)
def test_a_path_that_is_none_is_told(given, told):
    with pytest.raises(UserError, match=told):
        load_dataset(given)


def test_a_named_pipe_is_refused_and_one_in_a_folder_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UserError, match=r"pipe\.csv: expected a file or folder. Received: a pipe"):
        load_dataset(tmp_path / "pipe.csv")
    (tmp_path / "faces.csv").write_text(CSV)
    assert len(load_dataset(tmp_path).images) == 2


def test_lines_and_bad_rows_have_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAXIMUM_LINES", 50)
    (tmp_path / "f.csv").write_text(CSV + "\n" * 100)
    with pytest.raises(UserError, match=r"f\.csv: expected at most 50 lines"):
        load_dataset(tmp_path / "f.csv")
    monkeypatch.setattr(bad_rows_module, "MAXIMUM_BAD_ROWS", 5)
    (tmp_path / "f.csv").write_text(CSV + "x,y,z\n" * 20)
    with pytest.raises(UserError, match=r"at most 5 bad rows. Received: more, the first in row 2: expected"):
        convert_inputs([tmp_path / "f.csv"], BadRows(skip=True))


@pytest.mark.parametrize("target", ["gone.png", "2.png"])
def test_a_link_that_leads_nowhere_is_told(tmp_path, target):
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "2.png").symlink_to(target)
    with pytest.raises(UserError, match=r"sad/2\.png: expected a file. Received: a link that leads nowhere"):
        load_dataset(tmp_path)


def test_a_terabyte_out_of_little_is_refused_early(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress((CSV + f"3,{LINE},Training\n" * 2000).encode()))
    with pytest.raises(
        UserError, match=rf"^{path}: expected an archive that unpacks to at most 200 times its size"
    ):
        load_dataset(path)


def test_the_number_of_files_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MAXIMUM_ENTRIES", 3)
    (tmp_path / "f.zip").write_bytes(zipped(dict.fromkeys("abcd", "")))
    with pytest.raises(UserError, match=r"f\.zip: expected at most 3 files"):
        load_dataset(tmp_path / "f.zip")
    for name in "abcd":
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "1.png").touch()
    with pytest.raises(UserError, match="folder: expected at most 3 files"):
        load_dataset(tmp_path / "folder")
    monkeypatch.setattr(unpacking, "MAXIMUM_ENTRIES", 9)
    monkeypatch.setattr(unpacking, "MAXIMUM_DIRECTORY", 150)
    with pytest.raises(UserError, match=r"f\.zip: expected a list of files of at most 150 bytes"):
        load_dataset(tmp_path / "f.zip")


def test_a_file_deep_in_folders_is_found(tmp_path):
    folder = tmp_path / "faces"
    deep = folder.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "faces.csv").write_text(CSV)
    assert len(load_dataset(folder).images) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("twice.csv.gz", gzip.compress(gzip.compress(CSV.encode()))),
        ("lzma.zip", zipped({"a.csv": CSV}, zipfile.ZIP_LZMA)),
        ("bzip2.zip", zipped({"a.csv": CSV}, zipfile.ZIP_BZIP2)),
        ("in_zip.zip", zipped({"b.zip": zipped({"a.csv": CSV})})),
        ("comma.csv", f'emotion,note,pixels,Usage\n3,"a, ""b""",{LINE},Training\n0,x,{LINE},PublicTest\n'),
        ("header.csv", f'"emotion","a, b","pixels","Usage"\n3,x,{LINE},Training\n0,x,{LINE},PublicTest\n'),
        ("lines.csv", f'emotion,note,pixels,Usage\n3,"a\nb\nc",{LINE},Training\n0,"x\n",{LINE},PublicTest\n'),
        ("blanks.csv", f'emotion, pixels, Usage\n3, "{LINE}", Training\n0, {LINE}, PublicTest\n'),
    ],
)  # fmt: skip
def test_what_is_unusual_but_right_is_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    dataset = load_dataset(tmp_path / name)
    np.testing.assert_array_equal(dataset.labels, [3, 0])
    np.testing.assert_array_equal(dataset.usage, [0, 1])


def test_backslashes_in_a_zip_are_folders(tmp_path):
    picture = io.BytesIO()
    Image.new("L", (9, 9), 7).save(picture, "PNG")
    names = ["train\\happy\\1.png", "test\\sad\\1.png", "test\\", "test\\sad\\.hidden.png"]
    content = zipped({name.replace("\\", "|"): picture.getvalue() for name in names}).replace(b"|", b"\\")
    (tmp_path / "f.zip").write_bytes(content)
    dataset = load_dataset(tmp_path / "f.zip")
    np.testing.assert_array_equal(dataset.labels, [4, 3])
    np.testing.assert_array_equal(dataset.usage, [2, 0])


def test_a_row_that_ends_within_quotes_does_not_take_the_next_ones_with_it(tmp_path):
    (tmp_path / "f.csv").write_text(f'emotion,pixels,Usage\n3,"5 5\n4,{LINE},Training\n5,"{LINE}",Training\n')
    bad_rows = BadRows(skip=True)
    np.testing.assert_array_equal(convert_inputs([tmp_path / "f.csv"], bad_rows).labels, [4, 5])
    assert [row for _, row, _ in bad_rows.found] == [0]


def test_names_that_are_not_utf8_are_read_and_listed(tmp_path):
    for folder in ("sad", "happy"):
        (tmp_path / "faces" / folder).mkdir(parents=True)
        Image.new("L", (9, 9)).save(tmp_path / "faces" / folder / os.fsdecode(b"\xff.png"))
    (tmp_path / "faces" / "sad" / os.fsdecode(b"\xfe.png")).write_bytes(b"none")
    bad_rows = BadRows(skip=True)
    assert len(convert_inputs([tmp_path / "faces"], bad_rows).images) == 2
    bad_rows.write(tmp_path / "bad.csv")
    assert "udcfe.png" in (tmp_path / "bad.csv").read_text()


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="Linux tells the peak of a process")
def test_no_input_takes_more_memory_than_its_bounds(tmp_path):
    """Three of the worst, each in a process of its own: all of them ask for gigabytes."""
    with (
        zipfile.ZipFile(tmp_path / "picture.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("happy/1.png", "w") as file,
    ):
        file.write(b"\x89PNG\r\n\x1a\n")
        for _ in range(400):
            file.write(bytes(1 << 20))
    (tmp_path / "pixels").mkdir()
    Image.new("RGB", (8000, 9000)).save(tmp_path / "pixels" / "1.png", compress_level=1)
    write_h5(tmp_path / "million.h5", images=declare_a_million)
    # The peak of the process itself: what `wait4` counts has that of this one in it, from which it was forked.
    code = (
        "import pathlib, sys\nfrom fer_ensemble.data.store import load_dataset\n"
        "try:\n    load_dataset(sys.argv[1])\nfinally:\n    print(pathlib.Path('/proc/self/status').read_text())"
    )
    for name in ("picture.zip", "pixels", "million.h5"):
        answer = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode and "UserError: " in answer.stderr
        assert int(re.search(r"VmHWM:\s+(\d+) kB", answer.stdout)[1]) < 1_500_000, name
