import dataclasses
import json

import numpy as np
import pytest

from fer_ensemble.training.batches import TrainingBatches, class_weights
from fer_ensemble.training.member import train_member
from fer_ensemble.training.settings import TrainingOptions, TrainingSettings

LABELS = np.array([0] * 16 + [1] * 4 + [2] * 4)


def test_balanced_classes_weigh_the_same_and_sqrt_is_half_way():
    # 24 images of 3 classes: 8 / 16 and 8 / 4; square roots of 1/4 and 1, over their mean of 16/4 + 8 = 12 to 24.
    np.testing.assert_allclose(class_weights(LABELS, 3, "balanced"), [0.5, 2, 2])
    np.testing.assert_allclose(class_weights(LABELS, 3, "sqrt"), [0.75, 1.5, 1.5])


def test_a_class_without_images_does_no_harm():
    for kind in ("balanced", "sqrt"):
        weights = class_weights(LABELS, 5, kind)
        assert np.isfinite(weights).all() and weights[LABELS].mean() == pytest.approx(1)


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.1}, {"mixup": 0.5, "cutmix": 1.0}])
def test_a_mixed_image_counts_as_its_labels_do(changes):
    settings = TrainingSettings(batch_size=8, **{"label_smoothing": 0.0, **changes})
    plain = TrainingBatches(LABELS, 3, settings, seed=0)
    weighted = TrainingBatches(LABELS, 3, dataclasses.replace(settings, class_weight="balanced"), seed=0)
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
