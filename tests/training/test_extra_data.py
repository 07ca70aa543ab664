"""Further images are learnt from, and nothing that is held out or tested on comes in with them."""

import dataclasses
import json

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.bundled import SAMPLE_FILE
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import CLASS_NAMES, TRAINING
from fer_ensemble.data.store import write_dataset
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.training.extra_data import read_extra_data
from fer_ensemble.training.learning_rate_search import run_range_test
from fer_ensemble.training.member import train_member
from fer_ensemble.training.splits import split_training
from fer_ensemble.training.training_options import TrainingOptions
from tests.drawn import sample_dataset


@pytest.fixture
def own(tiny_dataset, tiny_data, tiny_settings):
    return split_training(tiny_dataset, tiny_data, tiny_settings)[0]


def test_its_training_images_of_the_same_classes_come_without_what_is_held_out_or_tested_on(
    tiny_dataset, own, capsys
):
    images, labels, facts = read_extra_data(str(SAMPLE_FILE), tiny_dataset, own)
    sample = sample_dataset()
    kept = [CLASS_NAMES.index(name) for name in tiny_dataset.class_names]
    unseen = {image.tobytes() for image in np.delete(tiny_dataset.images, own, axis=0)}
    expected = [
        (image.tobytes(), kept.index(label))
        for image, label, usage in zip(sample.images, sample.labels, sample.usage, strict=True)
        if usage == TRAINING and label in kept and image.tobytes() not in unseen
    ]
    assert list(zip([image.tobytes() for image in images], labels, strict=True)) == expected
    assert facts["images"] == len(expected) < np.isin(sample.labels[sample.usage == TRAINING], kept).sum()
    assert "images are left out: held out, or for testing" in capsys.readouterr().out


def test_a_member_learns_from_them_and_records_them(tiny_settings, tiny_member, tiny_data, tmp_path):
    settings = dataclasses.replace(tiny_settings, extra_data=str(SAMPLE_FILE))
    train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)))
    folder = tmp_path / "exp_0" / "cnn_0"
    record = json.loads((folder / "member.json").read_text())
    assert record["extra_data"]["images"] > 300
    learnt, plain = (read_predictions(one / "predictions.h5")[0]["oof"] for one in (folder, tiny_member))
    assert (learnt.rows == plain.rows).all()  # held out are the data set's own alone
    right = [(part.probabilities.argmax(axis=1) == part.labels).mean() for part in (learnt, plain)]
    assert right[0] > right[1]


def test_a_begun_training_goes_on_with_the_same_ones_only(tiny_settings, tiny_data, tmp_path, power_cut):
    sample = sample_dataset()
    path = tmp_path / "more.h5"
    settings = dataclasses.replace(tiny_settings, epochs=1, extra_data=str(path))
    options = TrainingOptions(data=str(tiny_data), experiments=str(tmp_path))

    def write(images):
        rows = np.arange(len(images))
        write_dataset(make_dataset(images, sample.labels[rows], sample.usage[rows], rows, CLASS_NAMES), path)

    write(sample.images[:100])
    with power_cut():
        train_member(settings, options)
    write(sample.images[:99])
    with pytest.raises(UserError, match=r"begun with another --extra_data than .* is now"):
        train_member(settings, options)
    missing = dataclasses.replace(settings, extra_data=str(tmp_path / "none.csv"))
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):  # and loses nothing
        train_member(missing, dataclasses.replace(options, overwrite=True))
    assert (tmp_path / "exp_0" / "cnn_0" / "state.npz").is_file()
    write(sample.images[:100])
    train_member(settings, options)
    assert (tmp_path / "exp_0" / "cnn_0" / "member.json").is_file()


def test_data_with_nothing_to_learn_from_are_refused(tiny_dataset, tiny_data, own):
    with pytest.raises(UserError, match="labelled Training images that are not held out"):
        read_extra_data(str(tiny_data), tiny_dataset, own[:0])


def test_data_that_lack_a_class_are_refused(tiny_data):
    with pytest.raises(UserError, match="angry"):
        read_extra_data(str(tiny_data), sample_dataset(), np.arange(5))


def test_the_search_for_a_learning_rate_learns_from_them_too(tiny_settings, tiny_dataset, tiny_data, own, capsys):
    images = len(own) + len(read_extra_data(str(SAMPLE_FILE), tiny_dataset, own)[0])
    settings = dataclasses.replace(tiny_settings, extra_data=str(SAMPLE_FILE))
    run_range_test(settings, TrainingOptions(data=str(tiny_data)), steps=2)
    assert f"2 steps on {images:,} images" in capsys.readouterr().out
