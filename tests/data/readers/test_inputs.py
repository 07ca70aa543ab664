import bz2
import gzip
import io
import lzma
import os
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers import inputs
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.inputs import read_inputs
from tests.archives import tarred, zipped


def line(value):
    return " ".join([str(value)] * 2304)


WHOLE = f"emotion,pixels,Usage\n3,{line(1)},Training\n4,{line(2)},PublicTest\n,{line(3)},PrivateTest\n"
ICML = f"emotion, Usage, pixels\n3, Training, {line(1)}\n4, PublicTest, {line(2)}\n, PrivateTest, {line(3)}\n"
TRAIN = f'emotion,pixels\n3,"{line(1)}"\n5,"{line(2)}"\n'
VOTES = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    "Training,a,1,9,0,0,0,0,0,0,0,0\nPublicTest,b,0,0,10,0,0,0,0,0,0,0\nPrivateTest,c,,,,,,,,,,\n"
)


def png(value):
    buffer = io.BytesIO()
    Image.new("L", (48, 48), value).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def make(tmp_path):
    """Writes files into a folder, and packs a dictionary as .zip or .tar.gz by the name; returns the path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict) and name.endswith(".zip"):
            path.write_bytes(zipped(content, zipfile.ZIP_STORED))
        elif isinstance(content, dict):
            path.write_bytes(tarred(content, "w:gz"))
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def short_contest(monkeypatch):
    """A contest of 2 training, 3 PublicTest and 2 PrivateTest rows instead of 28,709, 3,589 and 3,589."""
    for name, count in (("CONTEST_TRAINING", 2), ("CONTEST_PUBLIC", 3), ("CONTEST_PRIVATE", 2)):
        monkeypatch.setattr(inputs, name, count)
    return "pixels\n" + "".join(f"{line(value)}\n" for value in range(10, 15))


def read(*paths, skip=False):
    return read_inputs(paths, BadRows(skip))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fer2013.csv", WHOLE),
        ("icml_face_data.csv", ICML),
        ("noname", WHOLE),
        ("fer2013.csv.gz", gzip.compress(WHOLE.encode())),
        ("fer2013.zip", {"readme.txt": "hello", "fer2013.csv": WHOLE}),
        ("fer2013.tar.gz", {"fer2013/README": "hello", "fer2013/fer2013.csv": WHOLE, "fer2013/fer2013.bib": ""}),
        ("gz_in.zip", {"fer2013.csv.gz": gzip.compress(WHOLE.encode())}),
        (
            "contest.zip",
            {"icml_face_data.csv": ICML, "train.csv": TRAIN, "in.gz": gzip.compress(b"x"), "a.csv": "a"},
        ),
    ],
)
def test_the_same_faces_come_out_of_every_wrapping(make, name, content):
    faces, votes = read(make(name, content))
    np.testing.assert_array_equal(faces.images[:, 0, 0], [1, 2, 3])
    np.testing.assert_array_equal(faces.labels, [3, 4, -1])
    np.testing.assert_array_equal(faces.usage, [0, 1, 2])
    assert votes is None


def test_what_lies_in_fewer_archives_is_taken(make):
    inner = make("inner.zip", {"fer2013.csv": WHOLE.replace("Training", "PublicTest")}).read_bytes()
    faces, _ = read(make("outer.zip", {"a.zip": inner, "fer2013.csv": WHOLE}))
    np.testing.assert_array_equal(faces.usage, [0, 1, 2])


def test_train_csv_and_test_csv_make_the_rows_of_fer2013_csv(make, short_contest):
    train, test = make("train.csv", TRAIN), make("test.csv", short_contest)
    for order in ((train, test), (test, train)):
        faces, _ = read(*order)
        np.testing.assert_array_equal(faces.images[:, 0, 0], [1, 2, 10, 11, 12, 13, 14])
        np.testing.assert_array_equal(faces.labels, [3, 5, -1, -1, -1, -1, -1])
        np.testing.assert_array_equal(faces.usage, [0, 0, 1, 1, 1, 2, 2])
        np.testing.assert_array_equal(faces.rows, np.arange(7))


def test_test_csv_alone_is_numbered_as_in_fer2013_csv(make, short_contest):
    faces, _ = read(make("test.csv", short_contest))
    np.testing.assert_array_equal(faces.rows, [2, 3, 4, 5, 6])
    np.testing.assert_array_equal(faces.usage, [1, 1, 1, 2, 2])


def test_a_row_left_out_of_test_csv_does_not_move_the_splits(make, short_contest):
    faces, _ = read(make("test.csv", short_contest.replace(line(11), line(999))), skip=True)
    np.testing.assert_array_equal(faces.rows, [2, 4, 5, 6])
    np.testing.assert_array_equal(faces.usage, [1, 1, 2, 2])


def test_test_csv_of_another_length_is_an_error(make):
    with pytest.raises(ValueError, match=r"test\.csv: expected the contest's 7,178 rows.*Received: 1 rows"):
        read(make("test.csv", f"pixels\n{line(1)}\n"))


def test_a_csv_without_usage_is_training(make):
    np.testing.assert_array_equal(read(make("train.csv", TRAIN))[0].usage, [0, 0])


@pytest.mark.parametrize("name", ["faces.zip", "faces.tar.gz"])
def test_image_archives_equal_the_folder(make, tmp_path, name):
    files = {"test/sad/PublicTest_1.png": png(7), "train/happy/2.png": png(5), "train/anger/1.png": png(6)}
    make("notes.txt", "")
    for inner, content in files.items():
        make(f"folder/{inner}", content)
    for source in (tmp_path / "folder", make(name, files)):
        faces, _ = read(source)
        np.testing.assert_array_equal(faces.images[:, 0, 0], [7, 6, 5])
        np.testing.assert_array_equal(faces.labels, [4, 0, 3])
        np.testing.assert_array_equal(faces.usage, [1, 0, 0])


def test_folders_of_splits_may_be_given_each(make, tmp_path):
    make("train/happy/1.png", png(1))
    make("test/happy/1.png", png(2))
    faces, _ = read(tmp_path / "train", tmp_path / "test")
    np.testing.assert_array_equal(faces.usage, [0, 2])
    np.testing.assert_array_equal(faces.rows, [0, 1])


def test_votes_go_by_row_order(make):
    table = make("fer2013.csv", WHOLE.replace(line(1), line(256)))
    _, votes = read(make("fer2013new.csv", VOTES), table, skip=True)  # row 0 is bad
    np.testing.assert_array_equal(votes, [[0, 0, 10, 0, 0, 0, 0, 0, 0, 0], [0] * 10])


def test_votes_with_another_number_of_rows_are_an_error(make):
    votes = make("fer2013new.csv", VOTES.rsplit("\n", 2)[0])
    with pytest.raises(
        ValueError, match=r"fer2013new\.csv: expected 3 rows of votes.*fer2013\.csv\. Received: 2\."
    ):
        read(make("fer2013.csv", WHOLE), votes)


def test_votes_in_another_order_are_an_error(make):
    votes = make("fer2013new.csv", VOTES.replace("Training", "PublicTest"))
    with pytest.raises(ValueError, match=r"row 0: expected Usage Training, as in .*Received: PublicTest"):
        read(make("fer2013.csv", WHOLE), votes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", r"empty\.csv: expected a CSV with.*Received: .*\(empty\)\."),
        ("x.csv", b"\x7fELF\0\0\1", r"Received: .*x\.csv \(binary\)\."),
        ("x.csv", "label,image\n1,2\n", r"Received: .*x\.csv \(first line: 'label,image'\)\."),
        ("x.zip", {"readme.md": "# hello"}, r"Received: .*x\.zip/readme\.md \(first line: '# hello'\)\."),
        ("x.zip", {}, r"x\.zip: expected a CSV with.*Received: no files\."),
        (
            "x.zip",
            {"a/f.csv": WHOLE, "b/f.csv": WHOLE},
            r"expected one whole CSV\. Received: .*a/f\.csv and .*b/f",
        ),
        ("x.csv", "emotion,pixels,Usage\n", r"expected at least one row below the header\. Received: none"),
        ("v.csv", VOTES, r"v\.csv: expected the CSV whose rows these FER\+ votes follow\. Received: none"),
        (
            "x.zip",
            {"f.csv": WHOLE, "happy/1.png": png(1)},
            r"one data set\. Received: .*\(images\) and .*\(whole CSV\)",
        ),
    ],
)
def test_an_input_that_is_nothing_we_know_is_an_error(make, name, content, message):
    with pytest.raises(ValueError, match=message):
        read(make(name, content))


def test_inputs_that_do_not_belong_together_are_an_error(make):
    whole, train = make("fer2013.csv", WHOLE), make("train.csv", TRAIN)
    with pytest.raises(
        ValueError, match=r"one data set\. Received: .*fer2013\.csv \(whole CSV\) and .*train\.csv"
    ):
        read(whole, train)
    with pytest.raises(ValueError, match=r"Expected one train CSV among the inputs\. Received: 2\."):
        read(train, make("train2.csv", TRAIN))


def test_nothing_but_bad_rows_is_an_error(make):
    with pytest.raises(ValueError, match=r"expected at least one good row\. Received: 1 bad ones"):
        read(make("x.csv", f"pixels,Usage\n{line(999)},Training\n"), skip=True)


@pytest.mark.parametrize(
    ("pack", "name"), [(lzma.compress, "xz"), (bz2.compress, "bzip2"), (lambda content: b"Rar!\x1a\x07\0", "RAR")]
)
def test_what_is_packed_in_another_way_is_told_with_what_unpacks_it(pack, name, make):
    path = make("fer2013.csv.packed", pack(WHOLE.encode()))
    with pytest.raises(UserError, match=rf"fer2013.csv.packed .packed by {name}: unpack it first, as by `"):
        read_inputs([path], BadRows())


def append_row(path):
    with path.open("a") as file:
        file.write(f"3,{line(4)},Training\n")


CHANGES = {
    "longer": append_row,
    "cut": lambda path: os.truncate(path, 5000),
    "empty": lambda path: path.write_text(""),
    "removed": pathlib.Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", ["_choose_files", "read_faces"])
def test_a_file_that_changes_while_it_is_read_is_told(change, moment, make, monkeypatch):
    path = make("faces.csv", WHOLE.encode())
    step = getattr(inputs, moment)

    def step_and_change(*arguments):
        done = step(*arguments)
        CHANGES[change](path)
        return done

    monkeypatch.setattr(inputs, moment, step_and_change)
    with pytest.raises(
        UserError, match=r"faces\.csv: expected what stays as it is while it is read\. Received: what"
    ):
        read_inputs([path], BadRows())


def test_a_folder_that_grows_while_it_is_read_is_told(make, monkeypatch):
    for name in ("happy/2.png", "sad/3.png"):
        path = make(f"faces/{name}", png(1)).parents[1]
    choose = inputs._choose_files

    def choose_and_add(path):
        found = choose(path)
        make("faces/happy/1.png", png(2))
        return found

    monkeypatch.setattr(inputs, "_choose_files", choose_and_add)
    with pytest.raises(UserError, match=r"faces: expected what stays as it is while it is read\."):
        read_inputs([path], BadRows())
