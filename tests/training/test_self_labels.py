import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.training.self_labels import MOMENTUM, SelfLabelledLoss, SelfLabels, accuracy

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]], np.float32)
TARGETS = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def loss_of(joined):
    return ops.convert_to_numpy(SelfLabelledLoss(reduction=None)(TARGETS, joined))


def cross_entropy(targets):
    return -(targets * np.log(PROBABILITIES)).sum(axis=1)


def test_before_it_begins_the_label_is_the_target():
    layer = SelfLabels(5, 3, 0.5, begin=2)
    positions = np.array([3, 1], np.int32)
    for _ in range(2):
        np.testing.assert_allclose(
            loss_of(layer([LOGITS, positions], training=True)), cross_entropy(TARGETS), 1e-5
        )
    assert np.abs(loss_of(layer([LOGITS, positions], training=True)) - cross_entropy(TARGETS)).max() > 0.1


def test_then_the_mean_of_what_was_said_of_an_image_has_its_share():
    layer = SelfLabels(5, 3, 0.4, begin=0)
    said = [PROBABILITIES, PROBABILITIES[::-1]]
    layer([LOGITS, np.array([3, 1], np.int32)], training=True)
    layer([LOGITS[::-1], np.array([3, 1], np.int32)], training=True)
    mean = (MOMENTUM * said[0] + said[1]) / (MOMENTUM + 1)
    found = loss_of(layer([LOGITS, np.array([3, 1], np.int32)], training=False))
    np.testing.assert_allclose(found, cross_entropy(0.6 * TARGETS + 0.4 * mean), rtol=1e-5)


def test_an_image_that_was_not_seen_keeps_its_label():
    layer = SelfLabels(5, 3, 0.5, begin=0)
    layer([LOGITS, np.array([3, 1], np.int32)], training=True)
    found = loss_of(layer([LOGITS, np.array([0, 3], np.int32)], training=True))
    expected = cross_entropy(np.stack([TARGETS[0], 0.5 * TARGETS[1] + 0.5 * PROBABILITIES[0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_only_training_moves_the_means():
    layer = SelfLabels(5, 3, 0.5, begin=0)
    layer([LOGITS, np.array([3, 1], np.int32)], training=False)
    assert not ops.convert_to_numpy(layer.means).any() and int(layer.step) == 0


def test_the_accuracy_is_that_of_the_logits():
    joined = SelfLabels(5, 3, 0.5, begin=0)([LOGITS, np.array([3, 1], np.int32)], training=False)
    assert ops.convert_to_numpy(accuracy(TARGETS, joined)).tolist() == [0, 1]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_no_gradient_flows_through_what_was_said(share):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are asked of TensorFlow")
    import tensorflow as tf

    layer, logits = SelfLabels(5, 3, share, begin=0), tf.Variable(LOGITS)
    layer([LOGITS[::-1], np.array([3, 1], np.int32)], training=True)
    with tf.GradientTape() as tape:
        loss = SelfLabelledLoss(reduction="sum")(
            TARGETS, layer([logits, np.array([3, 1], np.int32)], training=True)
        )
    expected = PROBABILITIES - ((1 - share) * TARGETS + share * PROBABILITIES[::-1])
    np.testing.assert_allclose(tape.gradient(loss, logits).numpy(), expected, atol=1e-5)
