import dataclasses
import pathlib
import shutil

import h5py
import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.members import directory
from fer_ensemble.members.collection import (
    Member,
    collect_members,
    member_predictions,
)
from fer_ensemble.members.predictions import Predictions, write_predictions
from fer_ensemble.models.device import keras


def add_member(experiments, fold, run, path=None, **changes):
    """Writes a small finished member, without a network, as `train_member` would leave it."""
    model, replica = run.rsplit("_", 1)
    record = {
        "settings": {"model": model, "replica": int(replica), "fold": fold},
        "class_names": ["happy", "sad"],
        "data": {"fingerprint": "d" * 64},
        "folds": {"fingerprint": "f" * 64},
        **changes,
    }
    folder = path or directory.member_folder(experiments, fold, run)
    folder.mkdir(parents=True)
    part = Predictions(
        np.array([fold or 0]), np.zeros(1, np.int8), np.zeros(1, bool), np.array([[0.75, 0.25]], np.float32)
    )
    parts = dict.fromkeys(("oof", "PublicTest", "PrivateTest"), part)
    write_predictions(folder / "predictions.h5", parts, record["data"]["fingerprint"])
    directory.write_record(folder, record, ["predictions.h5"])
    return folder


def test_members_come_by_run_and_fold_and_the_missing_ones_by_name(tmp_path):
    for fold, run in ((1, "resnet_0"), (1, "cnn_0"), (0, "cnn_0")):
        add_member(tmp_path, fold, run)
    (tmp_path / "exp_0" / "resnet_0").mkdir()  # unfinished
    add_member(tmp_path, 0, "cnn_7")  # of no run that is asked for
    members, missing = collect_members(str(tmp_path), ["resnet_0", "cnn_0"], range(2))
    assert [member.name for member in members] == ["exp_0/cnn_0", "exp_1/cnn_0", "exp_1/resnet_0"]
    assert [(member.run, member.fold) for member in members] == [("cnn_0", 0), ("cnn_0", 1), ("resnet_0", 1)]
    assert members[1].folder == tmp_path / "exp_1" / "cnn_0"
    assert members[1].record == directory.read_record(members[1].folder)
    assert missing == ["exp_0/resnet_0"]


def test_no_folder_is_told_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*none\. `bash splitscript\.sh` trains"):
        collect_members(tmp_path / "none", ["cnn_0"], range(4))


def test_an_empty_folder_has_no_members(tmp_path):
    assert collect_members(tmp_path, ["cnn_0"], range(2)) == ([], ["exp_0/cnn_0", "exp_1/cnn_0"])


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("classes", {"class_names": ["sad", "happy"]}),
        ("data", {"data": {"fingerprint": "e" * 64}}),
        ("folds", {"folds": {"fingerprint": "e" * 64}}),
    ],
)
def test_members_that_do_not_belong_together_are_refused(what, change, tmp_path):
    add_member(tmp_path, 0, "cnn_0")
    add_member(tmp_path, 1, "cnn_0", **change)
    message = (
        rf"The members of an ensemble must share their {what}: those of .*exp_1/cnn_0 are not "
        r"those of .*exp_0/cnn_0\. "
        r"Keep the members of each data set, and of each split of it, in an --experiments folder of their own\."
    )
    with pytest.raises(ValueError, match=message):
        collect_members(tmp_path, ["cnn_0"], range(2))


@pytest.mark.parametrize("moved", [0, 1])
def test_a_moved_folder_is_refused(moved, tmp_path):
    add_member(tmp_path, 1 - moved, "cnn_0")
    add_member(tmp_path, 3, "cnn_1", path=tmp_path / f"exp_{moved}" / "cnn_0")
    message = (
        rf"exp_{moved}/cnn_0 must hold fold {moved} of cnn_0, but its record is that of fold 3 of cnn_1\. Was"
    )
    with pytest.raises(ValueError, match=message):
        collect_members(tmp_path, ["cnn_0"], range(2))


