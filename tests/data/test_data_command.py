import csv
import os
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import pytest

from fer_ensemble.data.store import load_dataset, read_dataset

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = " ".join(["5"] * 2304)
ROWS = f"3,{LINE},Training\n0,{LINE},PublicTest\n,{LINE},PrivateTest\n"


@pytest.fixture
def command(tmp_path):
    """Writes `content` as faces.csv, runs the command on it, and returns what came."""

    def run(*arguments, content=f"emotion,pixels,Usage\n{ROWS}"):
        (tmp_path / "faces.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return subprocess.run(
            [sys.executable, "-m", "fer_ensemble.data", *arguments],
            capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    return run


def assert_one_line(result, *words):
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("fer_ensemble.data: error: ")
    for word in words:
        assert word in line


def test_the_command_writes_the_data_set_and_sums_it_up(command, tmp_path):
    result = command("faces.csv", "--output", "new/fer2013.h5")
    assert result.returncode == 0
    assert result.stderr == ""
    assert "exact copies: 2 images repeat an earlier one" in result.stdout
    np.testing.assert_array_equal(read_dataset(tmp_path / "new" / "fer2013.h5").labels, [3, 0, -1])
    again = command("new/fer2013.h5")
    assert again.stdout == result.stdout.replace("wrote new/fer2013.h5\n", "")


def test_bad_rows_are_left_out_and_listed(command, tmp_path):
    arguments = ("faces.csv", "--output=out.h5", "--skip_bad_rows")
    result = command(*arguments, content=f"emotion,pixels,Usage\n{ROWS}9,{LINE},Training\n1,1 2 3,Training\n")
    assert "left out 2 bad rows, listed in out.bad_rows.csv" in result.stdout
    with (tmp_path / "out.bad_rows.csv").open() as file:
        header, *listed = csv.reader(file)
    assert header == ["file", "row", "problem"]
    assert [row[:2] for row in listed] == [["faces.csv", "3"], ["faces.csv", "4"]]
    np.testing.assert_array_equal(read_dataset(tmp_path / "out.h5").rows, [0, 1, 2])
    assert "left out 0 bad rows\n" in command(*arguments).stdout
    assert not (tmp_path / "out.bad_rows.csv").exists()


def test_a_subset_is_not_taken_for_the_whole(command, tmp_path):
    command("faces.csv", "--output=faces.csv.h5", "--classes=happy,sad")
    assert read_dataset(tmp_path / "faces.csv.h5").class_names == ("happy", "sad")
    assert len(load_dataset(tmp_path / "faces.csv").class_names) == 7


def test_a_bad_file_is_one_line_and_no_output(command, tmp_path):
    cut = f"emotion,pixels,Usage\n{ROWS}"[:-3000]
    assert_one_line(
        command("faces.csv", "--output=out.h5", content=cut),
        "faces.csv, row 2 (line 4): expected",
        "--skip_bad_rows",
    )
    assert_one_line(
        command("faces.csv", "--output=out.h5", content=b"\0\1\2"), "faces.csv: expected a CSV", "binary"
    )
    assert not (tmp_path / "out.h5").exists()


def test_bad_arguments_are_one_line(command, tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w"):
        pass
    assert_one_line(command(), "Expected at least one CSV")
    assert_one_line(command("none.csv", "--output=out.h5"), "none.csv does not exist")
    assert_one_line(command("faces.csv"), "Expected --output", "Give --output=data/fer2013.h5")
    assert_one_line(command("faces.csv", "--output=out.h5", "--classes=joyous,sad"), "'joyous'")
    assert_one_line(command("faces.csv", "--output=faces.csv"), "must be another file than the input")
    assert_one_line(command("faces.csv", "--output=faces.csv/out.h5"), "faces.csv/out.h5 cannot be written")
    assert_one_line(command("faces.csv", "--output=weights.h5"), "weights.h5, which is something else")
    assert_one_line(command("weights.h5"), "weights.h5: expected an HDF5 file of the format")


def test_help_answers_without_keras_and_pandas(command):
    result = command("--help")
    assert "--[no]skip_bad_rows" in result.stdout
    code = "import sys, fer_ensemble.data.__main__; print({'keras', 'tensorflow', 'pandas'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert loaded.stdout == "set()\n"
