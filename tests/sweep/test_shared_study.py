import pathlib
import subprocess
import sys

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.members.directory import member_folder
from fer_ensemble.members.lock import held
from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.sweep.shared_study import NoTrialLeft, open_study, trial_folder
from fer_ensemble.training.settings import TrainingSettings

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = ["learning_rate=log:1e-4:1e-1", "dropout=uniform:0:0.5"]
RANGES = parse_search(TEXTS, TrainingSettings())
FLAGS = {"learning_rate": "log:0.0001:0.1", "epochs": 3, "objective": "oof_accuracy"}
# Holds a trial until it is killed.
HOLDER = """
import pathlib, sys, time
from tests.sweep.test_shared_study import open_again
trial = open_again(pathlib.Path(sys.argv[1])).ask()
print(trial.number, trial.params["dropout"], flush=True)
time.sleep(600)
"""


def open_again(folder, limit=9, ranges=RANGES, **flags):
    """The study, as another process opens it."""
    return open_study(folder, FLAGS | flags, maximize=True, prune=True, limit=limit, ranges=ranges)


def test_each_process_is_given_a_trial_of_its_own_until_there_are_enough(tmp_path):
    first, second = (study.ask() for study in (open_again(tmp_path, 2), open_again(tmp_path, 2)))
    assert (first.number, second.number) == (0, 1)
    assert first.params.keys() == {"learning_rate", "dropout"}
    assert first.params != second.params
    with pytest.raises(NoTrialLeft):
        open_again(tmp_path, 2).ask()


def test_a_trial_that_was_left_is_taken_up_with_its_values_before_a_new_one(tmp_path):
    study = open_again(tmp_path, 1)
    left = study.ask()
    study.let_go()
    study = open_again(tmp_path, 1)
    trial = study.ask()
    assert (trial.number, trial.params) == (left.number, left.params)
    study.tell(trial, 0.5)
    with pytest.raises(NoTrialLeft):
        study.ask()


def test_the_loop_of_optuna_works_on_just_so_many_trials_and_on_what_was_left(tmp_path):
    left = open_again(tmp_path, 3)
    left.ask()
    left.let_go()
    seen = []

    def work_on(trial):
        seen.append(trial.number)
        if len(seen) == 1:
            raise SystemExit  # whatever is no `Exception` leaves the trial as it is
        return 0.5

    with pytest.raises(SystemExit):
        open_again(tmp_path, 3).optimize(work_on)
    with pytest.raises(NoTrialLeft):
        open_again(tmp_path, 3).optimize(work_on)
    assert seen == [0, 0, 1, 2]
    assert [trial.value for trial in open_again(tmp_path).trials] == [0.5] * 3


def test_a_journal_that_cannot_take_a_trials_end_is_told_as_that_and_the_trial_goes_on(tmp_path):
    journal, aside = tmp_path / "journal.log", tmp_path / "aside"

    def work_on(trial):
        journal.rename(aside)
        journal.mkdir()
        return 0.5

    with pytest.raises(IsADirectoryError):
        open_again(tmp_path, 1).optimize(work_on)
    journal.rmdir()
    aside.rename(journal)
    with pytest.raises(NoTrialLeft):
        open_again(tmp_path, 1).optimize(lambda trial: 0.25)
    assert [trial.value for trial in open_again(tmp_path).trials] == [0.25]


def test_a_killed_process_leaves_its_trial_to_the_next(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    number, dropout = process.stdout.readline().split()
    study = open_again(tmp_path)
    assert (number, study.ask().number) == ("0", 1)
    process.kill()
    process.communicate()
    trial = open_again(tmp_path).ask()
    assert (trial.number, trial.params["dropout"]) == (0, float(dropout))


def test_values_that_a_killed_process_had_not_chosen_yet_are_chosen(tmp_path):
    left = open_again(tmp_path, 1, RANGES[:1])
    value = left.ask().params["learning_rate"]
    left.let_go()
    trial = open_again(tmp_path, 1).ask()
    assert trial.params["learning_rate"] == value
    assert 0 <= trial.params["dropout"] <= 0.5


def test_a_trial_whose_member_outlived_its_process_is_not_taken_up(tmp_path):
    study = open_again(tmp_path)
    number = study.ask().number
    study.let_go()
    with held(member_folder(trial_folder(tmp_path, number), 0, "cnn_0")):
        assert study.ask().number == 1


def test_the_first_values_are_the_same_in_every_study_and_differ_within_it(tmp_path):
    tried = []
    for name in "ab":
        studies = open_again(tmp_path / name), open_again(tmp_path / name)
        tried.append([study.ask().params for study in studies])
    assert tried[0] == tried[1]
    assert tried[0][0] != tried[0][1]


def test_half_a_line_of_a_process_that_was_killed_does_no_harm(tmp_path):
    study = open_again(tmp_path)
    study.tell(study.ask(), 0.5)
    with (tmp_path / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":6,"tri')
    again = open_again(tmp_path)
    assert again.ask().number == 1
    assert [trial.value for trial in open_again(tmp_path).trials] == [0.5, None]


def test_other_flags_are_refused_with_the_differences(tmp_path):
    open_again(tmp_path)
    with pytest.raises(UserError, match=r"begun with other flags \(epochs: 5, not 3\). Give the same ones"):
        open_again(tmp_path, epochs=5)
    with pytest.raises(UserError, match=r"\(learning_rate: 0.1, not log:0.0001:0.1\)"):
        open_again(tmp_path, learning_rate=0.1)


def test_a_setting_that_an_older_study_does_not_know_had_its_default(tmp_path):
    open_again(tmp_path)
    open_again(tmp_path, mixup=0.0)
    with pytest.raises(UserError, match=r"\(mixup: 0.5, not 0.0\)"):
        open_again(tmp_path, mixup=0.5)


@pytest.mark.parametrize(
    "journal",
    [
        "not\na journal\n",
        "[1, 2]\n",
        '"a text"\n',
        "{}\n",
        '{"op_code": 99, "worker_id": "a"}\n',
        '{"op_code": 0, "worker_id": "a"}\n',
        '{"op_code": 0, "worker_id": "a", "study_name": "sweep", "directions": 5}\n',
        '{"op_code": 0, "worker_id": "a", "study_name": "sweep", "directions": [2]}\n'
        '{"op_code": 4, "worker_id": "a", "study_id": 0, "datetime_start": "never"}\n',
        "[" * 100_000 + "\n",
        "\udcff\n",
        '{"op_code": 0, "worker_id": "a", "study_name": "sweep", "directions": [2]}\n'
        '{"op_code": 2, "worker_id": "a", "study_id": 0, "user_attr": {"flags": [3]}}\n',
    ],
)
def test_a_damaged_journal_is_told(tmp_path, journal):
    (tmp_path / "journal.log").write_text(journal, errors="surrogateescape")
    with pytest.raises(UserError, match=r"journal.log must be the journal of a study, but cannot be read"):
        open_again(tmp_path)
