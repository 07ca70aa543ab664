"""predict.py on a real ensemble: its numbers, its files, and what it refuses.

Most of it is asked within this process, of the folder that splitscript.sh left with the results of a default run.
What the command line adds is asked as a command.
"""

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

from fer_ensemble.base.errors import EXPECTED_ERRORS, UserError
from fer_ensemble.commands.predict import parse_splits, report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions, predict_photos
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


def predict(folder, output="", **options):
    report_ensemble(PredictOptions(ensemble=str(folder), output=str(output), **options))


def read_scores(folder):
    return json.loads((folder / "scores.json").read_text())


@pytest.fixture(scope="module")
def equal(trained, run_command, tmp_path_factory):
    """The folder of the results with equal weights."""
    output = tmp_path_factory.mktemp("equal")
    answer = run_command("predict.py", "--ensemble", trained[0], "--weights=equal", f"--output={output}")
    assert answer.returncode == 0, answer.stderr
    return output


def test_the_ensemble_is_the_average_of_its_16_members(trained, equal):
    table = pd.read_csv(equal / "predictions.csv")
    assert list(table.columns) == ["row", "usage", "emotion", "predicted", *CLASSES]
    assert list(table["row"]) == list(range(840, 1176))
    for split in ("PublicTest", "PrivateTest"):
        rows = table[table["usage"] == split]
        expected = read_probabilities(trained[0], split).mean(axis=0, dtype=np.float64)
        assert np.abs(rows[CLASSES].to_numpy() - expected).max() < 1e-6
        assert list(rows["predicted"]) == list(expected.argmax(axis=1))


def test_scores_are_those_of_the_predictions_file(trained):
    ensemble, _ = trained
    scores = read_scores(ensemble)
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


def test_it_repeats_without_keras_or_tensorflow(trained, tmp_path):
    code = (
        f"import runpy, sys; sys.argv = ['predict.py', '--ensemble={trained[0]}', '--output={tmp_path}']\n"
        "try: runpy.run_path('predict.py', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


def test_the_default_weights_lower_the_oof_log_loss(trained, equal):
    losses = {}
    for folder in (trained[0], equal):
        scores = read_scores(folder)
        assert sum(scores["weights"].values()) == pytest.approx(1)
        losses[scores["weights_from"]] = scores["splits"]["oof"]["ensemble"]["log_loss"]
    assert losses["oof"] <= losses["equal"]


def test_each_way_to_weigh_is_shown_beside_equal_weights(trained, tmp_path):
    found = {}
    for weights in ("greedy", "public"):
        predict(trained[0], tmp_path, weights=weights)
        scores = read_scores(tmp_path)
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


def test_calibrated_probabilities_have_a_smaller_oof_log_loss_and_the_same_classes(trained, tmp_path, capsys):
    predict(trained[0], tmp_path, calibrate=True)
    printed = capsys.readouterr().out
    scores = read_scores(tmp_path)
    losses = {}
    for split, file in (("oof", "oof.csv"), ("PublicTest", "predictions.csv")):
        plain, calibrated = (
            table[table["usage"] != "PrivateTest"]
            for table in map(pd.read_csv, (trained[0] / file, tmp_path / file))
        )
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
    assert f"calibrated, OOF: log-loss {losses['oof'][1]:.4f}, " in printed
    assert f"calibrated, PublicUse: log-loss {losses['PublicTest'][1]:.4f}, " in printed
    # More members are averaged for a test image: less sure, and the temperature lower.
    assert scores["calibration"]["test"]["temperature"] < scores["calibration"]["oof"]["temperature"]


def test_all_pairs_are_compared_and_all_likely_wrong_labels_listed(trained):
    ensemble, _ = trained
    pairs = pd.read_csv(ensemble / "comparisons.csv").query("split == 'PublicTest'")
    assert len(pairs) == 21 * 20 / 2  # the ensemble, 4 runs, 16 members
    scores = read_scores(ensemble)["splits"]["PublicTest"]
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


def test_weights_from_a_file_decide(trained, tmp_path):
    weights = tmp_path / "weights.json"
    weights.write_text('{"cnn_0": 0, "cnn_1": 0, "resnet_0": 1, "resnet_1": 3}')
    predict(trained[0], tmp_path, weights=str(weights))
    members = read_probabilities(trained[0], "PublicTest").reshape(4, 4, 168, 7).mean(axis=1, dtype=np.float64)
    table = pd.read_csv(tmp_path / "predictions.csv").query("usage == 'PublicTest'")
    assert np.abs(table[CLASSES].to_numpy() - (members[2] + 3 * members[3]) / 4).max() < 1e-6


def test_public_use_and_public_test_are_the_same(trained, tmp_path):
    assert parse_splits("PublicUse") == parse_splits("PublicTest") == parse_splits("publicuse") == ["PublicTest"]
    predict(trained[0], tmp_path, splits="PublicUse")
    assert set(pd.read_csv(tmp_path / "predictions.csv")["usage"]) == {"PublicTest"}
    assert not (tmp_path / "oof.csv").exists()


def test_a_missing_member_is_named_with_the_command_that_trains_it_and_may_be_gone_without(ensemble, capsys):
    (ensemble / "exp_2/cnn_1/member.json").unlink()
    with pytest.raises(UserError) as told:
        predict(ensemble)
    assert "1 of 16 members are missing or unfinished: exp_2/cnn_1" in str(told.value)
    assert "python model_train.py --model=cnn --replica=1 --fold=2" in str(told.value)
    assert "--width=4" in str(told.value)  # as its relatives
    predict(ensemble, allow_missing=True)
    assert "MISSING, and not in these results: exp_2/cnn_1" in capsys.readouterr().out
    scores = read_scores(ensemble)
    assert scores["missing"] == ["exp_2/cnn_1"]
    assert len(scores["members"]) == 15
    # Out of fold, the ensemble is only where every run has a prediction.
    assert 0 < scores["splits"]["oof"]["ensemble"]["images"] < 840


def test_damaged_predictions_are_named(ensemble):
    path = ensemble / "exp_1/resnet_0/predictions.h5"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"exp_1/resnet_0/predictions.h5 is not the file that the training wrote"):
        predict(ensemble)


