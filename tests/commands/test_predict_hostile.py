"""predict.py asked for what cannot be meant, or beside what is not its own; and what it keeps of its choices."""

import json
import shutil

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.ensemble_members import gather_members, training_command
from fer_ensemble.commands.predict_options import PredictOptions, predict_photos
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.store import write_dataset
from fer_ensemble.members import directory
from tests.commands.light_members import (
    CLASSES,
    change_record,
    expect_one_line,
    list_files,
    make_member,
    predict,
    seal,
)


def test_a_folder_in_the_place_of_a_result_is_told_before_any_is_written(light_ensemble, tmp_path):
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"out/report\.html"):
        predict(light_ensemble, output=str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": "bogus_0"}, "`runs` must name runs that .* holds: cnn_0, resnet_0. Received: bogus_0."),
        ({"runs": "../../cnn_0"}, "`runs` must be names such as cnn_0. Received: ../../cnn_0."),
        ({"weights": "/dev/zero"}, "/dev/zero must be a JSON file of weights, a file"),
        ({"weights": "."}, "must be a JSON file of weights, a file"),
        ({"runs": "cnn_0,cnn_0"}, "`runs` must name each run once. Received: cnn_0 twice."),
        ({"splits": "OOF,Training"}, "`splits` must be among OOF, PublicUse and PrivateUse."),
        ({"save": True, "output": "elsewhere"}, "`save` writes ensemble.json beside the members"),
        ({"tta": "flip"}, "`tta` must be auto without `data`"),
    ],
)
def test_what_cannot_be_meant_is_told(light_ensemble, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list_files(light_ensemble)
    with pytest.raises(UserError, match=message):
        predict(light_ensemble, **options)
    assert list_files(light_ensemble) == before


@pytest.mark.parametrize("options", [{"splits": "OOF,Training"}, {"data": "other.csv"}, {"save": True}])
def test_photos_take_nothing_that_has_no_meaning_for_them(light_ensemble, options):
    options = PredictOptions(ensemble=str(light_ensemble), images="me.png", **options)
    with pytest.raises(UserError, match=r"`splits` must be among|`images` are predicted instead of `data`"):
        predict_photos(options, ["me.png"])


def write_data(path, usage, labels=None):
    images = np.random.default_rng(0).integers(0, 256, (len(usage), 48, 48), np.uint8)
    labels = np.zeros(len(usage), int) if labels is None else labels
    write_dataset(make_dataset(images, labels, np.array(usage), np.arange(len(usage)), CLASSES), path)
    return path


def test_a_folder_of_tables_alone_is_scored_again_and_left_as_it_is(light_ensemble, tmp_path, capsys):
    predict(light_ensemble, save=True)
    expected = json.loads((light_ensemble / "scores.json").read_text())
    for member in light_ensemble.glob("exp_*/*"):
        (member / directory.MODEL).unlink()
        (member / directory.PREDICTIONS).unlink()
    before = list_files(light_ensemble)
    capsys.readouterr()
    predict(light_ensemble, runs="", allow_missing=True)
    assert "They are not weighed anew" in capsys.readouterr().out
    assert list_files(light_ensemble) == before
    predict(light_ensemble, runs="", allow_missing=True, output=str(tmp_path / "out"), splits="OOF,PublicUse")
    found = json.loads((tmp_path / "out" / "scores.json").read_text())
    for name in ("oof", "PublicTest"):
        one, other = found["splits"][name], expected["splits"][name]
        assert one["ensemble"]["accuracy"] == other["ensemble"]["accuracy"]
        assert one["ensemble"]["log_loss"] == pytest.approx(other["ensemble"]["log_loss"], abs=1e-5)
        after = other["calibration"]["after"]["log_loss"]
        assert one["calibration"]["after"]["log_loss"] == pytest.approx(after, abs=1e-5)
        assert one["members"]["mean"] == 0.5  # as their records note it
    assert "PrivateTest" not in found["splits"] and (tmp_path / "out" / "report.html").is_file()
    for options in ({"weights": "equal"}, {"calibrate": True}, {"save": True}, {"runs": "cnn_0"}):
        with pytest.raises(UserError, match="no predictions of single members"):
            predict(light_ensemble, **{"runs": "", "allow_missing": True, **options})


def test_data_without_test_images_are_told_and_nothing_is_scored_in_their_name(light_ensemble, tmp_path):
    data = write_data(tmp_path / "training.h5", [0] * 9)
    expect_one_line(light_ensemble, "must have images of PublicTest or PrivateTest", "training.h5", data=str(data))


@pytest.mark.parametrize("kind", ["other classes", "other data", "damaged", "a text"])
def test_a_file_of_that_name_below_the_current_directory_is_not_taken_for_the_training_s(
    kind, light_ensemble, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "faces.h5"
    if kind == "other classes":
        images = np.zeros((2, 48, 48), np.uint8)
        write_dataset(make_dataset(images, np.zeros(2, int), np.zeros(2, int), np.arange(2), ("cat", "dog")), path)
    elif kind == "other data":
        write_data(path, [0, 1, 2])
    else:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" if kind == "damaged" else b"emotion,pixels\n")
    before = sorted((tmp_path / "data").iterdir())
    predict(light_ensemble, output=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["copies"] is None
    assert sorted((tmp_path / "data").iterdir()) == before


def test_a_record_s_data_name_leads_nowhere_else(light_ensemble, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write_data(tmp_path / "secret.h5", [0, 1, 2])
    for member in light_ensemble.glob("exp_*/*"):
        data = json.loads((member / "member.json").read_text())["data"]
        change_record(member, data={**data, "name": "../../secret.h5"})
    predict(light_ensemble, output=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["copies"] is None


def test_members_of_one_run_that_were_trained_differently_are_named(light_ensemble, tmp_path, capsys):
    settings = json.loads((light_ensemble / "exp_2" / "cnn_0" / "member.json").read_text())["settings"]
    change_record(light_ensemble / "exp_2" / "cnn_0", settings={**settings, "epochs": 7})
    predict(light_ensemble, output=str(tmp_path / "out"))
    told = capsys.readouterr().out
    assert "members of cnn_0 differ in epochs" in told and "7 in fold 2" in told
    assert "cnn_0" in json.loads((tmp_path / "out" / "scores.json").read_text())["differing_settings"]


def test_a_missing_member_is_trained_with_the_settings_of_its_own_architecture(tmp_path):
    for run, width in (("resnet18_0", 64), ("resnet_0", 16), ("cnn_0", 32), ("cnn4_0", 8)):
        for fold in range(4):
            make_member(tmp_path, fold, run, width=width, epochs=9)
    shutil.rmtree(tmp_path / "exp_3" / "resnet_0")
    with pytest.raises(
        UserError, match=r"model_train\.py --model=resnet --replica=0 --fold=3 .*--width=16 "
    ) as told:
        gather_members(str(tmp_path), "resnet18_0,resnet_0,cnn_0,cnn4_0")
    assert "--width=64" not in str(told.value)
    members, _ = gather_members(str(tmp_path), "resnet18_0,cnn_0,cnn4_0")
    command = training_command("exp_0/vgg16_1", members, "my experiments")
    # Of an architecture that nobody has: only what all share.
    assert "--width" not in command and "--epochs=9" in command and "'--experiments=my experiments'" in command


def test_weights_are_chosen_once_and_kept_until_somebody_asks(light_ensemble, tmp_path, capsys):
    predict(light_ensemble, runs="", allow_missing=True)  # cnn_1 and resnet_1 are missing: not what is meant
    assert not (light_ensemble / "ensemble.json").exists()
    predict(light_ensemble, save=True)
    saved = (light_ensemble / "ensemble.json").read_bytes()
    capsys.readouterr()
    for options in ({"weights": "equal"}, {"weights": "equal", "output": str(tmp_path / "out")}, {}):
        predict(light_ensemble, **options)
        assert (light_ensemble / "ensemble.json").read_bytes() == saved
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["weights_from"] == "equal"
    assert not (tmp_path / "out" / "ensemble.json").exists()
    predict(light_ensemble, weights="greedy", save=True)
    assert json.loads((light_ensemble / "ensemble.json").read_text())["weights_from"] == "greedy"
    predict(light_ensemble)  # auto: what was chosen
    assert json.loads((light_ensemble / "scores.json").read_text())["weights_from"] == "greedy"
    assert "weights of the runs (greedy)" in capsys.readouterr().out


def test_the_first_run_saves_what_it_chose(tmp_path):
    for run in ("cnn_0", "cnn_1", "resnet_0", "resnet_1"):
        for fold in range(4):
            make_member(tmp_path, fold, run)
    predict(tmp_path, runs="")
    saved = json.loads((tmp_path / "ensemble.json").read_text())
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {one["name"]: one["weight"] for one in saved["members"]} == scores["member_weights"]
    assert saved["calibration"]["held_out"] == scores["calibration"]["oof"]
    assert saved["calibration"]["all"] == scores["calibration"]["test"]
    assert saved["unsure_below"] == scores["unsure_below"]
    # A member that was trained anew makes it another ensemble.
    (tmp_path / "exp_0" / "cnn_0" / "model.keras").write_bytes(b"another")
    seal(tmp_path / "exp_0" / "cnn_0")
    predict(tmp_path, runs="")
    assert json.loads((tmp_path / "ensemble.json").read_text())["members"] != saved["members"]


def test_results_are_there_when_nobody_can_be_told(light_ensemble, tmp_path, monkeypatch):
    def refuse(*words, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.print", refuse)
    with pytest.raises(OSError, match="No space left"):
        predict(light_ensemble, output=str(tmp_path / "out"))
    assert (tmp_path / "out" / "scores.json").is_file() and (tmp_path / "out" / "report.html").is_file()
