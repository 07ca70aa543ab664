import datetime

import pandas
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from fer_ensemble.members.directory import HISTORY
from fer_ensemble.members.lock import held
from fer_ensemble.report.csv_tables import write_frame
from fer_ensemble.sweep.best_flags import write_best_flags
from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.sweep.shared_study import open_study, trial_folder
from fer_ensemble.sweep.study_page import format_page
from fer_ensemble.sweep.trial_display import estimate_seconds_left
from fer_ensemble.sweep.trial_table import find_best, format_trials, tabulate_trials
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

BEGAN = datetime.datetime(2026, 1, 2)
# State, value, and seconds from beginning to end. Nobody works on the last.
TRIALS = (
    (TrialState.COMPLETE, 0.4, 60),
    (TrialState.RUNNING, None, None),
    (TrialState.FAIL, None, 2),
    (TrialState.COMPLETE, 0.5, 100),
    (TrialState.PRUNED, 0.6, 30),
    (TrialState.COMPLETE, 0.5, 80),
    (TrialState.RUNNING, None, None),
)


@pytest.fixture
def make_study(tmp_path):
    """Makes a study of trials. Trial n has been trained for 10 n seconds; another process works on trial 1."""
    ranges = parse_search(["dropout=uniform:0:0.9"], TrainingSettings())

    def make(trials=TRIALS, maximize=True, limit=11):
        study = open_study(tmp_path / "study", {"a": 1}, maximize, True, limit, ranges)
        for number, (state, value, seconds) in enumerate(trials):
            trial = create_trial(
                state=state,
                value=value,
                params={"dropout": number / 10},
                distributions={one.name: one.distribution() for one in ranges},
                user_attrs={"error": "too little memory"} if state == TrialState.FAIL else {},
            )
            trial.datetime_start = BEGAN
            if seconds:
                trial.datetime_complete = BEGAN + datetime.timedelta(seconds=seconds)
            study.add_trial(trial)
            member = trial_folder(study.folder, number) / "exp_0" / "cnn_0"
            member.mkdir(parents=True)
            (member / HISTORY).write_text(f"epoch,seconds\n1,{10 * number}\n")
        return study

    with held(trial_folder(tmp_path / "study", 1)):
        yield make


def test_the_best_is_the_highest_accuracy_and_the_first_of_equals(make_study):
    assert find_best(make_study()).number == 3


def test_the_best_is_the_lowest_loss(make_study):
    study = make_study(maximize=False)
    assert find_best(study).number == 0
    assert tabulate_trials(study, "oof_log_loss")["trial"].tolist()[:3] == [0, 3, 5]


def test_without_a_complete_trial_there_is_no_best(make_study):
    assert find_best(make_study(TRIALS[1:3])) is None


def test_the_table_and_the_file_have_every_trial_best_first(make_study, tmp_path):
    table = tabulate_trials(make_study(), "oof_accuracy")
    assert table["trial"].tolist() == [3, 5, 0, 4, 2, 1, 6]
    assert table["state"].tolist() == [*["complete"] * 3, "pruned", "failed", "running", "interrupted"]
    lines = format_trials(table, "oof_accuracy").splitlines()
    assert lines[0].split() == ["trial", "state", "oof_accuracy", "dropout", "seconds"]
    assert lines[2].split() == ["3", "complete", "50.00", "%", "0.3", "30"]
    assert lines[6].split() == ["2", "failed", "-", "0.2", "20", "too", "little", "memory"]
    write_frame(tmp_path / "trials.csv", table)
    read = pandas.read_csv(tmp_path / "trials.csv", keep_default_na=False, dtype=str)
    assert read["oof_accuracy"].tolist() == ["0.5", "0.5", "0.4", "", "", "", ""]
    assert read["error"].tolist()[4] == "too little memory"


def test_a_study_whose_trials_are_all_as_good_has_its_page(make_study):
    study = make_study([(TrialState.COMPLETE, 0.5, 60)] * 10)
    ranges = parse_search(["dropout=uniform:0:0.9"], TrainingSettings())
    table = tabulate_trials(study, "oof_accuracy")
    assert "dropout" in format_page(study, table, "oof_accuracy", ranges, TrainingSettings())


def test_the_time_left_is_the_median_of_the_ended_trials_shared_by_the_processes(make_study):
    # Of 11 trials 5 have ended, after 2, 30, 60, 80 and 100 s; trial 1 is another process's.
    study = make_study()
    assert estimate_seconds_left(study, own=5) == pytest.approx(6 * 60 / 2)
    assert estimate_seconds_left(study, own=1) == pytest.approx(6 * 60)


def test_before_a_trial_has_ended_no_time_is_told(make_study):
    assert estimate_seconds_left(make_study(TRIALS[1:2]), own=1) is None


@pytest.mark.parametrize("command", ["train", "launch"])
def test_both_commands_read_the_best_flags_to_the_last_digit(tmp_path, command, python):
    tried = {"learning_rate": 0.1 / 3, "model": "resnet", "flip": False, "epochs": 30}
    best = create_trial(
        value=0.5,
        params=tried,
        distributions={name: CategoricalDistribution([value]) for name, value in tried.items()},
    )
    settings = TrainingSettings(width=8, mixup=0.2, **tried)
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
