"""The files of records go on where they stopped, or say why they do not."""

import csv
import json

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.record_files import RecordFile, empty_record

CLASSES = ("happy", "sad")


def write(path, names, made_by="a network", **options):
    with RecordFile(path, CLASSES, {"network": made_by}, **options) as file:
        for name in names:
            file.add(empty_record(name, CLASSES))
            file.commit([name])
        return set(file.done)


@pytest.mark.parametrize("lines", [False, True], ids=["csv", "jsonl"])
def test_what_was_not_complete_is_forgotten_and_the_rest_is_known(tmp_path, lines):
    path = tmp_path / "new" / "faces"
    write(path, ["a,b.png", "ä.png"], lines=lines)
    with path.open("ab") as file:
        file.write(b"half a li")  # as a kill leaves it
    assert write(path, ["c.png"], lines=lines) == {"a,b.png", "ä.png", "c.png"}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [json.loads(line) for line in file] if lines else list(csv.DictReader(file))
    assert [(row["file"], row["problem"]) for row in rows] == [
        (name, "no face") for name in ("a,b.png", "ä.png", "c.png")
    ]


def test_a_file_that_was_made_otherwise_is_refused_until_it_is_to_be_begun_anew(tmp_path):
    path = tmp_path / "faces.csv"
    write(path, ["a.png"])
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"another network.*--overwrite"):
        write(path, ["b.png"], "another")
    assert path.read_bytes() == before
    assert write(path, ["b.png"], "another", overwrite=True) == {"b.png"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path, note: note.unlink(), "without the note faces.csv.state"),
        (lambda path, note: note.write_text("{"), "damaged"),
        (lambda path, note: path.write_bytes(path.read_bytes()[:-1]), "It was cut"),
    ],
    ids=["no note", "damaged note", "cut"],
)
def test_a_file_whose_note_does_not_fit_is_refused_and_kept(tmp_path, damage, message):
    path = tmp_path / "faces.csv"
    write(path, ["a.png"])
    damage(path, tmp_path / "faces.csv.state")
    before = path.read_bytes()
    with pytest.raises(UserError, match=message):
        write(path, ["b.png"])
    assert path.read_bytes() == before


def test_a_header_alone_is_begun_anew(tmp_path):
    path = tmp_path / "faces.csv"
    write(path, [])  # killed before its first picture was done
    assert write(path, ["a.png"]) == {"a.png"}
