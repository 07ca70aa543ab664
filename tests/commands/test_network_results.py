"""One network scored with the tables and the page of an ensemble: alone, and beside one."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.network_results import load_single, report_network
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions
from fer_ensemble.ensemble.ensemble_file import read_record
from fer_ensemble.members.predictions import read_predictions

TESTS = ["PublicTest", "PrivateTest"]


@pytest.fixture(scope="module")
def scored(untrained, tmp_path_factory):
    """The folder of a saved ensemble."""
    folder = shutil.copytree(untrained, tmp_path_factory.mktemp("scored") / "ensemble")
    report_ensemble(PredictOptions(ensemble=str(folder), runs="cnn_0,resnet_0", save=True))
    return folder


def test_a_network_alone_gets_the_same_tables_and_page(scored, tiny_data, tmp_path, capsys):
    model = scored / "exp_1" / "resnet_0" / "model.keras"
    report_network(load_single(str(model)), ["oof", *TESTS], str(tiny_data), str(tmp_path / "out"))
    told = capsys.readouterr().out
    assert "exp_1/resnet_0/model.keras" in told and "PublicUse" in told and "OOF" not in told
    part = read_predictions(model.with_name("predictions.h5"))[0]["PublicTest"]
    accuracy = float((part.probabilities.argmax(axis=1) == part.labels).mean())
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["splits"]["PublicTest"]["ensemble"]["accuracy"] == pytest.approx(accuracy)
    assert scores["splits"]["PrivateTest"]["ensemble_without_copies"]["images"] == 11  # one is a copy
    # One network of a run has the calibration that was chosen for such.
    calibrated = read_record(scored).calibrations.single["resnet_0"].apply(part.probabilities)
    table = pd.read_csv(tmp_path / "out" / "predictions.csv").query("usage == 'PublicTest'")
    np.testing.assert_allclose(table[["happy", "surprise", "neutral"]], calibrated, atol=2e-2)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h1>Facial expressions by exp_1/resnet_0/model.keras</h1>" in page
    assert "How often do members disagree" not in page and "Learning curves" not in page


def test_a_network_stands_beside_the_ensemble_and_is_compared_with_it(scored, tiny_data, tmp_path, capsys):
    model = scored / "exp_1" / "resnet_0" / "model.keras"
    options = {"ensemble": str(scored), "runs": "cnn_0,resnet_0", "network": str(model), "data": str(tiny_data)}
    report_ensemble(PredictOptions(output=str(tmp_path), **options))
    name = "exp_1/resnet_0/model.keras"
    assert name in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())
    part = scores["splits"]["PublicTest"]
    assert part["scores"][name]["accuracy"] == part["scores"]["exp_1/resnet_0"]["accuracy"]
    assert name not in scores["splits"]["oof"]["scores"]  # it may have been trained on these
    assert any(name in (pair["first"], pair["second"]) for pair in part["comparisons"])
    assert scores["networks"][name]["sha256"] == scores["model_hashes"]["exp_1/resnet_0"]
    assert f"<th>{name}</th>" in (tmp_path / "report.html").read_text()


def test_without_output_nothing_is_written(scored, tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report_network(load_single(str(scored / "exp_0" / "cnn_0" / "model.keras")), TESTS, str(tiny_data), "")
    assert list(tmp_path.iterdir()) == []


def test_what_a_network_lacks_is_told(scored, tiny_data, tmp_path):
    model = scored / "exp_0" / "cnn_0" / "model.keras"
    with pytest.raises(UserError, match="`network` takes the images: give them with --data"):
        report_network(load_single(str(model)), TESTS, "", "")
    with pytest.raises(UserError, match="must have images of PublicTest or PrivateTest"):
        report_network(load_single(str(model)), ["oof"], str(tiny_data), "")
    with pytest.raises(UserError, match="the file of one network"):
        load_single(str(scored))
    with pytest.raises(FileNotFoundError):
        load_single(str(tmp_path / "none.keras"))
    alone = shutil.copy(model, tmp_path / "alone.keras")
    with pytest.raises(UserError, match="tells 3 classes apart, whose names are not known"):
        load_single(str(alone))
    pixels = keras.Input((48, 48, 1))
    answers = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(pixels))
    keras.Model(pixels, answers).save(alone)
    assert load_single(str(alone)).network.class_names[0] == "angry"
