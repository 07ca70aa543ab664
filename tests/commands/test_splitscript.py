"""bash splitscript.sh, from nothing to a scored ensemble."""

import json
import pathlib
import re
import subprocess

import h5py
import numpy as np
import pytest

RUNS = ("cnn_0", "cnn_1", "resnet_0", "resnet_1")


def test_it_trains_16_members_and_then_combines_them(trained):
    folder, answer = trained
    assert answer.returncode == 0, answer.stderr + answer.stdout
    members = {f"exp_{fold}/{run}" for fold in range(4) for run in RUNS}
    found = {str(path.parent.relative_to(folder)) for path in folder.glob("*/*/member.json")}
    assert found == members
    assert "16 of 16 members complete" in answer.stdout
    assert "ensemble" in answer.stdout
    assert (folder / "scores.json").exists()
    assert all((folder / member / "train.log").exists() for member in members)


def test_each_training_image_is_held_out_once_per_run(trained):
    folder, _ = trained
    for run in RUNS:
        rows = []
        for fold in range(4):
            with h5py.File(folder / f"exp_{fold}" / run / "predictions.h5") as file:
                rows.append(file["oof/rows"][()])
        assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(840))


def test_members_differ_in_their_random_numbers(trained):
    folder, _ = trained
    seeds = {json.loads(path.read_text())["seed"] for path in folder.glob("*/*/member.json")}
    assert len(seeds) == 16


def test_run_again_it_trains_nothing_and_predicts_the_same(trained, run_command, tmp_path):
    folder, _ = trained
    before = (folder / "predictions.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/*")}
    record = json.loads((folder / "exp_0/cnn_0/member.json").read_text())["settings"]
    flags = [f"--{name}={record[name]}" for name in ("epochs", "width", "input_size", "batch_size", "warmup")]
    answer = run_command(
        "splitscript.sh", f"--data={folder.parent / 'sample.csv.gz'}", f"--experiments={folder}", *flags
    )
    assert answer.returncode == 0, answer.stderr
    assert "16 of 16 members complete, 0 to train" in answer.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*/*")} == times
    assert (folder / "predictions.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "asks"),
    [
        (["--slurm", "--gres=gpu:1"], True),
        (["--slurm", "--gres", "gpu:a100:1"], True),
        (["--slurm", "--gres=tmp:1,gpu:1"], True),
        (["--slurm", "--gpus-per-task=1"], True),
        (["--slurm", "-G", "1"], True),
        (["--slurm=FILE"], True),
        (["--slurm", "--gres=gpu:1", "--slurm=nowhere"], True),
        (["--slurm", "--gres=tmp:1"], False),
        (["--slurm", "--partition=gpu"], False),
        ([], False),
    ],
)
def test_where_a_gpu_is_asked_of_slurm_its_packages_are_installed(flags, asks, tmp_path):
    script = pathlib.Path(__file__).parents[2].joinpath("splitscript.sh").read_text()
    function = re.search(r"^asks_for_gpu\(\) \{.*?^\}", script, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "FILE").write_text("#!/bin/bash\n#SBATCH -G 1\n")
    command = f'set -euo pipefail\n{function}\nasks_for_gpu "$@"'
    assert (subprocess.run(["bash", "-c", command, "bash", *flags], cwd=tmp_path).returncode == 0) is asks
