"""sweep.py on the bundled sample: two processes share a study, and one of them is killed."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from fer_ensemble.training.settings import TrainingSettings

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLAGS = (
    "--width=4", "--input_size=16", "--epochs=1", "--batch_size=64", "--precision=float32", "--dropout=0",
    "--search=learning_rate=log:1e-3:1e-1", "--search=optimizer=choice:sgd,adamw",
)  # fmt: skip


def start(folder, trials, log):
    with log.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "sweep.py", *FLAGS, f"--study={folder}", f"--trials={trials}"],
            cwd=REPOSITORY,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_NUM_INTRAOP_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def wait_for(condition, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def read_trials(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return {int(row["trial"]): row for row in csv.DictReader(file)}


def member(folder, number):
    return folder / f"trial_{number}" / "exp_0" / "cnn_0"


def begun_by(log):
    return [
        int(line.split()[1])
        for line in log.read_text().splitlines()
        if " begins: " in line or " goes on: " in line
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of 3 trials by two processes, of which one was killed in the middle of its first; and what the other
    printed, and the number of the trial that was left."""
    folder = tmp_path_factory.mktemp("sweep")
    study, logs = folder / "study", [folder / "first.txt", folder / "second.txt"]
    first = start(study, 3, logs[0])
    second = start(study, 3, logs[1])
    try:
        wait_for(lambda: all((member(study, number) / "progress.json").exists() for number in (0, 1)))
        (left,) = begun_by(logs[0])
        first.kill()
        assert first.wait() == -signal.SIGKILL
        assert second.wait(600) == 0, logs[1].read_text()
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    return study, logs[1].read_text(), left


def test_two_processes_reach_just_so_many_trials_though_one_is_killed(study):
    folder, printed, left = study
    trials = read_trials(folder)
    assert sorted(trials) == [0, 1, 2]
    assert {row["state"] for row in trials.values()} == {"complete"}
    assert f"trial {left} goes on: " in printed
    for number, row in trials.items():
        record = json.loads((member(folder, number) / "member.json").read_text())
        assert float(row["oof_accuracy"]) == record["metrics"]["oof"]
        assert float(row["learning_rate"]) == record["settings"]["learning_rate"]
        assert row["optimizer"] == record["settings"]["optimizer"]
        turns = (member(folder, number) / "train.log").read_text().count("fer_ensemble train --model")
        assert turns == (2 if number == left else 1)


def test_the_best_flags_are_the_best_trials_settings(study, python):
    folder = study[0]
    best = max(read_trials(folder).values(), key=lambda row: float(row["oof_accuracy"]))["trial"]
    code = f"""
import dataclasses, json, sys
from absl import flags
from fer_ensemble.commands import edge, train
train.define_flags()
flags.FLAGS(["train", "--flagfile={folder / "best.flags"}"])
print(json.dumps(dataclasses.asdict(edge.settings_from_flags(train.TrainingSettings))))
"""
    answer = python("-c", code)
    assert answer.returncode == 0, answer.stderr
    record = json.loads((member(folder, best) / "member.json").read_text())
    assert TrainingSettings(**json.loads(answer.stdout)) == TrainingSettings(**record["settings"])


def test_the_page_needs_nothing_else(study):
    page = (study[0] / "report.html").read_text()
    assert page.count("<svg") == 3  # the progress, and one for each setting
    assert "src=" not in page and "@import" not in page and "url(http" not in page
    assert all(f"<th>{number}</th>" in page for number in range(3))


