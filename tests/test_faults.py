"""Full and read-only disks, and too little memory: one line that says what to do, and nothing finished is lost."""

import csv
import os
import shutil
import subprocess

import pytest

from fer_ensemble.members import directory, notes
from fer_ensemble.training.learning_rate_search import run_range_test
from fer_ensemble.training.member import train_member
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

SIZE = 8 << 20
FLAGS = ["--width=4", "--input_size=16", "--epochs=2", "--batch_size=12", "--optimizer=sgd"]


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 8 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small file system takes root to mount")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"no small file system can be mounted here: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk, left):
    """Leaves so many bytes free."""
    free = shutil.disk_usage(disk).free
    (disk / "filler").write_bytes(bytes(free - left))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_training_on_a_full_disk_goes_on_when_there_is_room(disk, tiny_data, tiny_member, python):
    finished = shutil.copytree(tiny_member, directory.member_folder(disk, 1, "cnn_0"))
    folder = directory.member_folder(disk, 0, "cnn_0")
    command = ["model_train.py", *FLAGS, f"--data={tiny_data}", f"--experiments={disk}"]
    fill(disk, 16 << 10)
    result = python(*command)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"model_train.py: error: [Errno 28] No space left on device: '{folder / directory.STATE}' - make room, "
        "then give the same command again: what is finished is whole, and it goes on from there"
    )
    assert "No space left on device" in notes.read_failure(folder)["error"]
    assert names(folder) <= {"lock", "progress.json", "failure.json"}
    directory.check_files(finished)
    (disk / "filler").unlink()
    result = python(*command)
    assert result.returncode == 0, result.stderr
    assert names(folder) == {"lock", "member.json", "model.keras", "predictions.h5", "history.csv"}
    directory.check_files(folder)


def test_ingesting_onto_a_full_disk_leaves_the_old_data_set(disk, tiny_data, python):
    old = shutil.copy(tiny_data, disk / "data.h5")
    content = old.read_bytes()
    fill(disk, 48 << 10)
    result = python("-m", "fer_ensemble.data", "data/sample.csv.gz", f"--output={old}")
    assert result.returncode == 1
    assert "No space left on device" in result.stderr and result.stderr.count("\n") == 1
    assert old.read_bytes() == content and names(disk) == {"data.h5", "filler"}


def test_predicting_onto_a_full_disk_is_one_line(disk, tiny_member, python):
    fill(disk, 0)
    ensemble = tiny_member.parents[1]
    result = python(
        "predict.py", f"--ensemble={ensemble}", "--runs=cnn_0", "--allow_missing", f"--output={disk / 'results'}"
    )
    assert result.returncode == 1
    assert "No space left on device" in result.stderr and result.stderr.count("\n") == 1
    directory.check_files(tiny_member)


def test_exporting_a_savedmodel_onto_a_full_disk_leaves_the_old_one(disk, tiny_member, python):
    command = ["-m", "fer_ensemble", "export", tiny_member, "--format=savedmodel", f"--output={disk / 'network'}"]
    result = python(*command)
    assert result.returncode == 0, result.stderr
    old = {path: path.read_bytes() for path in (disk / "network").rglob("*") if path.is_file()}
    for left in (0, 64 << 10):  # nothing at all can be written, or a part of the weights
        fill(disk, left)
        result = python(*command)
        assert result.returncode == 1
        # The other lines are TensorFlow's.
        (line,) = (line for line in result.stderr.splitlines() if line.startswith("fer-ensemble"))
        assert line.startswith("fer-ensemble export: error: [Errno 28] No space left on device: ")
        assert "make room" in line and "Traceback" not in result.stderr
        assert {path: path.read_bytes() for path in (disk / "network").rglob("*") if path.is_file()} == old
        assert names(disk) == {"network", "filler"}
        (disk / "filler").unlink()


def test_a_disk_that_must_not_be_written_is_one_line(disk, tiny_data, python):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    result = python("model_train.py", *FLAGS, f"--data={tiny_data}", f"--experiments={disk}")
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr and "make the place writable" in result.stderr
    assert result.stderr.count("\n") == 1


def test_too_little_memory_proposes_smaller_batches(tiny_data, tmp_path):
    # The second convolution would have a kernel of some 80 TB.
    settings = TrainingSettings(width=1 << 20, input_size=16, batch_size=12)
    message = r"exp_0/cnn_0: too little memory for --batch_size=12\. Give --batch_size=6, or less --width\."
    with pytest.raises(MemoryError, match=message):
        train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)))
    assert "--batch_size=6" in notes.read_failure(tmp_path / "exp_0" / "cnn_0")["error"]
    with pytest.raises(MemoryError, match=r"^too little memory for --batch_size=12\. Give --batch_size=6, or"):
        run_range_test(settings, TrainingOptions(data=str(tiny_data)), steps=3)


def test_a_sweep_on_a_full_disk_goes_on_when_there_is_room(disk, tiny_data, python):
    command = ["sweep.py", *FLAGS, "--search=dropout=choice:0.1,0.2", "--trials=1"]
    command += [f"--data={tiny_data}", f"--experiments={disk}"]
    fill(disk, 64 << 10)
    result = python(*command)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    (disk / "filler").unlink()
    result = python(*command)
    assert result.returncode == 0, result.stderr
    with (disk / "sweep" / "trials.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["complete"]
