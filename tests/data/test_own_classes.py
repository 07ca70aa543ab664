"""People's own classes: a folder whose names are not the seven is converted, trained on and scored."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import CLASS_NAMES, PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.data.drawn_faces import draw_face
from fer_ensemble.data.store import load_dataset

# Two new expressions, by their action units: eyes closed and lips pressed; a crooked, open mouth.
OWN = {"asleep": {43: 1.0, 23: 0.5}, "Yelling": {4: 1.0, 20: 1.0, 25: 1.0, 26: 1.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """20 faces of each of two new classes, in colour, of several sizes; two of each class are copies."""
    folder = tmp_path_factory.mktemp("own") / "faces"
    random = np.random.default_rng(0)
    for name, units in OWN.items():
        (folder / name).mkdir(parents=True)
        for number in range(20):
            if number < 18:
                face = Image.fromarray(draw_face(units, random)).convert("RGB")
                face = face.resize((48 + 8 * (number % 5), 48 + 8 * (number % 5)))
            face.save(folder / name / f"{number:02}.png")  # the last three are the same
    return folder


def test_the_command_names_the_classes_and_says_how_the_splits_were_made(folder, tmp_path, python):
    result = python("-m", "fer_ensemble.data", folder, f"--output={tmp_path / 'own.h5'}")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["images", "asleep", "yelling", "unlabelled", "total"]
    assert rows[3].split() == ["all", "20", "20", "0", "40"]
    assert "The data name no splits. Made by scikit-learn's StratifiedShuffleSplit" in result.stdout
    assert "80% Training, 10% PublicTest, 10% PrivateTest" in result.stdout


def test_the_made_splits_keep_copies_together_and_the_shares_of_the_classes(folder):
    dataset = load_dataset(folder)
    assert dataset.class_names == ("asleep", "yelling")
    groups = find_copies(dataset.images)
    assert len(set(groups.tolist())) == 36
    assert all(len(set(dataset.usage[groups == group].tolist())) == 1 for group in groups)
    for usage, least, most in ((TRAINING, 14, 17), (PUBLIC_TEST, 1, 4), (PRIVATE_TEST, 1, 4)):
        counts = np.bincount(dataset.labels[dataset.usage == usage], minlength=2)
        assert (counts >= least).all() and (counts <= most).all()
    again = load_dataset(folder)
    np.testing.assert_array_equal(again.usage, dataset.usage)


def test_splits_that_folders_name_are_taken_as_they_are(tmp_path):
    for number, name in enumerate(["train/bored", "train/happy", "validation/bored", "test/happy"]):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (30, 20), number).save(tmp_path / name / "1.png")
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == ("happy", "bored")
    assert dataset.made_splits == ""
    np.testing.assert_array_equal(dataset.usage, [PRIVATE_TEST, TRAINING, TRAINING, PUBLIC_TEST])
    np.testing.assert_array_equal(dataset.labels, [0, 1, 0, 1])


def test_too_few_faces_to_test_on_are_all_training_and_that_is_said(tmp_path):
    for number, name in enumerate(["bored", "happy"]):
        (tmp_path / name).mkdir()
        Image.new("L", (30, 20), number).save(tmp_path / name / "1.png")
    dataset = load_dataset(tmp_path)
    assert (dataset.usage == TRAINING).all()
    assert dataset.made_splits.startswith("The data name no splits, and are too few")


def test_a_csv_may_name_classes_of_its_own(tmp_path):
    rows = [
        f"{name},{' '.join([str(value)] * 2304)}" for value, name in enumerate(["Bored", "happiness", "", "bored"])
    ]
    (tmp_path / "own.csv").write_text("\n".join(["label,pixels", *rows]))
    dataset = load_dataset(tmp_path / "own.csv")
    assert dataset.class_names == ("happy", "bored")
    np.testing.assert_array_equal(dataset.labels, [1, 0, -1, 1])


def test_a_folder_of_some_of_the_seven_has_all_seven_classes(tmp_path):
    for name in ("train/sad", "train/happy"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (30, 20), len(name)).save(tmp_path / name / "1.png")
    assert load_dataset(tmp_path).class_names == CLASS_NAMES


@pytest.mark.slow
def test_members_are_trained_on_own_classes_scored_and_reported(folder, tmp_path, tiny_settings, python):
    from fer_ensemble.training.member import train_member
    from fer_ensemble.training.training_options import TrainingOptions

    for fold in range(4):
        settings = dataclasses.replace(tiny_settings, fold=fold, epochs=2)
        train_member(settings, TrainingOptions(data=str(folder), experiments=str(tmp_path)))
    record = json.loads((tmp_path / "exp_0" / "cnn_0" / "member.json").read_text())
    assert record["class_names"] == ["asleep", "yelling"]
    assert record["data"]["made_splits"].startswith("The data name no splits. Made by scikit-learn")
    assert record["folds"]["splitter"] == "fer_ensemble.data.folds.assign_folds"
    result = python("predict.py", f"--ensemble={tmp_path}", "--runs=cnn_0", f"--data={folder}")
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["class_names"] == ["asleep", "yelling"]
    assert "yelling" in (tmp_path / "report.html").read_text()
