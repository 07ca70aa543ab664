import pathlib
import subprocess
import sys

import pytest

from fer_ensemble.members.directory import held, member_folder
from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.sweep.study import claimed_trial, open_study, trial_folder
from fer_ensemble.training.settings import TrainingSettings

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = ["learning_rate=log:1e-4:1e-1", "dropout=uniform:0:0.5"]
RANGES = parse_search(TEXTS, TrainingSettings())
FLAGS = {"learning_rate": "log:0.0001:0.1", "epochs": 3, "objective": "oof_accuracy"}
# Holds a trial until it is killed.
HOLDER = """
import pathlib, sys, time
from tests.sweep.test_study import RANGES, claimed_trial, open_again
folder = pathlib.Path(sys.argv[1])
with claimed_trial(open_again(folder), folder, 9, RANGES) as trial:
    print(trial.number, trial.params["dropout"], flush=True)
    time.sleep(600)
"""


def open_again(folder):
    return open_study(folder, FLAGS, maximize=True, prune=True)


def claim(folder, trials=9, study=None):
    return claimed_trial(study or open_again(folder), folder, trials, RANGES)


def test_each_process_is_given_a_trial_of_its_own_until_there_are_enough(tmp_path):
    with claim(tmp_path, 2) as first, claim(tmp_path, 2) as second, claim(tmp_path, 2) as third:
        assert (first.number, second.number, third) == (0, 1, None)
        assert first.params.keys() == {"learning_rate", "dropout"}
        assert first.params != second.params


def test_a_trial_that_was_left_is_taken_up_with_its_values_before_a_new_one(tmp_path):
    with claim(tmp_path, 1) as left:
        pass
    with claim(tmp_path, 1) as trial:
        assert (trial.number, trial.params) == (left.number, left.params)
        trial.study.tell(trial, 0.5)
    with claim(tmp_path, 1) as trial:
        assert trial is None


def test_a_killed_process_leaves_its_trial_to_the_next(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    number, dropout = process.stdout.readline().split()
    with claim(tmp_path) as other:
        assert (number, other.number) == ("0", 1)
        process.kill()
        process.communicate()
        with claim(tmp_path) as trial:
            assert (trial.number, trial.params["dropout"]) == (0, float(dropout))


def test_values_that_a_killed_process_had_not_chosen_yet_are_chosen(tmp_path):
    study = open_again(tmp_path)
    value = RANGES[0].suggest(study.ask())
    with claim(tmp_path, 1) as trial:
        assert trial.params["learning_rate"] == value
        assert 0 <= trial.params["dropout"] <= 0.5


def test_a_trial_whose_member_outlived_its_process_is_not_taken_up(tmp_path):
    with claim(tmp_path) as left:
        pass
    with held(member_folder(trial_folder(tmp_path, left.number), 0, "cnn_0")), claim(tmp_path) as other:
        assert other.number == 1


def test_the_first_values_are_the_same_in_every_study_and_differ_within_it(tmp_path):
    tried = []
    for name in "ab":
        with claim(tmp_path / name) as first, claim(tmp_path / name) as second:
            tried.append([first.params, second.params])
    assert tried[0] == tried[1]


def test_half_a_line_of_a_process_that_was_killed_does_no_harm(tmp_path):
    study = open_again(tmp_path)
    with claim(tmp_path) as trial:
        study.tell(trial.number, 0.5)
    with (tmp_path / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":6,"tri')
    with claim(tmp_path) as trial:
        assert trial.number == 1
    assert [trial.value for trial in open_again(tmp_path).trials] == [0.5, None]


def test_other_flags_are_refused_with_the_differences(tmp_path):
    open_again(tmp_path)
    with pytest.raises(ValueError, match=r"begun with other flags \(epochs: 5, not 3\). Give the same ones"):
        open_study(tmp_path, {**FLAGS, "epochs": 5}, maximize=True, prune=True)
    with pytest.raises(ValueError, match=r"\(learning_rate: 0.1, not log:0.0001:0.1\)"):
        open_study(tmp_path, {**FLAGS, "learning_rate": 0.1}, maximize=True, prune=True)


def test_a_setting_that_an_older_study_does_not_know_had_its_default(tmp_path):
    open_again(tmp_path)
    open_study(tmp_path, {**FLAGS, "mixup": 0.0}, maximize=True, prune=True)
    with pytest.raises(ValueError, match=r"\(mixup: 0.5, not 0.0\)"):
        open_study(tmp_path, {**FLAGS, "mixup": 0.5}, maximize=True, prune=True)


def test_a_damaged_journal_is_told(tmp_path):
    (tmp_path / "journal.log").write_text("not\na journal\n")
    with pytest.raises(ValueError, match=r"journal.log must be the journal of a study, but cannot be read"):
        open_again(tmp_path)
