"""`fer-ensemble label` as it is typed, on pictures composed of the drawn faces."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest

from fer_ensemble.base.errors import EXPECTED_ERRORS, UserError
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_inputs import list_inputs
from fer_ensemble.commands.label_run import label as run_label
from fer_ensemble.faces.drawn_pictures import compose_picture
from fer_ensemble.faces.video_writing import write_video
from tests.drawn import sample_faces

FACES = sample_faces()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of three pictures with two faces, one and none, and a broken one; the names are in that order."""
    folder = tmp_path_factory.mktemp("pictures")
    two = compose_picture(FACES[:2], [(10, 20), (250, 0)], (470, 240))
    one = compose_picture(FACES[2:3], [(30, 30)], (260, 240))
    for name, picture in (("a two.png", two), ("b/one.png", one), ("c.png", np.full((90, 80, 3), 70, np.uint8))):
        (folder / name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(picture).save(folder / name)
    (folder / "d.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def label(tmp_path):
    def run(*arguments, stdin=""):
        return subprocess.run(
            [sys.executable, "-m", "fer_ensemble", "label", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=1800,
        )

    return run


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_schema_in_csv_json_lines_and_json(label, pictures, tmp_path):
    answer = label(pictures, "--csv=out/faces.csv", "--jsonl=faces.jsonl", "--json")
    assert answer.returncode == 0, answer.stderr
    assert "3 faces in 3 files; 1 without a face; 1 could not be read" in answer.stderr
    document = json.loads(answer.stdout)
    lines = [json.loads(line) for line in (tmp_path / "faces.jsonl").read_text().splitlines()]
    rows = read_csv(tmp_path / "out" / "faces.csv")
    assert document["schema_version"] == 1
    assert [one["file"] for one in document["problems"]] == [str(pictures / "d.jpg")]
    found = [line for line in lines if line["face"] is not None]
    assert [{**face, "problem": None} for face in document["faces"]] == found
    names = [str(pictures / name) for name in ("a two.png", "a two.png", "b/one.png", "c.png", "d.jpg")]
    assert [line["file"] for line in lines] == [row["file"] for row in rows] == names
    assert [line["face"] for line in lines] == [0, 1, 0, None, None]
    assert lines[3]["problem"] == "no face" and "expected a readable picture" in lines[4]["problem"]
    for face, row in zip(found, rows, strict=False):
        assert [float(row[f"box_{side}"]) for side in ("left", "top", "width", "height")] == face["box"]
        assert {name: float(row[name]) for name in document["class_names"]} == face["probabilities"]
        assert row["expression"] == face["expression"] and row["unsure"] == str(face["unsure"]).lower()
        assert abs(sum(face["probabilities"].values()) - 1) < 1e-5
        assert float(row["nose_x"]), float(row["nose_y"]) == face["landmarks"][2]


def test_a_table_annotated_pictures_and_crops(label, pictures, tmp_path):
    answer = label(pictures, "--annotate=seen", "--crops=crops", "--explain=why", "--unsure_below=1")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) == 1 + 5
    assert all(line.endswith("% unsure") or "%  unsure" in line for line in lines[1:4])
    assert lines[4].endswith("no face") and "not read: expected a readable picture" in lines[5]
    found = sorted(path.relative_to(tmp_path / "seen").as_posix() for path in (tmp_path / "seen").rglob("*.*"))
    assert found == ["a two.jpg", "b/one.jpg", "c.jpg"]
    with PIL.Image.open(tmp_path / "seen" / "a two.jpg") as seen:
        assert seen.size == (470, 240)
    crops = sorted(path.name for path in (tmp_path / "crops").glob("*/*.png"))
    assert crops == ["a two_0.png", "a two_1.png", "b__one_0.png"]
    for path in (tmp_path / "crops").glob("*/*.png"):
        with PIL.Image.open(path) as crop:
            assert crop.size == (48, 48) and crop.mode == "L"
        with PIL.Image.open(tmp_path / "why" / path.relative_to(tmp_path / "crops")) as explained:
            plain, coloured = np.hsplit(np.asarray(explained).astype(int), 2)
        assert np.ptp(plain, axis=2).max() == 0 < np.ptp(coloured, axis=2).max()


def test_the_same_command_goes_on_where_it_was_killed_and_nothing_is_twice_or_missing(label, pictures, tmp_path):
    names = []
    for number in range(30):
        names.append(tmp_path / "many" / f"{number:02d}.png")
        names[-1].parent.mkdir(exist_ok=True)
        os.link(pictures / ("a two.png" if number % 2 else "c.png"), names[-1])
    command = ["many", "--csv=faces.csv", "--batch_size=2", "--threads=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_ensemble", "label", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "faces.csv").exists() or len((tmp_path / "faces.csv").read_text().splitlines()) < 8:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with (tmp_path / "faces.csv").open("a") as file:
        file.write("1,many/half a li")  # as a kill amid a write leaves it
    answer = label(*command)
    assert answer.returncode == 0, answer.stderr
    assert "of 30 files are in faces.csv already" in answer.stderr
    expected = [f"many/{number:02d}.png" for number in range(30) for _ in range(1 + number % 2)]
    assert [row["file"] for row in read_csv(tmp_path / "faces.csv")] == expected
    whole = (tmp_path / "faces.csv").read_bytes()
    assert "30 of 30 files" in label(*command).stderr
    assert (tmp_path / "faces.csv").read_bytes() == whole


def test_whole_faces_boxes_a_list_on_standard_input_and_patterns(label, pictures, tmp_path):
    PIL.Image.fromarray(FACES[0]).save(tmp_path / "face.png")
    answer = label("-", "--faces=whole", "--json", stdin="face.png\n\n")
    (face,) = json.loads(answer.stdout)["faces"]
    assert face["box"] == [0, 0, 48, 48] and face["detector_score"] is None
    (tmp_path / "boxes.csv").write_text(
        "file,left,top,width,height\na two.png,250,0,192,192\na two.png,0,0,40,20\n"
    )
    answer = label(f"{pictures}/a*.png", pictures / "b", "--boxes=boxes.csv", "--json")
    assert [face["box"] for face in json.loads(answer.stdout)["faces"]] == [[250, 0, 192, 192], [0, 0, 40, 20]]
    assert "1 without a face" in answer.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nowhere.onnx"}, "nowhere.onnx"),
        ({"unsure_below": 3.0}, "0 to 1"),
        ({"detection_size": 3}, "32 to 8192"),
        ({"boxes": "nowhere.csv"}, "nowhere.csv"),
        ({"csv": "a", "jsonl": "./a"}, "two files"),
        ({"crops": "a", "explain": "./a"}, "two folders"),
        ({"every": "0"}, "`every` must be"),
        ({"smooth": -1.0}, "`smooth` must be"),
        ({"threads": -1}, "`threads` must be"),
        ({"faces": "whole", "boxes": "a.csv"}, "Leave one out"),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else "",
)
def test_an_option_that_is_wrong_is_told_before_anything_is_read(options, message, capsys):
    with pytest.raises(EXPECTED_ERRORS, match=message):
        run_label(["nowhere.png"], LabelOptions(**options))
    assert capsys.readouterr().out == ""


def test_nothing_to_label_is_one_line_on_stderr(label):
    for arguments in ([], [""]):
        answer = label(*arguments)
        assert answer.returncode == 1 and "must be given pictures" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1


def test_the_names_of_a_list_may_be_of_any_bytes_but_nul(monkeypatch):
    def give(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return list(list_inputs(["-"]))

    assert give(b"a\xff.png\r\n\n-\n" + 5000 * b"x" + b"\na b.png") == ["a\udcff.png", 5000 * "x", "a b.png"]
    with pytest.raises(UserError, match="print0"):
        give(b"a.png\0b.png\0")


def test_annotated_pictures_never_replace_the_pictures_and_are_not_labelled_themselves(label, pictures, tmp_path):
    (tmp_path / "own").mkdir()
    content = (pictures / "b" / "one.png").read_bytes()
    PIL.Image.open(pictures / "b" / "one.png").save(tmp_path / "own" / "me.jpg")
    before = (tmp_path / "own" / "me.jpg").read_bytes()
    answer = label("own", "--annotate=own")
    assert answer.returncode == 1 and "would be written over" in answer.stderr
    assert (tmp_path / "own" / "me.jpg").read_bytes() == before
    (tmp_path / "own" / "other.png").write_bytes(content)
    for _ in range(2):
        answer = label("own", "--annotate=own/seen", "--crops=own/crops")
        assert "2 faces in 2 files" in answer.stderr, answer.stderr


def test_a_file_that_is_not_there_is_named(label):
    answer = label("nowhere.png")
    assert answer.returncode == 1
    assert "nowhere.png" in answer.stdout and "No such file" in answer.stdout


def test_what_a_missing_package_or_an_absent_file_cost_is_tried_again(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("av")
    write_video("clip.mp4", [np.full((64, 64, 3), 9, np.uint8)] * 2, [0.0, 0.1])
    names, options = ["clip.mp4", "late.png", str(pictures / "b")], LabelOptions(csv="faces.csv")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "av", None)
        assert run_label(names, options) == 0
    shown = capsys.readouterr().out
    assert "pip install 'fer-ensemble[video]'" in shown and "No such file" in shown
    done = {row["file"] for row in read_csv(tmp_path / "faces.csv")}
    assert done and not done & {"clip.mp4", "late.png"}
    assert run_label(names, options) == 0  # `late.png` is not there yet, the others are read
    shutil.copy(next((pictures / "b").rglob("*.png")), "late.png")
    assert run_label(names, options) == 0
    assert {row["file"] for row in read_csv(tmp_path / "faces.csv")} == {*done, "clip.mp4", "late.png"}