def test_a_moved_folder_is_refused_when_it_is_the_only_one(tmp_path):
    add_member(tmp_path, 3, "cnn_0", path=tmp_path / "exp_0" / "cnn_0")
    with pytest.raises(ValueError, match=r"Was the folder moved\?"):
        collect_members(tmp_path, ["cnn_0"], range(4))


def test_a_damaged_record_is_told(tmp_path):
    (add_member(tmp_path, 0, "cnn_0") / "member.json").write_text("{")
    with pytest.raises(ValueError, match=r"exp_0/cnn_0/member\.json must be the record"):
        collect_members(tmp_path, ["cnn_0"], range(1))


def test_members_that_were_trained_on_all_of_training_are_collected_alone(tmp_path):
    for fold, run in ((None, "cnn_0"), (None, "resnet_0"), (0, "cnn_0")):
        add_member(tmp_path, fold, run)
    members, missing = collect_members(tmp_path, ["cnn_0", "resnet_0", "cnn_1"], [None])
    assert [(member.name, member.fold) for member in members] == [
        ("exp_none/cnn_0", None),
        ("exp_none/resnet_0", None),
    ]
    assert missing == ["exp_none/cnn_1"]


def test_a_member_of_a_fold_is_none_that_was_trained_on_all_of_training(tmp_path):
    add_member(tmp_path, 2, "cnn_0", path=tmp_path / "exp_none" / "cnn_0")
    with pytest.raises(
        ValueError, match=r"must hold fold none of cnn_0, but its record is that of fold 2 of cnn_0\."
    ):
        collect_members(tmp_path, ["cnn_0"], [None])


def test_predictions_are_read_after_checking_their_hash(tmp_path):
    folder = add_member(tmp_path, 0, "cnn_0")
    (member,), _ = collect_members(tmp_path, ["cnn_0"], range(1))
    parts = member_predictions(member)
    np.testing.assert_array_equal(parts["oof"].probabilities, [[0.75, 0.25]])
    with h5py.File(folder / "predictions.h5", "a") as file:
        file["oof/probabilities"][0] = 0.5  # readable as ever
    with pytest.raises(ValueError, match=r"exp_0/cnn_0/predictions\.h5 is not the file that the training wrote"):
        member_predictions(member)


@pytest.fixture
def member(tiny_member, tmp_path):
    """A copy of a member that was really trained."""
    copy = pathlib.Path(shutil.copytree(tiny_member.parents[1], tmp_path / "copy")) / "exp_0" / "cnn_0"
    return Member("cnn_0", 0, copy, directory.read_record(copy))


def test_predictions_for_its_own_data_are_those_of_the_training(member, tiny_dataset):
    parts = member_predictions(member, tiny_dataset)
    assert parts.keys() == {"oof", "PublicTest", "PrivateTest"}
    assert {path.name for path in member.folder.glob("*.h5")} == {"predictions.h5"}


def test_predictions_for_other_data_are_computed_once(member, tiny_dataset, capsys):
    other = make_dataset(
        255 - tiny_dataset.images, tiny_dataset.labels, tiny_dataset.usage, tiny_dataset.rows, ("a", "b", "c")
    )
    parts = member_predictions(member, other)
    assert parts.keys() == {"PublicTest", "PrivateTest"}
    assert "exp_0/cnn_0: predicting" in capsys.readouterr().out
    (path,) = member.folder.glob("predictions-*.h5")
    model = keras.saving.load_model(member.folder / "model.keras")
    for name, part in parts.items():
        positions = other.split(("Training", "PublicTest", "PrivateTest").index(name))
        expected = model.predict(other.images[positions][..., None], verbose=0)
        np.testing.assert_allclose(part.probabilities, expected, atol=1e-5)
    written = path.stat().st_mtime_ns
    again = member_predictions(member, other)
    assert capsys.readouterr().out == "" and path.stat().st_mtime_ns == written
    for name, part in parts.items():
        np.testing.assert_array_equal(again[name].probabilities, part.probabilities)


