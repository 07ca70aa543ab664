"""An ensemble trained by a real SLURM, with troubles on the way: `bash tests/slurm/run.sh` starts both."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]
DATA = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
# The test's SLURM has two processors: two tasks at a time.
SBATCH = ("--slurm", "--cpus-per-task=1", "--mem=1500M")
TRAINING = ("--epochs=4", "--width=4", "--input_size=16", "--batch_size=32", "--warmup=0", "--deterministic")
# As in a task.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
PATIENCE = 3600  # seconds: the machine may be slow, and the test does not mind


def call(*command, **environment):
    return subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def splitscript(experiments, *flags, expect=0, **environment):
    folders = (f"--data={DATA}", f"--experiments={experiments}")
    answer = call("bash", "splitscript.sh", *flags, *folders, *TRAINING, **environment)
    assert answer.returncode == expect, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def jobs():
    """Returns the names of what is in the queue: `12_3` for a task, `13` for a job."""
    return call("squeue", "--noheader", "--array", "--format=%i").stdout.split()


def facts(task):
    """Returns what SLURM knows of a job: `JobState`, `Restarts`, `Reason` and more."""
    return dict(pair.partition("=")[::2] for pair in call("scontrol", "show", "job", task).stdout.split())


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return value


def disturb(experiments, array, fold, *command):
    """Does something to a task of cnn_0 in the middle of its training."""
    state = experiments / f"exp_{fold}" / "cnn_0" / "state.npz"
    wait_for(f"{state}, written after an epoch", state.exists)
    # Not longer: SLURM 22.05 sends the signal but answers that it did not, and 5 s later scancel sends another.
    call("timeout", "3", *command, f"{array}_{fold}")


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster") / "experiments"


@pytest.fixture(scope="module")
def disturbed(experiments):
    """Submits 16 members, disturbs some, waits. Returns the array's id and what two submissions said."""
    broken = experiments / "exp_0" / "cnn_1" / "state.npz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half a file")  # so that this task fails
    first = splitscript(experiments, *SBATCH, "--")
    (array,) = {name.partition("_")[0] for name in jobs() if "_" in name}
    again = splitscript(experiments, *SBATCH, "--")
    # Numbers 0 to 3 are cnn_0, one for each fold; 11 to 14 resnet_0, 110 to 113 cnn_1.
    disturb(experiments, array, 0, "scontrol", "requeue")
    disturb(experiments, array, 1, "scancel", "--signal=TERM")
    disturb(experiments, array, 2, "scancel", "--signal=USR1")  # what SLURM itself sends before the time limit
    wait_for("resnet_0", (experiments / "exp_0" / "resnet_0" / "train.log").exists)
    assert call("scancel", f"{array}_11").returncode == 0
    wait_for("the end of the array", lambda: not jobs())
    return array, first, again


def log_of_prediction(experiments, number):
    logs = sorted((experiments / "slurm").glob("predict-*.log"), key=lambda path: path.stat().st_mtime)
    assert len(logs) == number
    return logs[-1].read_text()


def test_one_array_has_a_task_for_each_member(disturbed):
    _, first, again = disturbed
    assert "0 of 16 members complete, 0 in SLURM's queue, 16 to submit" in first
    assert "0 of 16 members complete, 16 in SLURM's queue, 0 to submit" in again


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_requeued_or_signalled_task_goes_on_and_ends(disturbed, experiments, number):
    array, *_ = disturbed
    job = facts(f"{array}_{number}")
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    log = (experiments / f"exp_{number}" / "cnn_0" / "train.log").read_text()
    assert log.count("SLURM task") >= 2
    assert log.count("epoch 1/4") == 1
    assert log.count("epoch 4/4") == 1


def test_a_cancelled_task_stays_cancelled_and_a_failed_one_failed(disturbed):
    array, *_ = disturbed
    assert facts(f"{array}_11")["JobState"] == "CANCELLED"
    job = facts(f"{array}_110")
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "1:0", "0")


def test_the_prediction_comes_last_and_names_what_is_missing(disturbed, experiments):
    log = log_of_prediction(experiments, 1)  # that of the second call took the place of the first one
    assert "2 of 16 members are missing or unfinished: exp_0/cnn_1, exp_0/resnet_0" in log


def test_the_same_command_submits_what_is_missing_and_the_ensemble_is_that_of_an_undisturbed_run(
    disturbed, experiments
):
    shutil.rmtree(experiments / "exp_0" / "cnn_1")
    complete = {path: path.stat().st_mtime_ns for path in experiments.glob("*/*/member.json")}
    answer = splitscript(experiments, *SBATCH, "--")
    assert "14 of 16 members complete, 0 in SLURM's queue, 2 to submit" in answer
    assert "an array of 2: exp_0/cnn_1, exp_0/resnet_0" in answer
    wait_for("the end of the second array", lambda: not jobs())
    assert "ensemble" in log_of_prediction(experiments, 2)
    assert {path: path.stat().st_mtime_ns for path in complete} == complete

    # Three members had troubles in the middle; train these without, and combine them with the others.
    undisturbed = experiments.with_name("undisturbed")
    shutil.copytree(experiments, undisturbed, ignore=shutil.ignore_patterns("predictions.csv", "oof.csv"))
    for fold in range(3):
        shutil.rmtree(undisturbed / f"exp_{fold}" / "cnn_0")
    assert "13 of 16 members complete, 3 to train" in splitscript(undisturbed, **ONE_THREAD)
    for name in ("predictions.csv", "oof.csv"):
        assert (undisturbed / name).read_bytes() == (experiments / name).read_bytes()


def test_what_slurm_refuses_loses_nothing(disturbed, experiments):
    complete = sorted(experiments.glob("*/*/member.json"))
    answer = splitscript(experiments, *SBATCH, "--partition=none", "--", "--overwrite", expect=1)
    assert "Invalid partition name" in answer
    assert complete
    assert sorted(experiments.glob("*/*/member.json")) == complete
