"""A student of fold k learns only from networks that held out both fold k and the image."""

import dataclasses
import json

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.folds import load_folds
from fer_ensemble.data.store import load_dataset
from fer_ensemble.members.directory import member_folder
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.scoring.calibration import fit_calibration
from fer_ensemble.training import teacher
from fer_ensemble.training.member import train_member
from fer_ensemble.training.splits import split_training
from fer_ensemble.training.teacher import ask_teacher
from fer_ensemble.training.training_options import TrainingOptions

PAIRS = [(0, 1), (0, 2), (0, 3)]


@pytest.fixture(scope="module")
def teachers(tiny_data, tiny_settings, tmp_path_factory):
    """The folder of the teachers of fold 0, really trained."""
    folder = tmp_path_factory.mktemp("teachers")
    for pair in PAIRS:
        settings = dataclasses.replace(tiny_settings, fold=pair, epochs=2)
        train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(folder)))
    return folder


@pytest.fixture
def student(tiny_settings, teachers):
    return dataclasses.replace(tiny_settings, fold=0, teacher=str(teachers), teacher_share=0.5, epochs=2)


def test_a_member_may_hold_out_two_folds(teachers, tiny_data, tiny_dataset):
    folds, _ = load_folds(tiny_dataset, tiny_data)
    part = read_predictions(member_folder(teachers, (0, 2), "cnn_0") / "predictions.h5")[0]["oof"]
    labelled = tiny_dataset.labels[tiny_dataset.split(0)] >= 0
    rows = tiny_dataset.rows[tiny_dataset.split(0)]
    assert set(part.rows) == set(rows[np.isin(folds, (0, 2)) & labelled])


def test_each_image_is_taught_by_the_network_that_held_out_its_fold_and_the_students(
    student, teachers, tiny_data, tiny_dataset
):
    own, held_out, _ = split_training(tiny_dataset, tiny_data, student)
    taught, facts = ask_teacher(student, tiny_dataset, tiny_data, own)
    assert set(facts["models"]) == {"exp_0+1/cnn_0", "exp_0+2/cnn_0", "exp_0+3/cnn_0"}
    np.testing.assert_allclose(taught.sum(axis=1), 1, atol=1e-6)
    folds, _ = load_folds(tiny_dataset, tiny_data)
    fold_of = dict(zip(tiny_dataset.rows[tiny_dataset.split(0)], folds, strict=True))
    for position, probabilities in zip(own, taught, strict=True):
        row = tiny_dataset.rows[position]
        part = read_predictions(member_folder(teachers, (0, fold_of[row]), "cnn_0") / "predictions.h5")[0]["oof"]
        raw = part.probabilities[part.rows == row][0]
        assert (np.argsort(raw) == np.argsort(probabilities)).all()  # calibration keeps the order
    assert not set(own) & set(held_out)


def test_a_student_records_its_teacher_and_learns_something_else(student, tiny_data, tmp_path):
    options = TrainingOptions(data=str(tiny_data), experiments=str(tmp_path))
    train_member(student, options)
    record = json.loads((tmp_path / "exp_0" / "cnn_0" / "member.json").read_text())
    assert set(record["teacher"]) == {"models", "calibration"}
    without = dataclasses.replace(student, teacher="")
    train_member(without, dataclasses.replace(options, experiments=str(tmp_path / "without")))
    learnt, plain = (
        read_predictions(folder / "exp_0" / "cnn_0" / "predictions.h5")[0]["oof"].probabilities
        for folder in (tmp_path, tmp_path / "without")
    )
    assert np.abs(learnt - plain).max() > 1e-4


def test_a_student_goes_on_where_its_teacher_s_calibration_is_rounded_otherwise(
    student, tiny_data, tmp_path, monkeypatch, power_cut
):
    options = TrainingOptions(data=str(tiny_data), experiments=str(tmp_path))

    with power_cut():
        train_member(student, options)

    def fit(*arguments):
        fitted = fit_calibration(*arguments)
        return dataclasses.replace(fitted, temperature=fitted.temperature * (1 + 1e-15))

    monkeypatch.setattr(teacher, "fit_calibration", fit)
    train_member(student, options)
    assert (tmp_path / "exp_0" / "cnn_0" / "member.json").is_file()


def test_a_missing_teacher_is_told_with_the_command_that_trains_it(student, tiny_data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no finished teacher in .*exp_0\+1.*--folds=pairs"):
        train_member(
            dataclasses.replace(student, teacher=str(tmp_path)),
            TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)),
        )


def test_a_teacher_of_other_classes_is_refused(student, tiny_data, tmp_path):
    options = TrainingOptions(data=str(tiny_data), classes="happy,neutral", experiments=str(tmp_path))
    with pytest.raises(UserError, match="must have the data of its student, but has others"):
        train_member(student, options)


def test_the_data_are_those_of_the_fixture(tiny_data, tiny_dataset):
    assert load_dataset(tiny_data).fingerprint == tiny_dataset.fingerprint
