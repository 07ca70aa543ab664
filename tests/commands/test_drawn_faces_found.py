"""From the drawn sample to its faces in pictures: train, load, find; the answers are those for the faces alone."""

import numpy as np
import pytest

import fer_ensemble
from fer_ensemble.data.bundled import SAMPLE_FILE
from fer_ensemble.data.dataset import PUBLIC_TEST, TRAINING
from fer_ensemble.ensemble.keras_network import KerasNetwork
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.training.member import train_member
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from tests.drawn import sample_dataset, say_the_same_in_pictures


@pytest.fixture(scope="module")
def member(tmp_path_factory):
    """The folder of a network that learnt drawn faces, shifted and turned as by default."""
    folder = tmp_path_factory.mktemp("drawn")
    # Epochs enough: after 20, one such network said of 85 in 100 found faces what it said of the face alone.
    settings = TrainingSettings(
        width=16, input_size=24, epochs=40, batch_size=32, tta="flip", precision="float32", deterministic=True
    )
    train_member(settings, TrainingOptions(data=str(SAMPLE_FILE), experiments=str(folder)))
    return folder / "exp_0" / "cnn_0"


@pytest.fixture(scope="module")
def classifier(member):
    return fer_ensemble.load(member / directory.MODEL)


def test_a_loaded_member_averages_the_views_that_its_own_predictions_average(member):
    network = KerasNetwork(member / directory.MODEL, "float32")
    sample = sample_dataset()
    parts, _ = read_predictions(member / directory.PREDICTIONS)
    expected = parts["PublicTest"].probabilities
    np.testing.assert_allclose(network.predict(sample.images[sample.split(PUBLIC_TEST)]), expected, atol=1e-5)


def test_drawn_faces_show_in_pictures_what_they_show_alone(classifier):
    sample = sample_dataset()
    held_out = sample.usage != TRAINING
    faces, labels = sample.images[held_out], sample.labels[held_out]
    alone = classifier.predict(faces).argmax(axis=1)
    same = say_the_same_in_pictures(classifier, faces)
    assert np.mean(alone == labels) > 0.8  # else the answers below would mean little
    assert np.mean(same) > 0.9
