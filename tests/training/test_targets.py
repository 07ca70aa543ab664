import dataclasses
import json

import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import VOTE_NAMES
from fer_ensemble.data.store import write_dataset
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.member import train_member
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.targets import choose_targets, class_weights
from fer_ensemble.training.training_options import TrainingOptions

LABELS = np.array([0] * 16 + [1] * 4 + [2] * 4)
CLASSES = ("happy", "surprise", "neutral")
VOTES = np.array(
    [  # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, no face
        [0, 6, 2, 0, 0, 0, 0, 0, 1, 1],  # 6 to 2; single votes do not count
        [5, 0, 0, 5, 0, 0, 0, 0, 0, 0],  # sadness is none of the classes, but no more than neutral
        [2, 0, 0, 8, 0, 0, 0, 0, 0, 0],  # mostly sad: the label stands
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # no face: the label stands
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],  # nobody agrees: the label stands
    ],
    np.uint8,
)


def test_the_targets_are_the_labels_or_the_shares_of_the_votes():
    labels = np.array([2, 0, 1, 1, 0])
    plain = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]]
    np.testing.assert_array_equal(choose_targets(labels, VOTES, CLASSES, "fer2013"), plain)
    voted = [[0.75, 0.25, 0], [0, 0, 1], *plain[2:]]
    np.testing.assert_array_equal(choose_targets(labels, VOTES, CLASSES, "ferplus"), voted)


def test_without_votes_there_are_no_shares_of_them():
    with pytest.raises(ValueError, match=r"takes FER\+ votes, .* --data=fer2013\.csv,fer2013new\.csv"):
        choose_targets(np.array([0]), None, CLASSES, "ferplus")


def test_balanced_classes_weigh_the_same_and_sqrt_is_half_way():
    # 24 images of 3 classes: 8 / 16 and 8 / 4; square roots of 1/4 and 1, over their mean of 16/4 + 8 = 12 to 24.
    np.testing.assert_allclose(class_weights(np.eye(3)[LABELS], "balanced"), [0.5, 2, 2])
    np.testing.assert_allclose(class_weights(np.eye(3)[LABELS], "sqrt"), [0.75, 1.5, 1.5])


def test_a_class_without_images_does_no_harm():
    for kind in ("balanced", "sqrt"):
        weights = class_weights(np.eye(5)[LABELS], kind)
        assert np.isfinite(weights).all() and weights[LABELS].mean() == pytest.approx(1)


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.1}, {"mixup": 0.5, "cutmix": 1.0}])
def test_a_mixed_image_counts_as_its_labels_do(changes):
    settings = TrainingSettings(batch_size=8, **{"label_smoothing": 0.0, **changes})
    plain = TrainingBatches(np.eye(3)[LABELS], settings, seed=0)
    weighted = TrainingBatches(np.eye(3)[LABELS], dataclasses.replace(settings, class_weight="balanced"), seed=0)
    log_probabilities = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 8))
    for step in range(3):
        (inputs, _), (same, targets, weights) = plain[step], weighted[step]
        np.testing.assert_array_equal(inputs["positions"], same["positions"])
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        labels = LABELS[inputs["positions"]]
        clean = (1 - settings.label_smoothing) * np.eye(3) + settings.label_smoothing / 3
        losses = -(clean[labels] * log_probabilities).sum(axis=1) * np.array([0.5, 2, 2])[labels]
        if not changes.get("mixup"):
            np.testing.assert_allclose(-(targets * log_probabilities).sum(axis=1) * weights, losses, rtol=1e-5)
        else:
            partners = np.roll(labels, -1)
            class_weight = np.array([0.5, 2, 2])
            own = plain[step][1][np.arange(8), labels]  # where the partner is of another class
            expected = own * class_weight[labels] + (1 - own) * class_weight[partners]
            mixed = labels != partners
            np.testing.assert_allclose(weights[mixed], expected[mixed], rtol=1e-5)


def test_a_member_trains_with_weights(tiny_data, tiny_settings, tmp_path):
    settings = dataclasses.replace(tiny_settings, class_weight="sqrt", epochs=1)
    train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)))
    record = json.loads((tmp_path / "exp_0" / "cnn_0" / "member.json").read_text())
    assert record["settings"]["class_weight"] == "sqrt"


def test_a_member_learns_what_the_voters_say(tiny_dataset, tiny_settings, tmp_path):
    votes = np.zeros((len(tiny_dataset.labels), 10), np.uint8)
    votes[:, VOTE_NAMES.index("surprise")] = 10  # in every face, whatever its label
    arrays = (getattr(tiny_dataset, name) for name in ("images", "labels", "usage", "rows", "class_names"))
    write_dataset(make_dataset(*arrays, votes=votes), tmp_path / "voted.h5")
    settings = dataclasses.replace(tiny_settings, labels="ferplus")
    train_member(settings, TrainingOptions(data=str(tmp_path / "voted.h5"), experiments=str(tmp_path)))
    parts, _ = read_predictions(tmp_path / "exp_0" / "cnn_0" / "predictions.h5")
    assert (parts["oof"].probabilities.argmax(axis=1) == tiny_dataset.class_names.index("surprise")).all()
    assert parts["oof"].probabilities[:, tiny_dataset.class_names.index("surprise")].mean() > 0.7
