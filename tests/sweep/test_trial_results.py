import csv

import pytest

from fer_ensemble.sweep import trial_results
from fer_ensemble.sweep.best_flags import write_best_flags
from fer_ensemble.sweep.trial_display import estimate_seconds_left
from fer_ensemble.training.settings import TrainingOptions, TrainingSettings


def make(number, state, value=None, duration=None, error="", **params):
    return trial_results.TrialResult(number, state, value, params, 10.0 * number, error, duration)


TRIALS = [
    make(0, trial_results.COMPLETE, 0.4, 60.0, dropout=0.1),
    make(1, trial_results.RUNNING, dropout=0.2),
    make(2, trial_results.FAILED, duration=2.0, error="too little memory", dropout=0.3),
    make(3, trial_results.COMPLETE, 0.5, 100.0, dropout=0.4),
    make(4, trial_results.PRUNED, duration=30.0, dropout=0.5),
    make(5, trial_results.COMPLETE, 0.5, 80.0, dropout=0.6),
]


def test_the_best_is_the_highest_accuracy_or_the_lowest_loss_and_the_first_of_equals():
    assert trial_results.find_best(TRIALS, "oof_accuracy").number == 3
    assert trial_results.find_best(TRIALS, "oof_log_loss").number == 0
    assert trial_results.find_best(TRIALS[1:3], "oof_accuracy") is None


def test_the_table_and_the_file_have_every_trial_best_first(tmp_path):
    lines = trial_results.format_results(TRIALS, "oof_accuracy", ["dropout"]).splitlines()
    assert lines[0].split() == ["trial", "state", "oof_accuracy", "dropout", "seconds"]
    assert [line.split()[0] for line in lines[2:]] == ["3", "5", "0", "4", "2", "1"]
    assert lines[2].split() == ["3", "complete", "50.00", "%", "0.4", "30"]
    trial_results.write_trials(tmp_path / "trials.csv", TRIALS, "oof_accuracy", ["dropout"])
    with (tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["3", "5", "0", "4", "2", "1"]
    assert (rows[0]["oof_accuracy"], rows[3]["oof_accuracy"], rows[4]["error"]) == ("0.5", "", "too little memory")


def test_the_time_left_is_the_median_of_the_ended_trials_shared_by_the_processes():
    # Of 10 trials 5 have ended, after 2, 30, 60, 80 and 100 s; trial 1 is another process's.
    assert estimate_seconds_left(TRIALS, 10, own=5) == pytest.approx(5 * 60 / 2)
    assert estimate_seconds_left(TRIALS, 10, own=1) == pytest.approx(5 * 60)
    assert estimate_seconds_left(TRIALS[1:2], 10, own=1) is None


@pytest.mark.parametrize("command", ["train", "launch"])
def test_both_commands_read_the_best_flags_to_the_last_digit(tmp_path, command, python):
    best = make(3, trial_results.COMPLETE, 0.5, learning_rate=0.1 / 3, model="resnet", flip=False, epochs=30)
    settings = TrainingSettings(width=8, mixup=0.2, **best.params)
    options = TrainingOptions(data="a b.csv", classes="sad,happy")
    path = tmp_path / "best.flags"
    write_best_flags(path, best, settings, options, "0")
    code = f"""
import sys
from absl import flags
from fer_ensemble.commands import {command} as command
command.define_flags()
flags.FLAGS(["command", "--flagfile={path}"])
for name in "learning_rate flip epochs width mixup data classes experiments model runs".split():
    print(flags.FLAGS[name].value if name in flags.FLAGS else "unknown")
"""
    answer = python("-c", code)
    assert answer.returncode == 0, answer.stderr
    own = ["resnet", "unknown"] if command == "train" else ["unknown", "resnet_0,resnet_1"]
    expected = [0.1 / 3, False, 30, 8, 0.2, "a b.csv", "sad,happy", tmp_path / "best", *own]
    assert answer.stdout.splitlines() == [str(value) for value in expected]
