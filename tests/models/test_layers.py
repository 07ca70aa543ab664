import keras
import numpy as np
import pytest
from keras import layers, ops

from fer_ensemble.models.layers import (
    FastNormalization,
    FusedBatchNormalization,
    PlainNormalization,
    logits_layer,
    normalized_convolution,
    pixels_to_features,
)

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has the fused kernel"
)
# Features far from mean 0 and variance 1, one row of channels in each of several scales.
GENERATOR = np.random.default_rng(0)
FEATURES = (GENERATOR.normal(size=(6, 5, 4, 3)) * [0.5, 2, 8] + [1, -3, 0.2]).astype(np.float32)
UPSTREAM = GENERATOR.normal(size=FEATURES.shape).astype(np.float32)
PARAMETERS = [
    np.array(values, np.float32) for values in ([1.5, 0.5, -2], [0.1, -1, 3], [0.8, -2, 1], [0.4, 3, 50])
]


def make_pair(dtype, **arguments):
    pair = []
    for kind in (layers.BatchNormalization, FusedBatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-3, dtype=dtype, **arguments)
        layer.build(FEATURES.shape)
        layer.set_weights(PARAMETERS)
        pair.append(layer)
    return pair


def run_layer(layer, training):
    """Returns output, gradients to input, gamma and beta, and the new moving statistics, as float32 arrays."""
    import tensorflow as tf

    inputs = tf.cast(FEATURES, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        goal = tf.reduce_sum(tf.cast(outputs, "float32") * UPSTREAM)
    gradients = tape.gradient(goal, [inputs, layer.gamma.value, layer.beta.value])
    assert outputs.dtype == inputs.dtype
    values = {"outputs": outputs, **dict(zip(("inputs", "gamma", "beta"), gradients, strict=True))}
    values |= {"moving mean": layer.moving_mean, "moving variance": layer.moving_variance}
    return {name: ops.convert_to_numpy(ops.cast(value, "float32")) for name, value in values.items()}


@on_tensorflow
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("mixed_bfloat16", 2e-2)])
def test_the_fused_layer_does_what_keras_own_does(dtype, tolerance, training):
    plain, fused = (run_layer(layer, training) for layer in make_pair(dtype))
    for name, expected in plain.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(fused[name], expected, atol=tolerance * scale, err_msg=name)


@on_tensorflow
def test_the_moving_statistics_by_hand():
    # momentum 0.9: a tenth of the batch's mean and of its variance over n, not over n - 1.
    _, fused = make_pair("float32")
    fused(FEATURES, training=True)
    mean, variance = FEATURES.mean(axis=(0, 1, 2)), FEATURES.var(axis=(0, 1, 2))
    np.testing.assert_allclose(fused.moving_mean, 0.9 * PARAMETERS[2] + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, 0.9 * PARAMETERS[3] + 0.1 * variance, rtol=1e-5)


@pytest.mark.parametrize("training", [None, False])
def test_without_training_the_moving_statistics_stay(training):
    _, fused = make_pair("float32")
    outputs = ops.convert_to_numpy(fused(FEATURES, training=training))
    gamma, beta, mean, variance = PARAMETERS
    np.testing.assert_allclose(outputs, (FEATURES - mean) / np.sqrt(variance + 1e-3) * gamma + beta, atol=1e-5)
    for weight, value in zip(fused.get_weights(), PARAMETERS, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics():
    plain, fused = make_pair("float32")
    for layer in (plain, fused):
        layer.trainable = False
    expected = plain(FEATURES, training=True)
    np.testing.assert_allclose(fused(FEATURES, training=True), expected, atol=1e-5)
    np.testing.assert_array_equal(fused.moving_mean, PARAMETERS[2])


def test_other_inputs_take_keras_own_path():
    flat = FEATURES.reshape(-1, 3)
    plain, fused = layers.BatchNormalization(), FusedBatchNormalization()
    np.testing.assert_allclose(fused(flat, training=True), plain(flat, training=True), atol=1e-6)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, atol=1e-6)


def test_weights_and_configuration_are_those_of_keras_own():
    plain, fused = make_pair("float32")
    assert fused.get_config().keys() == plain.get_config().keys()
    assert [weight.name for weight in fused.weights] == [weight.name for weight in plain.weights]
    assert [weight.shape for weight in fused.weights] == [weight.shape for weight in plain.weights]


def test_plain_and_fast_differ_in_the_kernel_only():
    plain, fast = PlainNormalization(), FastNormalization()
    assert type(plain) is layers.BatchNormalization and type(fast) is FusedBatchNormalization
    assert (plain.momentum, plain.epsilon) == (fast.momentum, fast.epsilon) == (0.9, 1e-5)


def test_a_unit_is_convolution_normalisation_and_activation():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, normalized_convolution(inputs, 5, PlainNormalization, strides=2))
    assert [type(layer).__name__ for layer in model.layers[1:]] == ["Conv2D", "BatchNormalization", "Activation"]
    assert model.output_shape == (None, 4, 4, 5)
    linear = keras.Model(inputs, normalized_convolution(inputs, 5, PlainNormalization, activation=None))
    assert type(linear.layers[-1]).__name__ == "BatchNormalization"


def test_pixels_become_minus_one_to_one_inside():
    model = keras.Model(*pixels_to_features(48))
    images = np.zeros((1, 48, 48, 1))
    images[0, 0, :3, 0] = 0, 127.5, 255
    features = model.predict(images, verbose=0)
    np.testing.assert_allclose(features[0, 0, :3, 0], [-1, 0, 1], atol=1e-6)
    assert features.shape == (1, 48, 48, 1)


def test_the_model_resizes_by_itself():
    # Half the size: each pixel is the mean of four.
    images = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1))
    features = keras.Model(*pixels_to_features(24)).predict(images, verbose=0)
    expected = images.reshape(2, 24, 2, 24, 2).mean(axis=(2, 4)) / 127.5 - 1
    np.testing.assert_allclose(features[..., 0], expected, atol=1e-5)


def test_rescaling_and_logits_are_float32_under_every_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        pixels, features = pixels_to_features(24)
        assert (pixels.dtype, features.dtype) == ("float32", "float32")
        assert logits_layer(3)(layers.Flatten()(features)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)
