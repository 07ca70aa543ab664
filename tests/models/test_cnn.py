import keras
import numpy as np
import pytest
from keras import layers

from fer_ensemble.models import build_model
from fer_ensemble.training.settings import TrainingSettings


def build(**changes):
    return build_model(TrainingSettings(model="cnn", **{"width": 4, **changes}), 7)


def sequence(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def test_groups_of_4_3_and_2_convolutions_each_end_in_max_pooling():
    order = sequence(build(), layers.Conv2D, layers.MaxPooling2D)
    assert "".join("P" if isinstance(layer, layers.MaxPooling2D) else "c" for layer in order) == "ccccPcccPccP"
    assert {layer.kernel_size for layer in order if isinstance(layer, layers.Conv2D)} == {(3, 3)}


@pytest.mark.parametrize("width", [4, 6])
def test_channels_and_features_are_multiples_of_the_width(width):
    model = build(width=width)
    filters = [layer.filters for layer in sequence(model, layers.Conv2D)]
    assert filters == 4 * [width] + 3 * [2 * width] + 2 * [4 * width]
    assert [layer.units for layer in sequence(model, layers.Dense)] == [8 * width, 4 * width, 7]


def test_every_convolution_is_normalised_and_has_no_bias():
    model = build()
    assert len(sequence(model, layers.BatchNormalization)) == 9 + 2
    assert not any(layer.use_bias for layer in sequence(model, layers.Conv2D))


def test_dropout_comes_before_each_dense_layer():
    model = build(dropout=0.3)
    order = [type(layer).__name__ for layer in sequence(model, layers.Dropout, layers.Dense)]
    assert order == 3 * ["Dropout", "Dense"]
    assert [layer.rate for layer in sequence(model, layers.Dropout)] == [0.3] * 3


@pytest.mark.parametrize(("input_size", "cells"), [(48, 36), (24, 9), (16, 4)])
def test_the_convolutions_see_the_face_at_the_input_size(input_size, cells):
    model = build(input_size=input_size)
    assert model.input_shape == (None, 48, 48, 1)
    assert sequence(model, layers.Conv2D)[0].output.shape == (None, input_size, input_size, 4)
    # Three times halved, 16 channels.
    assert sequence(model, layers.Flatten)[0].output.shape == (None, 16 * cells)


def test_the_output_are_logits_in_float32():
    model = build()
    assert (model.output_shape, model.output.dtype) == ((None, 7), "float32")
    assert model.layers[-1].activation is keras.activations.linear
    logits = model.predict(np.random.default_rng(0).uniform(0, 255, (8, 48, 48, 1)), verbose=0)
    assert logits.min() < 0 and not np.allclose(logits.sum(axis=1), 1)