def test_members_that_do_not_belong_together_are_refused(ensemble):
    path = ensemble / "exp_3/resnet_1/member.json"
    record = json.loads(path.read_text())
    for key, value, message in (
        ("class_names", ["angry", "happy"], "share their classes"),
        ("data", {"name": "other.h5", "images": 9, "fingerprint": "0" * 64}, "share their data"),
        ("folds", {"folds": 4, "seed": 1, "fingerprint": "0" * 64}, "share their folds"),
    ):
        path.write_text(json.dumps({**record, key: value}))
        with pytest.raises(UserError, match=message) as told:
            predict(ensemble)
        assert "exp_3/resnet_1" in str(told.value)


def test_other_data_is_predicted_by_the_networks_and_unlabelled_images_are_not_scored(ensemble, tmp_path, capsys):
    # The sample without the labels of PrivateTest, and without its Training images.
    other = tmp_path / "other.csv"
    with gzip.open(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", "rt", newline="") as source:
        rows = [row for row in csv.reader(source) if row[2] != "Training"]
    with other.open("w", newline="") as file:
        csv.writer(file).writerows([("" if row[2] == "PrivateTest" else row[0], *row[1:]) for row in rows])
    options = {"runs": "resnet_0", "data": str(other), "splits": "PublicUse,PrivateUse", "precision": "float32"}
    predict(ensemble, **options)
    assert "predicting" in capsys.readouterr().out
    scores = read_scores(ensemble)["splits"]
    assert scores["PrivateTest"]["ensemble"] is None
    assert scores["PublicTest"]["ensemble"]["images"] == 168
    table = pd.read_csv(ensemble / "predictions.csv")
    assert table.query("usage == 'PrivateTest'")["emotion"].isna().all()
    # The same images: what the networks say now is what they said after their training.
    expected = np.concatenate(
        [read_probabilities(ensemble, split)[8:12].mean(axis=0) for split in ("PublicTest", "PrivateTest")]
    )
    assert np.abs(table[CLASSES].to_numpy() - expected).max() < 1e-5
    predict(ensemble, **options)
    assert "predicting" not in capsys.readouterr().out  # kept beside the member


def test_views_of_the_training_data_are_predicted_out_of_fold_too(ensemble, tmp_path, capsys):
    options = {"runs": "cnn_0,resnet_0", "weights": "oof"}
    predict(ensemble, tmp_path, **options)
    plain_oof = pd.read_csv(tmp_path / "oof.csv")
    predict(ensemble, data=str(REPOSITORY / "data" / "sample.csv.gz"), tta="flip", **options)
    oof = pd.read_csv(ensemble / "oof.csv")
    assert list(oof["row"]) == list(plain_oof["row"]) == list(range(840))
    change = np.abs(oof[CLASSES] - plain_oof[CLASSES]).to_numpy().max(axis=1)
    assert np.mean(change > 1e-6) > 0.9
    scores = read_scores(ensemble)
    assert (scores["tta"], scores["oof_tta"]) == ("flip", "flip")
    assert "views: flip (out of fold: flip)" in capsys.readouterr().out
    assert len(list(ensemble.glob("exp_*/*/predictions-*.h5"))) == 8


def test_photos_of_any_kind_are_predicted_and_unreadable_ones_named(trained, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    with gzip.open(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", "rt", newline="") as source:
        row = list(csv.reader(source))[1 + 840]  # the first PublicTest image
    face = np.array(row[1].split(), np.uint8).reshape(48, 48)
    Image.fromarray(face).save(photos / "grey.png")
    Image.fromarray(face).convert("RGB").resize((200, 160)).save(tmp_path / "colour.jpg")
    (photos / "broken.jpg").write_bytes(b"no picture")
    options = {"ensemble": str(trained[0]), "runs": "cnn_0", "output": str(tmp_path / "cnn_0")}
    chosen = PredictOptions(precision="float32", faces="whole", **options)
    assert not predict_photos(chosen, [tmp_path / "colour.jpg", photos])
    told = capsys.readouterr()
    assert "not read: expected a readable picture" in told.out and "1 could not be read" in told.err
    table = pd.read_csv(tmp_path / "cnn_0" / "photos.csv", index_col="file")
    assert len(table) == 3 and table["expression"].notna().sum() == 2
    # The 48x48 face is the PublicTest image itself, and what is said of it is calibrated.
    expected = read_probabilities(trained[0], "PublicTest")[:4, 0].mean(axis=0, dtype=np.float64)
    report_ensemble(PredictOptions(**options))
    expected = Calibration(**read_scores(tmp_path / "cnn_0")["calibration"]["test"]).apply(expected[None])[0]
    assert np.abs(table.loc[str(photos / "grey.png"), CLASSES].to_numpy(float) - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": "{empty}"}, "must hold finished members"),
        ({"ensemble": "{empty}/none"}, "There is no folder"),
        ({"weights": "{empty}/none.json"}, "There is no file of weights"),
        ({"splits": "Training"}, "`splits` must be among OOF, PublicUse and PrivateUse"),
        ({"data": "{empty}/none.csv"}, "none.csv does not exist"),
        ({"images": "{empty}/none.jpg"}, "There is no photo or folder"),
        ({"images": "{empty}"}, "must name at least one readable photo"),
        ({"tta": "flip"}, "`tta` must be auto without `data`"),
    ],
)
def test_bad_input_is_told(trained, tmp_path, options, message):
    options = {name: value.format(empty=tmp_path) for name, value in options.items()}
    chosen = PredictOptions(**{"ensemble": str(trained[0]), **options})
    with pytest.raises(EXPECTED_ERRORS, match=message):
        predict_photos(chosen, [chosen.images]) if chosen.images else report_ensemble(chosen)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--ensemble={ensemble}", "--output={ensemble}/scores.json/there"], "Not a directory"),
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
