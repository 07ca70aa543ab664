import keras
import numpy as np
import pytest
from keras import layers

from fer_ensemble.models import build_model
from fer_ensemble.training.settings import TrainingSettings


def build(**changes):
    return build_model(TrainingSettings(model="resnet", **{"width": 4, **changes}), 7)


def sequence(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


@pytest.mark.parametrize("downsampling", ["maxpool", "stride"])
def test_18_weighted_layers_in_four_groups_of_two_residual_blocks(downsampling):
    model = build(downsampling=downsampling)
    kernels = [layer.kernel.shape for layer in sequence(model, layers.Conv2D)]
    assert sum(kernel[:2] == (3, 3) for kernel in kernels) == 17  # the stem, and 4 x 2 x 2
    assert sum(kernel[:2] == (1, 1) for kernel in kernels) == 3  # where the channels double
    assert [layer.units for layer in sequence(model, layers.Dense)] == [7]
    sums = sequence(model, layers.Add)
    assert [layer.output.shape[-1] for layer in sums] == [4, 4, 8, 8, 16, 16, 32, 32]
    assert [layer.output.shape[1] for layer in sums] == [48, 48, 24, 24, 12, 12, 6, 6]


def test_max_pooling_halves_between_groups_and_nothing_else_does():
    model = build()
    assert len(sequence(model, layers.MaxPooling2D)) == 3
    assert {layer.strides for layer in sequence(model, layers.Conv2D)} == {(1, 1)}


def test_strides_halve_instead_in_the_first_convolution_of_a_group():
    model = build(downsampling="stride")
    assert len(sequence(model, layers.MaxPooling2D)) == 0
    strided = [tuple(layer.kernel.shape) for layer in sequence(model, layers.Conv2D) if layer.strides == (2, 2)]
    # In each group but the first: one 3x3 convolution, and the 1x1 of the shortcut.
    assert sorted(strided) == [(1, 1, 4, 8), (1, 1, 8, 16), (1, 1, 16, 32),
                               (3, 3, 4, 8), (3, 3, 8, 16), (3, 3, 16, 32)]  # fmt: skip


def test_a_block_adds_its_input():
    # Without convolutions, the first block is the rectified sum of 0 and its input: the stem's output.
    model = build()
    stem = sequence(model, layers.Activation)[0].output
    block = sequence(model, layers.Add)[0]
    for layer in sequence(model, layers.Conv2D)[1:3]:
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    before, after = keras.Model(model.input, [stem, block.output]).predict(
        np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1)), verbose=0
    )
    assert before.std() > 0.1
    np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.parametrize("width", [2, 6])
def test_channels_are_1_2_4_and_8_times_the_width(width):
    filters = [layer.filters for layer in sequence(build(width=width), layers.Conv2D)]
    assert sorted(set(filters)) == [width, 2 * width, 4 * width, 8 * width]


def test_the_convolutions_see_the_face_at_the_input_size():
    model = build(input_size=24)
    assert model.input_shape == (None, 48, 48, 1)
    assert sequence(model, layers.Conv2D)[0].output.shape == (None, 24, 24, 4)


def test_average_pooling_then_dropout_then_logits_in_float32():
    model = build(dropout=0.3)
    names = [type(layer).__name__ for layer in model.layers[-3:]]
    assert names == ["GlobalAveragePooling2D", "Dropout", "Dense"]
    assert model.layers[-2].rate == 0.3
    assert (model.output_shape, model.output.dtype) == ((None, 7), "float32")
    assert model.layers[-1].activation is keras.activations.linear
