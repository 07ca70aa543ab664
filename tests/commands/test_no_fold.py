"""A member trained on all of Training, from splitscript.sh to its scores; and the learning-rate finder."""

import csv
import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from fer_ensemble.commands.ensemble_members import gather_members
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions, predict_photos
from fer_ensemble.members import directory

TINY = ["--epochs=1", "--width=4", "--input_size=16", "--batch_size=32", "--warmup=0"]
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


@pytest.fixture(scope="module")
def alone(run_command, tmp_path_factory):
    """The folder of an ensemble of one member that was trained on all of Training, and the command's answer."""
    folder = tmp_path_factory.mktemp("alone") / "experiments"
    flags = ["--data=data/sample.csv.gz", f"--experiments={folder}", "--folds=none", "--runs=cnn_0"]
    return folder, run_command("splitscript.sh", *flags, *TINY)


@pytest.fixture
def copy(alone, tmp_path):
    return shutil.copytree(alone[0], tmp_path / "copy")


def test_it_trains_one_member_per_run_on_all_images_and_predicts(alone):
    folder, answer = alone
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert "1 of 1 members complete" in answer.stdout
    member = folder / "exp_none" / "cnn_0"
    assert [path.parent for path in folder.glob("*/*/member.json")] == [member]
    assert "cnn_0, fold none: 840 images to train on, 0 held out" in (member / "train.log").read_text()
    record = directory.read_record(member)
    assert record["settings"]["fold"] is None and record["metrics"]["oof"] is None
    with (member / "history.csv").open() as file:
        assert [row["val_loss"] for row in csv.DictReader(file)] == [""]
    with h5py.File(member / "predictions.h5") as file:
        assert len(file["oof/rows"]) == 0
        expected = file["PublicTest/probabilities"][()]
    table = pd.read_csv(folder / "predictions.csv")
    np.testing.assert_allclose(table[table["usage"] == "PublicTest"][CLASSES], expected, atol=1e-6)


def test_what_needs_images_that_were_held_out_is_left_out(alone):
    folder, answer = alone
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["splits"].keys() == {"PublicTest", "PrivateTest"} and scores["calibration"] is None
    assert list(scores["weightings"]) == ["equal", "public"] and scores["weights_from"] == "equal"
    assert not (folder / "oof.csv").exists() and not (folder / "likely_wrong_labels.csv").exists()
    page = (folder / "report.html").read_text()
    assert "trained on all training images" in page and "<th>fold none</th>" in page
    assert "calibration" not in answer.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "oof"}, "`weights` oof needs images that were held out, but no member held any out"),
        ({"weights": "greedy"}, "`weights` greedy needs images that were held out"),
        ({"calibrate": True}, "`calibrate` needs images that were held out"),
        ({"splits": "OOF"}, "`splits` must name images that the members predicted. Received: OOF"),
        ({"folds": "all"}, "15 of 16 members are missing|must hold finished members"),
    ],
)
def test_what_takes_images_that_were_held_out_is_told(copy, change, message):
    with pytest.raises(ValueError, match=message):
        report_ensemble(PredictOptions(ensemble=str(copy), **change))


def test_photos_are_predicted_but_not_calibrated(copy, tmp_path):
    from PIL import Image

    Image.fromarray(np.full((60, 60), 99, np.uint8)).save(tmp_path / "face.png")
    with pytest.raises(ValueError, match="`calibrate` needs images that were held out"):
        predict_photos(PredictOptions(ensemble=str(copy), calibrate=True), [tmp_path / "face.png"])
    predict_photos(PredictOptions(ensemble=str(copy), faces="whole"), [tmp_path / "face.png"])
    assert len(pd.read_csv(copy / "photos.csv")) == 1


def test_members_of_folds_and_of_none_never_vote_together(copy):
    (copy / "exp_0" / "cnn_0").mkdir(parents=True)
    message = (
        r"holds members of folds, .* and members of none, exp_none/.* Choose with --folds=all or --folds=none\."
    )
    with pytest.raises(ValueError, match=message):
        gather_members(str(copy))
    members, missing = gather_members(str(copy), folds="none")
    assert [member.name for member in members] == ["exp_none/cnn_0"] and missing == []


def test_the_finder_suggests_a_learning_rate_and_touches_no_member(copy, run_command):
    member = copy / "exp_none" / "cnn_0"
    before = {path: path.read_bytes() for path in member.iterdir()}
    flags = ["--fold=none", "--optimizer=adamw", "--find_learning_rate", "--find_steps=40"]
    answer = run_command("model_train.py", "--data=data/sample.csv.gz", f"--experiments={copy}", *flags, *TINY)
    assert answer.returncode == 0, answer.stderr
    assert "cnn_0, fold none: 40 steps on 840 images, learning rates 1e-06 to 10" in answer.stdout
    assert "step 4/40  learning rate 3.46e-06  loss " in answer.stdout  # 1e-6 * 1e7^(3/39)
    assert {path: path.read_bytes() for path in member.iterdir()} == before
    assert not list(copy.glob("exp_*/*/state.npz"))
    with (copy / "learning_rate" / "exp_none-cnn_0.csv").open() as file:
        rows = [[float(value) for value in row.values()] for row in csv.DictReader(file)]
    rates, losses, smoothed = np.array(rows).T
    np.testing.assert_allclose(rates, 1e-6 * 1e7 ** (np.arange(len(rates)) / 39), rtol=1e-4)
    assert np.isfinite(losses).all() and 1 < losses[0] < 4  # log(7) is 1.95
    assert smoothed[0] == pytest.approx(losses[:3].mean(), abs=1e-4)
    assert (copy / "learning_rate" / "exp_none-cnn_0.png").read_bytes().startswith(b"\x89PNG")
    assert "Try --learning_rate=" in answer.stdout or "no learning rate to suggest" in answer.stdout


def test_the_finder_refuses_too_few_steps(run_command):
    answer = run_command("model_train.py", "--find_learning_rate", "--find_steps=5")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "model_train.py: error: `find_steps` must be at least 20. Received: 5.\n"
