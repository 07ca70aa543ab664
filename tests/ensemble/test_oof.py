"""What an ensemble says of the training images that its members did not see."""

import json
import shutil

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions
from fer_ensemble.ensemble.ensemble_file import read_record
from fer_ensemble.ensemble.oof import load_oof
from fer_ensemble.ensemble.prediction_tables import read_table
from fer_ensemble.members.predictions import read_predictions


@pytest.fixture(scope="module")
def scored(untrained, tmp_path_factory):
    """The folder of an ensemble as predict.py leaves it. Copy what you change."""
    folder = shutil.copytree(untrained, tmp_path_factory.mktemp("scored") / "ensemble")
    report_ensemble(PredictOptions(ensemble=str(folder), runs="cnn_0,resnet_0", save=True))
    return folder


@pytest.fixture
def tables(scored, tmp_path):
    """The tables alone, as results are committed."""
    for name in ("oof.csv", "scores.json"):
        shutil.copy(scored / name, tmp_path)
    return tmp_path


def ask(folder, dataset, rows=None, class_names=None, fingerprint=None):
    rows = dataset.rows[:48] if rows is None else rows
    return load_oof(folder, rows, class_names or dataset.class_names, fingerprint or dataset.fingerprint)


def test_each_image_is_predicted_by_the_members_that_held_it_out(scored, tiny_dataset):
    rows = tiny_dataset.rows[:48][::-1]
    probabilities, facts = ask(scored, tiny_dataset, rows)
    record = read_record(scored)
    expected = np.empty((48, 3))
    for position, row in enumerate(rows):
        total = np.zeros(3)
        for name, weight in record.weights.items():
            part = read_predictions(scored / name / "predictions.h5")[0]["oof"]
            if row in part.rows:
                total += weight * part.probabilities[part.rows == row][0]
        expected[position] = total / total.sum()
    np.testing.assert_allclose(probabilities, record.calibrations.held_out.apply(expected), atol=1e-9)
    assert probabilities.dtype == np.float64
    assert facts["calibration"] == vars(record.calibrations.held_out) and len(facts["ensemble_sha256"]) == 64


def test_the_table_says_the_same_to_its_six_decimals(scored, tables, tiny_dataset):
    expected, _ = ask(scored, tiny_dataset)
    found, facts = ask(tables, tiny_dataset)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert json.loads(json.dumps(facts))["oof_sha256"]


def test_a_calibrated_table_is_not_calibrated_again(scored, tables, tiny_dataset):
    expected, _ = ask(scored, tiny_dataset)
    options = PredictOptions(ensemble=str(scored), runs="cnn_0,resnet_0", calibrate=True, output=str(tables))
    report_ensemble(options)
    np.testing.assert_allclose(ask(tables, tiny_dataset)[0], expected, atol=1e-5)


def test_a_table_of_another_ensemble_is_refused(tables, tiny_dataset):
    table = read_table(tables / "oof.csv", tiny_dataset.class_names)
    lines = (tables / "oof.csv").read_text().splitlines()
    for number in range(10):
        lines[number + 1] = f"{table.rows[number]},Training,{table.labels[number]},0,0.9,0.05,0.05"
    (tables / "oof.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"must be the one that scores\.json beside it was made with"):
        ask(tables, tiny_dataset)


def test_other_data_other_classes_and_unknown_images_are_refused(scored, tables, tiny_dataset):
    for folder in (scored, tables):
        with pytest.raises(UserError, match="must be one of the same data"):
            ask(folder, tiny_dataset, fingerprint="0" * 64)
        with pytest.raises(UserError, match="must be one of the same classes"):
            ask(folder, tiny_dataset, class_names=tiny_dataset.class_names[::-1])
        with pytest.raises(UserError, match="has not row 9999 and 1 others"):
            ask(folder, tiny_dataset, rows=[9999, tiny_dataset.rows[0], 10_000])


def test_a_folder_without_results_is_told_with_what_makes_them(tmp_path, tiny_dataset):
    with pytest.raises(
        FileNotFoundError, match=r"There is no .*oof\.csv\. Score the ensemble first: python predict"
    ):
        ask(tmp_path, tiny_dataset)


def test_a_member_that_was_trained_anew_is_refused(scored, tiny_dataset, tmp_path):
    folder = shutil.copytree(scored, tmp_path / "ensemble")
    path = folder / "exp_2" / "cnn_0" / "member.json"
    record = json.loads(path.read_text())
    record["files"]["model.keras"] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"exp_2/cnn_0 is not the member that ensemble\.json names"):
        ask(folder, tiny_dataset)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("row,", "line,", "its columns are line, usage"),
        ("Training", "Validation", "usage must be among"),
        ("Training", "PublicTest", "must hold images of Training alone"),
        ("5,Training,0", "5,Training,7", "emotion must be empty or 0 to 2"),
        ("5,Training,0", "7,Training,0", "a row stands twice"),
        ("5,Training,0", "5,Training,0.5", "emotion must be"),
        ("5,Training,0", "five,Training,0", "damaged"),
        ("5,Training,0", "1e400,Training,0", "damaged"),
        ("0.", "1.", "must sum to 1"),
        ("0.", "-0.", "none negative"),
        ("0.", "nan", "damaged|must be numbers"),
    ],
)
def test_a_damaged_table_is_told_in_one_line(tables, tiny_dataset, before, after, message):
    path = tables / "oof.csv"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1 if "Training," in before or before == "row," else -1))
    with pytest.raises(UserError, match=message) as told:
        ask(tables, tiny_dataset)
    assert "oof.csv" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b"\xff\xfe\x00", b"row\n", b'"', b"[]" * 9])
def test_what_is_no_table_is_told_in_one_line(tables, tiny_dataset, content):
    (tables / "oof.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"oof\.csv must be a table as predict\.py writes it"):
        ask(tables, tiny_dataset)


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": 7},
        {"data": {}},
        {"data": []},
        {"splits": None},
        {"calibration": {"oof": {"smoothing": 2, "temperature": 1}}},
        {"calibration": {"oof": 3}},
        {"calibration": [1]},
    ],
)
def test_damaged_scores_are_told_in_one_line(tables, tiny_dataset, change):
    path = tables / "scores.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"scores\.json must be the scores of an ensemble, but is damaged"):
        ask(tables, tiny_dataset)
