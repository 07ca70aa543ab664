"""`fer-ensemble label` and lists, boxes, notes and outputs that cannot be: one line, and nothing is lost."""

import io
import json
import os
import sys

import numpy as np
import PIL.Image
import pytest

from fer_ensemble.base.errors import HeldError, UserError
from fer_ensemble.classifier.face import make_face
from fer_ensemble.classifier.record_files import RecordFile
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_outputs import write_annotated, write_crops
from fer_ensemble.commands.label_run import label
from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.faces.drawn_pictures import compose_picture
from fer_ensemble.faces.found import take_whole
from fer_ensemble.faces.video_writing import write_video

PICTURE = compose_picture(draw_sample()[0][:1], [(40, 20)], (280, 240))
BOXES = "file,left,top,width,height\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a picture, a file of boxes, one of one's own, and a pipe."""
    monkeypatch.chdir(tmp_path)
    PIL.Image.fromarray(PICTURE).save("me.jpg")
    (tmp_path / "boxes.csv").write_text(f"{BOXES}me.jpg,1,1,50,50\n")
    (tmp_path / "mine.csv").write_text("my notes\n")
    os.mkfifo("pipe")
    return tmp_path


def run(*arguments, **options):
    return label(list(arguments), LabelOptions(**options))


def list_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


ANOTHER = "must be another file than what is read"
NO_FILE = "expected a file to write. Received: a folder, pipe or device"
OUTPUTS = {
    "the picture": ({"csv": "me.jpg"}, ANOTHER),
    "the picture, anew": ({"csv": "me.jpg", "overwrite": True}, ANOTHER),
    "the boxes, anew": ({"csv": "boxes.csv", "boxes": "boxes.csv", "overwrite": True}, ANOTHER),
    "the network, anew": ({"jsonl": "mine.csv", "model": "mine.csv", "overwrite": True}, ANOTHER),
    "a file of one's own": ({"csv": "mine.csv"}, "or one that this command began"),
    "a file of one's own, anew": ({"csv": "mine.csv", "overwrite": True}, "or one that this command began"),
    "a folder": ({"csv": "."}, NO_FILE),
    "a pipe": ({"jsonl": "pipe"}, NO_FILE),
    "a device": ({"csv": "/dev/full"}, NO_FILE),
}


@pytest.mark.parametrize("case", OUTPUTS)
@pytest.mark.parametrize("given", ["me.jpg", "."])
def test_what_is_not_ours_is_never_written_over(case, given, folder):
    options, message = OUTPUTS[case]
    before = list_files(folder)
    with pytest.raises(UserError, match=message):
        run(given, **options)
    assert list_files(folder) == before


def damage_note(**changes):
    def damage(folder):
        path = folder / "faces.csv.state"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


