import dataclasses
import json

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES, Dataset
from fer_ensemble.launch.plan import (
    check_data,
    discard_members,
    ensemble_folds,
    parse_folds,
    parse_runs,
    plan_members,
    prediction_command,
    training_command,
)
from fer_ensemble.members import lock
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

RUNS = [("cnn", 0), ("cnn", 1), ("resnet", 0), ("resnet", 1)]


def write_record(folder, settings):
    folder.mkdir(parents=True)
    record = {
        "settings": dataclasses.asdict(settings),
        "files": {},
        "data": {"name": "faces.h5", "images": 1176, "fingerprint": "a"},
        "folds": {},
        "class_names": ["happy"],
        "training_seconds": 12.5,
    }
    (folder / "member.json").write_text(json.dumps(record))


def test_runs_are_read_as_model_and_replica():
    assert parse_runs("cnn_0, resnet_12") == [("cnn", 0), ("resnet", 12)]


@pytest.mark.parametrize("text", ["", "cnn", "vgg_0", "cnn_01", "cnn_-1", "cnn_0,,resnet_0"])
def test_what_is_no_run_is_refused(text):
    with pytest.raises(ValueError, match="`runs` must be names such as cnn_0, resnet_0"):
        parse_runs(text)


def test_a_run_named_twice_is_refused():
    with pytest.raises(ValueError, match=r"`runs` must name each one once. Received: 'cnn_0,cnn_0'"):
        parse_runs("cnn_0,cnn_0")


def test_folds_are_read_as_numbers():
    assert parse_folds("3,0") == [3, 0]


def test_pairs_are_every_two_folds_and_have_no_prediction(tmp_path):
    assert parse_folds("0+1,2+3") == [(0, 1), (2, 3)]
    pairs = parse_folds("pairs")
    assert pairs == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    members = plan_members([("cnn", 0)], pairs, TrainingSettings(), TrainingOptions(experiments=str(tmp_path)))
    assert [member.name for member in members][:2] == ["exp_0+1/cnn_0", "exp_0+2/cnn_0"]
    assert "--fold=0+1" in training_command(members[0].settings, TrainingOptions())
    assert ensemble_folds(pairs) == []


def test_no_fold_is_one_member_of_each_run_and_their_prediction(tmp_path):
    folds, options = parse_folds("none"), TrainingOptions(experiments=str(tmp_path))
    members = plan_members(RUNS[:2], folds, TrainingSettings(fold=None, holdout=0.2), options)
    assert [member.name for member in members] == ["exp_none/cnn_0", "exp_none/cnn_1"]
    assert {"--fold=none", "--replica=1", "--holdout=0.2"} < set(training_command(members[1].settings, options))
    assert "--folds=none" in prediction_command(RUNS, folds, options)


@pytest.mark.parametrize("text", ["", "one", "-1", "1.0", "0,none"])
def test_what_is_no_fold_is_refused(text):
    with pytest.raises(UserError, match=r"A fold must be a number, several such as|`folds` must be all single"):
        parse_folds(text)


def test_a_fold_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match=r"`fold` must be 0..3, two of these such as 0,1, or none. Received: 4"):
        plan_members(RUNS, [4], TrainingSettings(), TrainingOptions())


def test_the_ensemble_is_every_run_in_every_fold_fold_by_fold(tmp_path):
    members = plan_members(RUNS, [0, 1, 2, 3], TrainingSettings(), TrainingOptions(experiments=str(tmp_path)))
    assert [member.name for member in members[:5]] == [
        "exp_0/cnn_0", "exp_0/cnn_1", "exp_0/resnet_0", "exp_0/resnet_1", "exp_1/cnn_0",
    ]  # fmt: skip
    assert len({member.folder for member in members}) == 16
    assert not any(member.complete for member in members)


def test_a_run_may_vary_in_its_settings(tmp_path):
    options = TrainingOptions(experiments=str(tmp_path))
    members = plan_members(RUNS, [0], TrainingSettings(width=8), options, ["cnn width=16", "resnet_1 mixup=0.2"])
    assert [(member.settings.width, member.settings.mixup) for member in members] == [
        (16, 0.0), (16, 0.0), (8, 0.0), (8, 0.2),
    ]  # fmt: skip
    assert "--width=16" in training_command(members[1].settings, options)


def test_what_another_process_trains_is_not_discarded(tmp_path):
    options = TrainingOptions(experiments=str(tmp_path), overwrite=True)
    members = plan_members(RUNS[:2], [0], TrainingSettings(), options)
    for member in members:
        member.folder.mkdir(parents=True)
        (member.folder / "state.npz").write_text("half")
    with lock.held(members[0].folder):
        discard_members(members)
    assert [(member.folder / "state.npz").exists() for member in members] == [True, False]


def test_only_a_folder_with_a_record_is_complete(tmp_path):
    options = TrainingOptions(experiments=str(tmp_path))
    write_record(tmp_path / "exp_0" / "cnn_1", TrainingSettings(replica=1))
    (tmp_path / "exp_0" / "cnn_0").mkdir()
    members = plan_members(RUNS, [0], TrainingSettings(), options)
    assert [member.complete for member in members] == [False, True, False, False]
    assert members[1].seconds == 12.5


