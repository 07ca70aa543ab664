import dataclasses
import os
import pathlib

import optuna
import pytest

from fer_ensemble.launch.plan import PlannedMember
from fer_ensemble.members import directory, lock
from fer_ensemble.sweep.shared_study import open_study
from fer_ensemble.sweep.trial import (
    Pruner,
    TrialFailed,
    choose_settings,
    count_seconds,
    forget_state,
    measure_trial,
    plan_trial,
    train_trial,
)
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path):
    """A study with 5 complete trials, which at half of their training were right on 50, 51, ... 54 %."""
    study = open_study(tmp_path / "study", {}, maximize=True, prune=True, limit=99, ranges=[])
    for accuracy in range(50, 55):
        trial = study.ask()
        trial.report(accuracy / 100, 50)
        study.tell(trial, 0.6)
    return study


@pytest.fixture
def curve(study, tmp_path):
    """A function that gives the next trial's first member the accuracies of so many of its 8 epochs."""
    member = PlannedMember(TrainingSettings(epochs=8), tmp_path / "exp_0" / "cnn_0", None)
    member.folder.mkdir(parents=True)
    trial = study.ask()

    def extend(accuracies, pruner=None):
        rows = [f"{epoch},1.5,{value},7.5" for epoch, value in enumerate(accuracies, start=1)]
        path = member.folder / directory.HISTORY
        path.write_text("\n".join(["epoch,val_loss,val_accuracy,seconds", *rows]) + "\n")
        os.utime(path, (0, len(accuracies)))  # newer than the one before, however coarse the clock
        pruner = pruner or Pruner(trial, member, "oof_accuracy")
        pruner([])
        return pruner

    return extend


def test_what_a_trial_tries_goes_before_what_differs_in_its_run():
    variations = ["cnn width=5 dropout=0.9", "resnet width=6"]
    tried = {"model": "cnn", "dropout": 0.1}
    assert choose_settings(TrainingSettings(), variations, tried) == TrainingSettings(width=5, **tried)
    tried = {"model": "resnet", "dropout": 0.3}
    assert choose_settings(TrainingSettings(), variations, tried) == TrainingSettings(width=6, **tried)


def test_a_trial_below_the_median_at_the_same_share_of_its_training_is_pruned(curve):
    pruner = curve([0.1])
    pruner = curve([0.1, 0.2, 0.3], pruner)  # the others have nothing to compare with here
    with pytest.raises(optuna.TrialPruned):
        curve([0.1, 0.2, 0.3, 0.51], pruner)


def test_a_trial_above_the_median_goes_on(curve, study):
    curve([0.1, 0.2, 0.3, 0.53])
    assert study.trials[-1].intermediate_values == {12: 0.1, 25: 0.2, 38: 0.3, 50: 0.53}


def test_a_trial_that_another_process_began_is_judged_at_once_and_told_once(curve, study, recwarn):
    with pytest.raises(optuna.TrialPruned):
        curve([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(optuna.TrialPruned):
        curve([0.1, 0.2, 0.3, 0.4])
    assert not recwarn.list


def test_a_trial_that_has_ended_is_not_pruned(curve):
    curve([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4])


def test_the_objective_is_that_of_the_members_files(tiny_member):
    record = directory.read_record(tiny_member)
    member = PlannedMember(TrainingSettings(**record["settings"]), tiny_member, 1.0)
    assert measure_trial([member], "oof_accuracy") == record["metrics"]["oof"]
    assert measure_trial([member], "public_accuracy") == record["metrics"]["PublicTest"]
    loss = directory.read_history(tiny_member)["val_loss"][-1]
    assert measure_trial([member], "oof_log_loss") == pytest.approx(loss, abs=1e-4)
    assert measure_trial([member, member], "oof_log_loss") == pytest.approx(loss, abs=1e-4)


def test_complete_members_are_not_trained_again(tiny_member, tiny_settings, tiny_data):
    options = TrainingOptions(data=str(tiny_data))
    members, options = plan_trial(tiny_member.parents[1], tiny_settings, [0], options)
    train_trial(members, options, [])
    assert not (tiny_member / "train.log").exists()


def test_a_trial_whose_member_fails_says_why(tmp_path):
    options = TrainingOptions(data=str(tmp_path / "none.csv"))
    members, options = plan_trial(tmp_path / "trial_0", TrainingSettings(), [0], options)
    with pytest.raises(TrialFailed, match=r"exp_0/cnn_0 ended with exit code 1: .*none.csv does not exist"):
        train_trial(members, options, [])


def test_a_pruned_trials_process_is_stopped_with_its_state_saved(tmp_path, tiny_settings):
    study = open_study(tmp_path / "study", {}, maximize=True, prune=True, limit=99, ranges=[])
    for _ in range(5):
        others = study.ask()
        for percent in range(101):
            others.report(1.1, percent)
        study.tell(others, 1.1)
    settings = dataclasses.replace(tiny_settings, epochs=8, batch_size=4)  # a second or more after the 2nd
    options = TrainingOptions(data=str(ROOT / "fer_ensemble" / "assets" / "sample.csv.gz"))
    members, options = plan_trial(tmp_path / "trial_5", settings, [0], options)
    with pytest.raises(optuna.TrialPruned):
        train_trial(members, options, [Pruner(study.ask(), members[0], "oof_accuracy")])
    assert not lock.is_held(members[0].folder) and not directory.is_complete(members[0].folder)
    assert 2 <= directory.read_history(members[0].folder)["epoch"][-1] < 8
    assert (members[0].folder / directory.STATE).exists()


def test_what_a_pruned_trial_could_go_on_from_is_removed_and_its_curve_kept(curve, tmp_path):
    curve([0.5, 0.5])
    member = PlannedMember(TrainingSettings(), tmp_path / "exp_0" / "cnn_0", None)
    (member.folder / directory.STATE).write_bytes(b"weights")
    forget_state([member])
    assert sorted(path.name for path in member.folder.iterdir()) == [directory.HISTORY]
    assert count_seconds(tmp_path) == 15.0