DAMAGES = {
    "made by a list": (damage_note(made_by=[]), "faces.csv.state must be the note .* damaged .made_by cannot be"),
    "bytes below 0": (damage_note(complete_bytes=-3), "complete_bytes is below 0"),
    "bytes in words": (damage_note(complete_bytes="all"), "complete_bytes cannot be 'all'"),
    "more bytes": (damage_note(complete_bytes=10**9), "It was cut"),
    "nested": (lambda folder: (folder / "faces.csv.state").write_text("[" * 100_000), "nested too deeply"),
    "other bytes": (
        lambda folder: (folder / "faces.csv").write_bytes(b'"' * (folder / "faces.csv").stat().st_size),
        "faces.csv: expected the records that this command wrote",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_records_and_notes_are_told_and_begun_anew_where_that_is_said(case, folder):
    damage, message = DAMAGES[case]
    assert run("me.jpg", csv="faces.csv") == 0
    whole = (folder / "faces.csv").read_bytes()
    damage(folder)
    before = list_files(folder)
    with pytest.raises(UserError, match=message):
        run("me.jpg", csv="faces.csv")
    assert list_files(folder) == before
    assert run("me.jpg", csv="faces.csv", overwrite=True) == 0
    assert (folder / "faces.csv").read_bytes() == whole


def test_one_process_at_a_time_writes_a_file(folder):
    with RecordFile("faces.csv", ("a", "b"), {}) as first:
        with pytest.raises(HeldError, match=r"faces\.csv is being written by another process"):
            RecordFile("faces.csv", ("a", "b"), {}, overwrite=True)
        first.commit(["me.jpg"])
    with RecordFile("faces.csv", ("a", "b"), {}) as again:
        assert again.done == set()  # no record was written of it


VALUES = {
    "an empty path": ([""], {}, "Received: an empty name"),
    "threads": (["me.jpg"], {"threads": 100_000}, "`threads` must be at most 1,024"),
    "a network in a pipe": (["me.jpg"], {"model": "pipe"}, "pipe: expected an ONNX file. Received: a folder, p"),
    "a network without end": (["me.jpg"], {"model": "/dev/zero"}, "/dev/zero: expected an ONNX file"),
    "boxes in a pipe": (["me.jpg"], {"boxes": "pipe"}, "pipe: expected a CSV file of boxes"),
    "boxes without end": (["me.jpg"], {"boxes": "/dev/zero"}, "/dev/zero: expected a CSV file of boxes"),
}


@pytest.mark.parametrize("case", VALUES)
def test_what_cannot_be_meant_is_told(case, folder):
    arguments, options, message = VALUES[case]
    before = list_files(folder)
    with pytest.raises(UserError, match=message):
        run(*arguments, **options)
    assert list_files(folder) == before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("me.jpg,1,1,1e-300,1e-300\n", r"line 2: expected a file and left, top, width and height in pixels"),
        ("me.jpg,1\n", "line 2: expected a file and left"),
        ("me.jpg,nan,1,5,5\n", "line 2: expected a file and left"),
        ("me.jpg,1,1,50,50\n" * 10_001, "at most 10,000 boxes of one file"),
    ],
    ids=["tiny", "a row cut", "no number", "too many"],
)
def test_boxes_that_are_none_are_told(rows, message, folder):
    (folder / "boxes.csv").write_text(BOXES + rows)
    with pytest.raises(UserError, match=message):
        run("me.jpg", boxes="boxes.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Received: one that is closed"),
        (b"a\0b.jpg\n", "Received: NUL bytes"),
        (b"a" * 20_000, "a line that is longer"),
    ],
    ids=["closed", "zeros", "without end"],
)
def test_a_list_on_standard_input_that_is_none_is_told(content, message, monkeypatch):
    stream = None if content is None else io.TextIOWrapper(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(UserError, match=message):
        run("-")


def test_names_in_other_bytes_and_links_in_circles_cost_the_others_nothing(folder, monkeypatch, capsys):
    name = os.fsdecode(b"caf\xe9.jpg")
    (folder / name).write_bytes((folder / "me.jpg").read_bytes())
    (folder / "circle.jpg").symlink_to("circle.jpg")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"me.jpg\ncaf\xe9.jpg\ncircle.jpg\n")))
    assert run("-", csv="faces.csv", annotate="seen", json=True) == 0
    rows = (folder / "faces.csv").read_bytes().splitlines()[1:]
    assert [row.split(b",")[1] for row in rows] == [b"me.jpg", b"caf\xe9.jpg"]  # the circle is tried again
    assert rows[0].replace(b"me.jpg", b"caf\xe9.jpg") == rows[1]
    assert (folder / "seen" / os.fsdecode(b"caf\xe9.jpg")).is_file()
    assert "2 files; 1 could not be read" in capsys.readouterr().err


def test_a_video_whose_times_no_file_can_have_is_told(folder, capsys):
    pytest.importorskip("av")
    write_video("clip.mp4", [PICTURE] * 2, [0, 0.1])
    content = bytearray((folder / "clip.mp4").read_bytes())
    for box in (b"mvhd", b"mdhd"):  # one unit of time is a second; a frame lasts 68 years
        place = content.index(box)
        content[place + 16 : place + 24] = b"\0\0\0\1\x7f\xff\xff\xff"
    place = content.index(b"stts")
    content[place + 12 : place + 20] = b"\0\0\0\2\x7f\xff\xff\xff"
    (folder / "clip.mp4").write_bytes(content)
    assert run("clip.mp4", annotate="seen") == 1
    shown = capsys.readouterr()
    assert "not read: expected a video that can be written again" in shown.out


def test_what_is_written_of_the_longest_names_has_shorter_ones_and_stays_apart(folder):
    for last in "ab":
        os.link("me.jpg", folder / f"{'é' * 125}{last}.jpg")  # 255 bytes
    assert run(".", annotate="seen", crops="crops") == 0
    assert len(list((folder / "seen").iterdir())) == len(list((folder / "crops").glob("*/*.png"))) == 3


def test_a_picture_beyond_what_jpeg_can_have_is_annotated_smaller(tmp_path):
    write_annotated(tmp_path, "thin", np.zeros((70_000, 1, 3), np.uint8), [], ("a", "b"))
    with PIL.Image.open(tmp_path / "thin.jpg") as written:
        assert written.size == (1, 65_500)


def test_a_file_s_name_does_not_reach_the_terminal_s_controls(folder, capsys):
    (folder / "me.jpg").rename("me\n\x1b[31m.jpg")
    run(".")
    assert "me\\n\\x1b[31m.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../../elsewhere", "..", "/elsewhere", "on/off"])
def test_a_class_is_a_folder_below_that_of_the_crops_whatever_it_is_called(name, tmp_path):
    face = make_face(take_whole(PICTURE)[0], np.ones(2, np.float32) / 2, (name, "other"), 0.0)
    write_crops(tmp_path / "a" / "b" / "crops", "me", [face])
    (written,) = tmp_path.rglob("*.png")
    assert written.parents[1] == tmp_path / "a" / "b" / "crops"