def test_a_member_that_was_asked_with_other_views_is_left_to_be_asked_again(tmp_path):
    options = TrainingOptions(experiments=str(tmp_path))
    write_record(tmp_path / "exp_0" / "cnn_0", TrainingSettings())
    write_record(tmp_path / "exp_1" / "cnn_0", TrainingSettings(fold=1, tta="flip"))
    members = plan_members([("cnn", 0)], [0, 1], TrainingSettings(tta="flip"), options)
    assert [member.complete for member in members] == [False, True]


def test_overwrite_leaves_nothing_complete(tmp_path):
    write_record(tmp_path / "exp_0" / "cnn_0", TrainingSettings())
    options = TrainingOptions(experiments=str(tmp_path), overwrite=True)
    assert not plan_members([("cnn", 0)], [0], TrainingSettings(epochs=60), options)[0].complete


def test_after_discarding_no_old_member_is_taken_for_a_new_one(tmp_path):
    write_record(tmp_path / "exp_0" / "cnn_0", TrainingSettings())
    options = TrainingOptions(experiments=str(tmp_path), overwrite=True)
    discard_members(plan_members([("cnn", 0)], [0], TrainingSettings(epochs=60), options))
    options = TrainingOptions(experiments=str(tmp_path))
    assert not plan_members([("cnn", 0)], [0], TrainingSettings(epochs=60), options)[0].complete
    assert (tmp_path / "exp_0" / "cnn_0" / "member.json").is_file()  # which stays until the new one is complete


def test_votes_that_the_data_have_not_are_missed_before_anything_is_trained(tmp_path, tiny_dataset):
    members = plan_members(
        [("cnn", 0)], [0], TrainingSettings(labels="ferplus"), TrainingOptions(experiments=str(tmp_path))
    )
    with pytest.raises(UserError, match="--labels=ferplus takes FER\\+ votes, and these data have none"):
        check_data(members, tiny_dataset)


def test_a_complete_member_of_other_settings_is_refused(tmp_path):
    write_record(tmp_path / "exp_0" / "cnn_0", TrainingSettings())
    options = TrainingOptions(experiments=str(tmp_path))
    with pytest.raises(ValueError, match=r"cnn_0 was trained with other settings \(epochs: 60, not 30\)"):
        plan_members([("cnn", 0)], [0], TrainingSettings(epochs=60), options)


def test_a_complete_member_of_other_data_is_refused(tmp_path):
    write_record(tmp_path / "exp_0" / "cnn_0", TrainingSettings())
    members = plan_members([("cnn", 0)], [0], TrainingSettings(), TrainingOptions(experiments=str(tmp_path)))
    images, numbers = np.zeros((1, 48, 48), np.uint8), np.zeros(1, np.int64)
    same, other = (Dataset(images, numbers, numbers, numbers, CLASS_NAMES, name) for name in "ab")
    check_data(members, same)
    with pytest.raises(ValueError, match=r"was trained on other data \(faces.h5, 1,176 images\)"):
        check_data(members, other)


def test_the_command_spells_out_the_member_and_what_is_not_default():
    settings = TrainingSettings(model="resnet", fold=2, replica=1, epochs=60, flip=False)
    command = training_command(settings, TrainingOptions(data="fer2013.csv"))
    assert command[1:4] == ["-m", "fer_ensemble", "train"]
    assert command[4:] == [
        "--model=resnet", "--fold=2", "--replica=1", "--epochs=60", "--flip=False", "--data=fer2013.csv",
    ]  # fmt: skip


def test_the_defaults_are_left_to_the_command():
    assert training_command(TrainingSettings(), TrainingOptions())[4:] == [
        "--model=cnn",
        "--fold=0",
        "--replica=0",
    ]


def test_the_prediction_is_of_the_same_folder_and_data():
    assert prediction_command(RUNS, [0], TrainingOptions(experiments="there", data="a.csv"))[4:] == [
        "--ensemble=there",
        "--data=a.csv",
        "--folds=all",
    ]


def test_the_prediction_is_told_of_other_runs_than_the_standard_ones():
    command = prediction_command([("cnn", 0), ("resnet", 3)], [0], TrainingOptions())
    assert "--runs=cnn_0,resnet_3" in command


@pytest.mark.parametrize("pretrained", ["exp_{fold}/cnn_0", "exp_1/cnn_0/model.keras"])
def test_a_member_that_would_start_from_itself_is_refused(pretrained, tmp_path):
    settings = TrainingSettings(pretrained=str(tmp_path / pretrained))
    options = TrainingOptions(experiments=str(tmp_path), overwrite=True)
    with pytest.raises(ValueError, match=r"exp_1/cnn_0 cannot start from itself \(--pretrained\)"):
        plan_members(RUNS, [1], settings, options)
    plan_members(RUNS[1:], [1], settings, options)