def test_a_finished_study_is_left_alone_and_shown(study, run_command):
    folder = study[0]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trial_*/exp_*/*/*")}
    answer = run_command("sweep.py", *FLAGS, f"--study={folder}", "--trials=3")
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[1] for line in answer.stdout.splitlines()[2:5]] == ["complete"] * 3
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("trial_*/exp_*/*/*")}


def test_a_study_of_other_flags_is_refused(study, run_command):
    flags = ["--epochs=2", "--objective=oof_log_loss", "--search=learning_rate=log:1e-4:1e-1", *FLAGS[:2]]
    answer = run_command("sweep.py", *flags, f"--study={study[0]}")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "was begun with other flags (" in answer.stderr
    for difference in ("epochs: 2, not 1", "objective: oof_log_loss, not oof_accuracy", "batch_size: 128, not 64"):
        assert difference in answer.stderr


def test_when_trials_fail_one_after_another_it_stops_and_says_why(run_command, tmp_path):
    for number in range(3):
        member(tmp_path, number).mkdir(parents=True)
        (member(tmp_path, number) / "member.json").write_text("{}")
    answer = run_command("sweep.py", *FLAGS, f"--study={tmp_path}", "--trials=5")
    assert answer.returncode == 1
    assert [line.split()[:2] for line in answer.stdout.splitlines()[-3:]] == [[n, "failed"] for n in "012"]
    assert "3 trials failed one after another, the last of them because: " in answer.stderr
    assert "member.json must be the record of a finished member" in answer.stderr
    assert not (tmp_path / "best.flags").exists()


def test_a_signal_stops_the_sweep_and_its_member(study, tmp_path):
    folder = study[0]
    sweep = start(folder, 4, tmp_path / "log.txt")
    wait_for((member(folder, 3) / "progress.json").exists)
    pid = json.loads((member(folder, 3) / "progress.json").read_text())["pid"]
    sweep.send_signal(signal.SIGTERM)
    assert sweep.wait(60) == 128 + signal.SIGTERM
    last = (tmp_path / "log.txt").read_text().splitlines()[-1]
    assert last == (
        f"sweep.py: stopped by SIGTERM: {folder} has 3 of 4 trials; the same command goes on from there"
    )
    assert not pathlib.Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "takes at least one setting to try"),
        (["--search=dropout=uniform:0:1"], "`dropout` must be below 1. Received: 1."),
        (["--search=learning_rte=log:1:2"], "Did you mean learning_rate?"),
        (["--search=dropout=uniform:0:0.5", "--trials=0"], "`trials` must be at least 1. Received: 0."),
        (
            ["--search=dropout=uniform:0:0.5", "--folds=4"],
            "`fold` must be 0..3, two of these such as 0,1, or none. Received: 4.",
        ),
        (["--search=dropout=uniform:0:0.5", "--validate_every=0"], "give --validate_every=1, or --prune=none"),
        (["--search=dropout=uniform:0:0.5", "--objective=private_accuracy"], "should be one of <oof_accuracy|"),
        (["--search=dropout=uniform:0:0.5", "--data={folder}/none.csv"], "none.csv does not exist"),
        (["dropout"], "takes flags only. Received: dropout"),
    ],
)
def test_bad_input_gets_one_line_before_anything_starts(run_command, tmp_path, flags, message):
    answer = run_command(
        "sweep.py", *(flag.format(folder=tmp_path) for flag in flags), f"--study={tmp_path / 'study'}"
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert message in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_it_says_what_to_install(python, tmp_path):
    code = f"""
import runpy, sys
sys.modules["optuna"] = None
sys.argv = ["sweep.py", "--search=dropout=uniform:0:0.5", "--study={tmp_path / "study"}"]
runpy.run_path("sweep.py", run_name="__main__")
"""
    answer = python("-c", code)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].endswith("pip install 'fer-ensemble[train]'")
    assert len(answer.stderr.splitlines()) == 1


def test_help_teaches_and_imports_nothing_slow(python):
    code = """
import runpy, sys
sys.argv = ["sweep.py", "--help"]
try:
    runpy.run_path("sweep.py", run_name="__main__")
finally:
    print("slow:", sorted({"tensorflow", "keras", "jax", "h5py", "optuna"} & set(sys.modules)), file=sys.stderr)
"""
    answer = python("-c", code)
    assert (answer.returncode, answer.stderr) == (0, "slow: []\n")
    for text in ("--search=learning_rate=log:1e-4:1e-1", "--objective", "--prune", "--trials", "--weight_decay"):
        assert text in answer.stdout
