import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from fer_ensemble.commands.launch import list_sample_flags
from fer_ensemble.data.bundled import find_bundled

REPOSITORY = pathlib.Path(__file__).parents[2]
SAMPLE = "--data=data/sample.csv.gz"  # the bundled one, wherever it is named


def launch(*flags, folder=REPOSITORY, **environment):
    return subprocess.run(
        [sys.executable, "-m", "fer_ensemble.launch", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def splitscript(*flags, folder=REPOSITORY, script=REPOSITORY / "splitscript.sh", **environment):
    return subprocess.run(
        ["bash", str(script), *flags],
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def copy_splitscript(folder, requirements):
    for name in ("requirements.txt", "requirements-gpu.txt"):
        (folder / name).write_text(requirements + "\n")
    shutil.copy(REPOSITORY / "environment.sh", folder)
    return shutil.copy(REPOSITORY / "splitscript.sh", folder)


def test_help_teaches():
    answer = launch("--help")
    for text in (
        "bash splitscript.sh --data=fer2013.csv",
        "--[no]dry_run",
        "--runs",
        "--folds",
        "--learning_rate",
    ):
        assert text in answer.stdout


def test_the_launcher_does_without_keras():
    heavy = {"keras", "tensorflow", "h5py", "scipy", "sklearn", "pandas", "matplotlib"}
    code = f"import sys, fer_ensemble.commands.launch; print({heavy!r} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert answer.stdout.strip() == "set()"


def test_the_plan_has_16_members_and_their_commands(tmp_path):
    answer = launch("--dry_run", SAMPLE, "--epochs=60", "--cpu_workers=3", folder=tmp_path)
    assert answer.returncode == 0
    lines = answer.stdout.splitlines()
    assert lines[0] == "experiments: 0 of 16 members complete, 16 to train, 3 workers on the CPU"
    assert lines[1].startswith("exp_0/cnn_0  to train  ")
    assert lines[16].endswith("-m fer_ensemble train --model=resnet --fold=3 --replica=1 --epochs=60")
    assert lines[17].endswith(
        "-m fer_ensemble predict --ensemble=experiments --data=data/sample.csv.gz --folds=all"
    )
    assert list(tmp_path.iterdir()) == []


def test_each_visible_gpu_has_its_workers():
    answer = launch("--dry_run", SAMPLE, "--workers_per_gpu=2", CUDA_VISIBLE_DEVICES="0,3")
    assert "4 workers on GPU 0, 3" in answer.stdout


def test_runs_and_folds_choose():
    answer = launch("--dry_run", SAMPLE, "--runs=resnet_2", "--folds=3,1")
    names = [line.split("  ")[0] for line in answer.stdout.splitlines()[1:-1]]
    assert names == ["exp_3/resnet_2", "exp_1/resnet_2"]


def test_without_data_it_takes_the_sample_and_says_so(tmp_path):
    # Into a folder of its own: that of the sample may hold finished members.
    answer = launch("--dry_run", "--epochs=7", f"--experiments={tmp_path}")
    first, second, third = answer.stdout.splitlines()[:3]
    assert first.startswith("no --data given: the bundled sample, with --data=data/sample.csv.gz")
    assert second.startswith(f"{tmp_path}: 0 of 16 members complete")
    assert "--epochs=7" in third  # its own flags come last, and count


def test_the_sample_is_trained_in_the_checkout_wherever_it_is_called_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (experiments,) = [flag for flag in list_sample_flags([]) if flag.startswith("--experiments=")]
    assert pathlib.Path(experiments.partition("=")[2]).resolve() == REPOSITORY / "experiments" / "sample"
    assert find_bundled(pathlib.Path("data/sample.csv.gz")).samefile(
        REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
    )
    assert list_sample_flags(["--data=own.csv"]) == list_sample_flags(["--flagfile", "own.flags"]) == []


def test_a_flagfile_of_ones_own_is_not_mixed_with_the_sample(tmp_path):
    (tmp_path / "own.flags").write_text(f"--width=16\n{SAMPLE}\n")
    answer = launch("--dry_run", f"--flagfile={tmp_path / 'own.flags'}")
    assert "bundled sample" not in answer.stdout
    assert answer.stdout.splitlines()[1].endswith("--replica=0 --width=16")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epoch=3", "Unknown command line flag 'epoch'. Did you mean: epochs"),
        ("--epochs=0", "`epochs` must be at least 1. Received: 0."),
        ("--runs=vgg_0", "`runs` must be names such as cnn_0, resnet_0"),
        ("fer2013.csv", "takes flags only. Received: fer2013.csv"),
        ("--data=missing.csv", "missing.csv"),
        ("--classes=smug,happy", "smug"),
        ("--labels=ferplus", "FER+ votes, and these data have none"),
        (
            "--vary=cnn_7 width=8",
            "`vary` must name a run, or an architecture, that there is: cnn, cnn_0, ",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", ["", "--dry_run"])
def test_what_cannot_work_is_refused_in_one_line_before_any_training(tmp_path, flag, message, dry_run):
    flags = [flag] if flag.startswith("--data") else [SAMPLE, flag]
    answer = launch(*flags, f"--experiments={tmp_path}", *[dry_run] * bool(dry_run))
    assert answer.returncode == 1
    assert answer.stderr.startswith("fer_ensemble.launch: error: ")
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flags", [["--dry_run"], ["--slurm", "--dry_run", "--"]], ids=["here", "SLURM"])
def test_experiments_that_are_no_folder_are_refused_and_left_as_they_are(tmp_path, flags):
    (tmp_path / "mine").write_text("mine")
    answer = launch(*flags, SAMPLE, f"--experiments={tmp_path / 'mine'}")
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1), answer.stderr
    assert "`experiments` must be a folder. Received: " in answer.stderr
    assert (tmp_path / "mine").read_text() == "mine"


def test_splitscript_keeps_the_folder_that_it_is_called_from(tmp_path):
    shutil.copy(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", tmp_path / "own.csv")
    answer = splitscript("--dry_run", "--data=own.csv", folder=tmp_path)
    assert answer.returncode == 0
    assert "--data=own.csv" in answer.stdout
    assert sys.executable in answer.stdout


def test_splitscript_refuses_an_unsuitable_python(tmp_path):
    script = copy_splitscript(tmp_path, "no-such-package==1.0")
    answer = splitscript(script=script, PYTHON=shutil.which("false"))
    assert answer.returncode == 1
    assert "must be Python 3.10 to 3.13, but is not" in answer.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_installation_that_failed_is_not_taken_for_finished(tmp_path):
    script = copy_splitscript(tmp_path, "no-such-package==1.0")
    for _ in range(2):
        answer = splitscript(script=script, PIP_NO_INDEX="1")
        assert answer.returncode == 1
        assert "installing requirements" in answer.stderr
        assert "could not install requirements" in answer.stderr
    assert answer.stderr.count("making") == 0  # the second time, the environment itself is there


def test_the_status_is_of_the_members_that_the_flags_name(tmp_path):
    answer = launch("--status", f"--experiments={tmp_path}", "--runs=cnn_0,resnet_3", "--folds=1")
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[:2] for line in answer.stdout.splitlines()[1:]] == [
        ["exp_1/cnn_0", "waiting"], ["exp_1/resnet_3", "waiting"], ["2", "waiting"],
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []
