"""predict.py on a real ensemble: its numbers, its files, and what it refuses."""

import csv
import gzip
import json
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, log_loss

from fer_ensemble.scoring.calibration import Calibration

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
RUNS = ("cnn_0", "cnn_1", "resnet_0", "resnet_1")


def read_probabilities(folder, split):
    """The 16 members' probabilities as they lie in the files, shape (members, images, classes)."""
    values = []
    for run in RUNS:
        for fold in range(4):
            with h5py.File(folder / f"exp_{fold}" / run / "predictions.h5") as file:
                values.append(file[f"{split}/probabilities"][()])
    return np.array(values)


def test_the_ensemble_is_the_average_of_its_16_members(ensemble, run_command):
    answer = run_command("predict.py", "--ensemble", ensemble, "--weights=equal")
    assert answer.returncode == 0, answer.stderr
    table = pd.read_csv(ensemble / "predictions.csv")
    assert list(table.columns) == ["row", "usage", "emotion", "predicted", *CLASSES]
    assert list(table["row"]) == list(range(840, 1176))
    for split in ("PublicTest", "PrivateTest"):
        rows = table[table["usage"] == split]
        expected = read_probabilities(ensemble, split).mean(axis=0, dtype=np.float64)
        assert np.abs(rows[CLASSES].to_numpy() - expected).max() < 1e-6
        assert list(rows["predicted"]) == list(expected.argmax(axis=1))


def test_scores_are_those_of_the_predictions_file(ensemble, run_command):
    assert run_command("predict.py", "--ensemble", ensemble).returncode == 0
    scores = json.loads((ensemble / "scores.json").read_text())
    tests = pd.read_csv(ensemble / "predictions.csv")
    oof = pd.read_csv(ensemble / "oof.csv")
    assert list(oof["row"]) == list(range(840))
    for split, table in (
        ("oof", oof),
        ("PublicTest", tests[tests["usage"] == "PublicTest"]),
        ("PrivateTest", tests[tests["usage"] == "PrivateTest"]),
    ):
        found = scores["splits"][split]["ensemble"]
        probabilities = table[CLASSES].to_numpy()
        assert found["images"] == len(table)
        assert found["accuracy"] == pytest.approx(accuracy_score(table["emotion"], table["predicted"]), abs=1e-9)
        macro_f1 = f1_score(table["emotion"], table["predicted"], average="macro", zero_division=0)
        assert found["macro_f1"] == pytest.approx(macro_f1, abs=1e-9)
        loss = log_loss(table["emotion"], probabilities / probabilities.sum(axis=1, keepdims=True))
        assert found["log_loss"] == pytest.approx(loss, abs=1e-5)  # the file has 6 decimals
        low, high = found["interval"]
        assert low < found["accuracy"] < high
    # The sample has 7 PrivateTest images that also sit in Training.
    assert scores["splits"]["PrivateTest"]["ensemble_without_copies"]["images"] == 168 - 7
    matrix = pd.read_csv(ensemble / "confusion_PublicTest.csv", index_col=0)
    assert matrix.to_numpy().sum() == 168
    assert np.trace(matrix.to_numpy()) / 168 == scores["splits"]["PublicTest"]["ensemble"]["accuracy"]
    assert Image.open(ensemble / "confusion_PublicTest.png").width > 400


def test_it_repeats_without_keras_or_tensorflow(ensemble):
    code = (
        f"import runpy, sys; sys.argv = ['predict.py', '--ensemble={ensemble}']\n"
        "try: runpy.run_path('predict.py', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


def test_the_default_weights_lower_the_oof_log_loss(ensemble, run_command, tmp_path):
    losses = {}
    for weights in ("equal", "auto"):
        output = tmp_path / weights
        answer = run_command("predict.py", "--ensemble", ensemble, f"--weights={weights}", f"--output={output}")
        assert answer.returncode == 0, answer.stderr
        scores = json.loads((output / "scores.json").read_text())
        assert sum(scores["weights"].values()) == pytest.approx(1)
        losses[scores["weights_from"]] = scores["splits"]["oof"]["ensemble"]["log_loss"]
    assert losses["oof"] <= losses["equal"]


def test_each_way_to_weigh_is_shown_beside_equal_weights(ensemble, run_command, tmp_path):
    found = {}
    for weights in ("greedy", "public"):
        answer = run_command("predict.py", "--ensemble", ensemble, f"--weights={weights}", f"--output={tmp_path}")
        assert answer.returncode == 0, answer.stderr
        scores = json.loads((tmp_path / "scores.json").read_text())
        assert list(scores["weightings"]) == ["equal", "oof", "greedy", "public"]
        assert scores["weightings"][weights]["weights"] == scores["weights"]
        for split in ("oof", "PublicTest"):
            chosen = scores["weightings"][weights][split]
            assert chosen["accuracy"] == scores["splits"][split]["ensemble"]["accuracy"]
            gained = chosen["accuracy"] - scores["weightings"]["equal"][split]["accuracy"]
            assert chosen["versus_equal"]["difference"] == pytest.approx(gained, abs=1e-12)
        found[weights] = scores["weightings"]
    assert found["greedy"] == found["public"]
    losses = {weighting: values["PublicTest"]["log_loss"] for weighting, values in found["public"].items()}
    assert min(losses, key=losses.get) == "public"


def test_calibrated_probabilities_have_a_smaller_oof_log_loss_and_the_same_classes(
    ensemble, run_command, tmp_path
):
    tables = {}
    for flag in ("--nocalibrate", "--calibrate"):
        answer = run_command("predict.py", "--ensemble", ensemble, flag, f"--output={tmp_path}")
        assert answer.returncode == 0, answer.stderr
        predictions = pd.read_csv(tmp_path / "predictions.csv")
        tables[flag] = {
            "oof": pd.read_csv(tmp_path / "oof.csv"),
            "PublicTest": predictions.query("usage == 'PublicTest'"),
        }
    scores = json.loads((tmp_path / "scores.json").read_text())
    losses = {}
    for split in ("oof", "PublicTest"):
        plain, calibrated = (found[split] for found in tables.values())
        assert list(plain["predicted"]) == list(calibrated["predicted"])
        losses[split] = []
        for table in (plain, calibrated):
            probabilities = table[CLASSES].to_numpy()
            probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
            losses[split].append(log_loss(table["emotion"], probabilities))
        calibration = scores["splits"][split]["calibration"]
        expected = [calibration["before"]["log_loss"], calibration["after"]["log_loss"]]
        assert losses[split] == pytest.approx(expected, abs=1e-5)
    assert losses["oof"][1] < losses["oof"][0]
    # More members are averaged for a test image: less sure, and the temperature lower.
    assert scores["calibration"]["test"]["temperature"] < scores["calibration"]["oof"]["temperature"]


def test_all_pairs_are_compared_and_all_likely_wrong_labels_listed(ensemble, run_command):
    assert run_command("predict.py", "--ensemble", ensemble).returncode == 0
    pairs = pd.read_csv(ensemble / "comparisons.csv").query("split == 'PublicTest'")
    assert len(pairs) == 21 * 20 / 2  # the ensemble, 4 runs, 16 members
    scores = json.loads((ensemble / "scores.json").read_text())["splits"]["PublicTest"]
    against = pairs.query("first == 'ensemble' and second == 'exp_0/cnn_0'").iloc[0]
    expected = scores["ensemble"]["accuracy"] - scores["scores"]["exp_0/cnn_0"]["accuracy"]
    assert against["difference"] == pytest.approx(expected, abs=1e-6)
    doubted = pd.read_csv(ensemble / "likely_wrong_labels.csv")
    oof = pd.read_csv(ensemble / "oof.csv").set_index("row")
    assert (doubted["label"] != doubted["suggested"]).all()
    assert [CLASSES[label] for label in oof.loc[doubted["row"], "emotion"]] == list(doubted["label"])


def test_three_classes_flow_from_the_training_to_the_report(run_command, tmp_path):
    flags = ["--epochs=1", "--width=4", "--input_size=16", "--batch_size=32", "--warmup=0"]
    flags += ["--classes=happy,sad,neutral", "--runs=cnn_0", "--folds=0", f"--experiments={tmp_path}"]
    data = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
    answer = run_command("splitscript.sh", f"--data={data}", *flags)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    answer = run_command("predict.py", "--ensemble", tmp_path, "--runs=cnn_0", "--allow_missing", f"--data={data}")
    assert answer.returncode == 0, answer.stderr
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns) == ["row", "usage", "emotion", "predicted", "happy", "sad", "neutral"]
    assert set(table["emotion"]) == {0, 1, 2}
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert [one["name"] for one in scores["splits"]["oof"]["classes"]] == ["happy", "sad", "neutral"]
    page = (tmp_path / "report.html").read_text()
    assert "one of 3 expressions" in page and "disgust" not in page
    assert "data:image/png;base64," in page


def test_weights_from_a_file_decide(ensemble, run_command, tmp_path):
    weights = tmp_path / "weights.json"
    weights.write_text('{"cnn_0": 0, "cnn_1": 0, "resnet_0": 1, "resnet_1": 3}')
    answer = run_command("predict.py", "--ensemble", ensemble, f"--weights={weights}")
    assert answer.returncode == 0, answer.stderr
    members = read_probabilities(ensemble, "PublicTest").reshape(4, 4, 168, 7).mean(axis=1, dtype=np.float64)
    table = pd.read_csv(ensemble / "predictions.csv").query("usage == 'PublicTest'")
    assert np.abs(table[CLASSES].to_numpy() - (members[2] + 3 * members[3]) / 4).max() < 1e-6


@pytest.mark.parametrize("splits", ["PublicUse", "PublicTest", "publicuse"])
def test_public_use_and_public_test_are_the_same(ensemble, run_command, splits):
    answer = run_command("predict.py", "--ensemble", ensemble, f"--splits={splits}", f"--output={ensemble / 'o'}")
    assert answer.returncode == 0, answer.stderr
    assert set(pd.read_csv(ensemble / "o" / "predictions.csv")["usage"]) == {"PublicTest"}
    assert not (ensemble / "o" / "oof.csv").exists()


def test_a_missing_member_is_named_with_the_command_that_trains_it(ensemble, run_command):
    (ensemble / "exp_2/cnn_1/member.json").unlink()
    answer = run_command("predict.py", "--ensemble", ensemble)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "1 of 16 members are missing or unfinished: exp_2/cnn_1" in answer.stderr
    assert "python model_train.py --model=cnn --replica=1 --fold=2" in answer.stderr
    assert "--width=4" in answer.stderr  # as its relatives


def test_allow_missing_goes_on_and_says_so_everywhere(ensemble, run_command):
    (ensemble / "exp_2/cnn_1/member.json").unlink()
    answer = run_command("predict.py", "--ensemble", ensemble, "--allow_missing")
    assert answer.returncode == 0, answer.stderr
    assert "MISSING, and not in these results: exp_2/cnn_1" in answer.stdout
    scores = json.loads((ensemble / "scores.json").read_text())
    assert scores["missing"] == ["exp_2/cnn_1"]
    assert len(scores["members"]) == 15
    # Out of fold, the ensemble is only where every run has a prediction.
    assert 0 < scores["splits"]["oof"]["ensemble"]["images"] < 840


def test_damaged_predictions_are_named(ensemble, run_command):
    path = ensemble / "exp_1/resnet_0/predictions.h5"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    answer = run_command("predict.py", "--ensemble", ensemble)
    assert answer.returncode == 1
    assert f"{path} is not the file that the training wrote" in answer.stderr


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("class_names", ["angry", "happy"], "share their classes"),
        ("data", {"name": "other.h5", "images": 9, "fingerprint": "0" * 64}, "share their data"),
        ("folds", {"folds": 4, "seed": 1, "fingerprint": "0" * 64}, "share their folds"),
    ],
)
def test_members_that_do_not_belong_together_are_refused(ensemble, run_command, key, value, message):
    path = ensemble / "exp_3/resnet_1/member.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    answer = run_command("predict.py", "--ensemble", ensemble)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert message in answer.stderr
    assert "exp_3/resnet_1" in answer.stderr