@pytest.fixture
def other(tiny_dataset):
    """Other data, and of other classes."""
    return make_dataset(
        255 - tiny_dataset.images, tiny_dataset.labels, tiny_dataset.usage, tiny_dataset.rows, ("a", "b", "c")
    )


def test_a_new_network_never_answers_with_what_the_old_one_said(member, other):
    before = member_predictions(member, other)["PublicTest"]
    model = keras.saving.load_model(member.folder / "model.keras", compile=False)
    model.set_weights([1.5 * weight for weight in model.get_weights()])
    model.save(member.folder / "model.keras")
    directory.write_record(member.folder, member.record, [directory.MODEL, directory.PREDICTIONS])
    member = Member("cnn_0", 0, member.folder, directory.read_record(member.folder))
    after = member_predictions(member, other)["PublicTest"]
    assert np.abs(before.probabilities - after.probabilities).max() > 1e-3
    assert len(list(member.folder.glob("predictions-*.h5"))) == 2


def test_what_is_kept_without_a_key_is_of_nobody(member, other):
    wrong = Predictions(np.zeros(1, int), np.zeros(1, np.int8), np.zeros(1, bool), np.ones((1, 3), np.float32) / 3)
    parts = {"PublicTest": wrong, "PrivateTest": wrong}
    write_predictions(member.folder / f"predictions-{other.fingerprint[:12]}.h5", parts, other.fingerprint)
    assert len(member_predictions(member, other)["PublicTest"].rows) == 12
    (path,) = [path for path in member.folder.glob("predictions-*.h5") if other.fingerprint[:12] not in path.name]
    write_predictions(path, parts, other.fingerprint)  # without the model's hash
    assert len(member_predictions(member, other)["PublicTest"].rows) == 12


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_damaged_kept_predictions_are_made_anew(damage, member, other):
    expected = member_predictions(member, other)["PublicTest"].probabilities
    (path,) = member.folder.glob("predictions-*.h5")
    path.write_bytes(path.read_bytes()[:600] if damage == "cut" else b"hello")
    np.testing.assert_allclose(member_predictions(member, other)["PublicTest"].probabilities, expected, atol=1e-6)


def test_a_folder_that_cannot_be_written_serves_as_well(member, other, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("fer_ensemble.members.kept_predictions.write_predictions", refuse)
    assert len(member_predictions(member, other)["PublicTest"].rows) == 12
    assert not list(member.folder.glob("predictions-*.h5"))


@pytest.mark.parametrize("damage", ["lost", "cut", "another's"])
def test_predictions_that_are_lost_are_made_anew_where_the_data_are_given(damage, member, tiny_dataset, capsys):
    expected = member_predictions(member)
    path = member.folder / directory.PREDICTIONS
    if damage == "lost":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        write_predictions(path, {"oof": expected["oof"]}, tiny_dataset.fingerprint)
    with pytest.raises(UserError, match=r"predictions\.h5 is .* Or give the data of its training, --data"):
        member_predictions(member)
    found = member_predictions(member, tiny_dataset)
    assert "predicts them anew" in capsys.readouterr().err
    assert found.keys() == expected.keys()
    for name, part in expected.items():
        order = np.argsort(part.rows)
        np.testing.assert_array_equal(found[name].rows, part.rows[order])
        np.testing.assert_array_equal(found[name].labels, part.labels[order])
        np.testing.assert_allclose(found[name].probabilities, part.probabilities[order], atol=1e-5)


def test_whose_folds_are_not_those_of_today_cannot_predict_what_it_held_out(member, tiny_dataset):
    (member.folder / directory.PREDICTIONS).unlink()
    record = {**member.record, "folds": {**member.record["folds"], "fingerprint": "0" * 64}}
    with pytest.raises(UserError, match=r"exp_0/cnn_0: which images it held out cannot be told any more"):
        member_predictions(dataclasses.replace(member, record=record), tiny_dataset)