def test_other_data_is_predicted_by_the_networks_and_unlabelled_images_are_not_scored(
    ensemble, run_command, tmp_path
):
    # The sample without the labels of PrivateTest, and without its Training images.
    other = tmp_path / "other.csv"
    with gzip.open(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", "rt", newline="") as source:
        rows = [row for row in csv.reader(source) if row[2] != "Training"]
    with other.open("w", newline="") as file:
        csv.writer(file).writerows([("" if row[2] == "PrivateTest" else row[0], *row[1:]) for row in rows])
    command = (
        "predict.py",
        "--ensemble",
        ensemble,
        "--runs=resnet_0",
        f"--data={other}",
        "--splits=PublicUse,PrivateUse",
        "--precision=float32",
    )
    answer = run_command(*command)
    assert answer.returncode == 0, answer.stderr
    scores = json.loads((ensemble / "scores.json").read_text())["splits"]
    assert scores["PrivateTest"]["ensemble"] is None
    assert scores["PublicTest"]["ensemble"]["images"] == 168
    table = pd.read_csv(ensemble / "predictions.csv")
    assert table.query("usage == 'PrivateTest'")["emotion"].isna().all()
    # The same images: what the networks say now is what they said after their training.
    expected = np.concatenate(
        [read_probabilities(ensemble, split)[8:12].mean(axis=0) for split in ("PublicTest", "PrivateTest")]
    )
    assert np.abs(table[CLASSES].to_numpy() - expected).max() < 1e-5
    again = run_command(*command)
    assert "predicting" in answer.stdout
    assert "predicting" not in again.stdout  # kept beside the member


def test_views_of_the_training_data_are_predicted_out_of_fold_too(ensemble, run_command):
    command = ("predict.py", "--ensemble", ensemble, "--runs=cnn_0,resnet_0", "--weights=oof")
    plain = run_command(*command)
    plain_oof = pd.read_csv(ensemble / "oof.csv")
    answer = run_command(*command, f"--data={REPOSITORY / 'data' / 'sample.csv.gz'}", "--tta=flip")
    assert (plain.returncode, answer.returncode) == (0, 0), answer.stderr
    oof = pd.read_csv(ensemble / "oof.csv")
    assert list(oof["row"]) == list(plain_oof["row"]) == list(range(840))
    change = np.abs(oof[CLASSES] - plain_oof[CLASSES]).to_numpy().max(axis=1)
    assert np.mean(change > 1e-6) > 0.9
    scores = json.loads((ensemble / "scores.json").read_text())
    assert (scores["tta"], scores["oof_tta"]) == ("flip", "flip")
    assert "views: flip (out of fold: flip)" in answer.stdout
    assert len(list(ensemble.glob("exp_*/*/predictions-*.h5"))) == 8


def test_photos_of_any_kind_are_predicted_and_unreadable_ones_named(ensemble, run_command, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    with gzip.open(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", "rt", newline="") as source:
        row = list(csv.reader(source))[1 + 840]  # the first PublicTest image
    face = np.array(row[1].split(), np.uint8).reshape(48, 48)
    Image.fromarray(face).save(photos / "grey.png")
    Image.fromarray(face).convert("RGB").resize((200, 160)).save(tmp_path / "colour.jpg")
    (photos / "broken.jpg").write_bytes(b"no picture")
    answer = run_command(
        "predict.py",
        "--ensemble",
        ensemble,
        "--runs=cnn_0",
        "--precision=float32",
        "--faces=whole",
        "--images",
        tmp_path / "colour.jpg",
        photos,
    )
    assert answer.returncode == 0, answer.stderr
    assert "not read: expected a readable picture" in answer.stdout and "1 could not be read" in answer.stderr
    table = pd.read_csv(ensemble / "photos.csv", index_col="file")
    assert len(table) == 3 and table["expression"].notna().sum() == 2
    # The 48x48 face is the PublicTest image itself, and what is said of it is calibrated.
    expected = read_probabilities(ensemble, "PublicTest")[:4, 0].mean(axis=0, dtype=np.float64)
    run_command("predict.py", "--ensemble", ensemble, "--runs=cnn_0", f"--output={tmp_path / 'cnn_0'}")
    chosen = json.loads((tmp_path / "cnn_0" / "scores.json").read_text())["calibration"]["test"]
    expected = Calibration(**chosen).apply(expected[None])[0]
    assert np.abs(table.loc[str(photos / "grey.png"), CLASSES].to_numpy(float) - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--ensemble={empty}"], "must hold finished members"),
        (["--ensemble={empty}/none"], "There is no folder"),
        (["--ensemble={ensemble}", "--weights={empty}/none.json"], "There is no file of weights"),
        (["--ensemble={ensemble}", "--splits=Training"], "`splits` must be among OOF, PublicUse and PrivateUse"),
        (["--ensemble={ensemble}", "--data={empty}/none.csv"], "none.csv does not exist"),
        (["--ensemble={ensemble}", "--images", "{empty}/none.jpg"], "There is no photo or folder"),
        (["--ensemble={ensemble}", "--images", "{empty}"], "must name at least one readable photo"),
        (["--ensemble={ensemble}", "--output={ensemble}/scores.json/there"], "Not a directory"),
        (["--ensemble={ensemble}", "--tta=flip"], "`tta` must be none without `data`"),
        (["--ensemble={ensemble}", "photo.jpg"], "takes photos only after --images"),
        (["--network=x.onnx", "--weights=equal"], "`network` alone takes --splits, --data and --output"),
        (["--network={empty}/none.keras"], "No such file"),
    ],
)
def test_bad_input_gets_one_line(trained, run_command, tmp_path, flags, message):
    flags = [flag.format(empty=tmp_path, ensemble=trained[0]) for flag in flags]
    answer = run_command("predict.py", *flags)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert message in answer.stderr
