import keras
import numpy as np
import pytest
from keras import layers

from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.folding import fold_model, fold_weights
from fer_ensemble.models.layers import set_pixel_statistics
from fer_ensemble.training.settings import MODELS, TrainingSettings

FACES = (
    np.random.default_rng(0).uniform(0, 255, (4, 6, 6, 1)).astype(np.float32).repeat(8, axis=1).repeat(8, axis=2)
)


def build(model, fast=False, **changes):
    return build_model(TrainingSettings(model=model, **{"width": 4, **changes}), 7, fast)


@pytest.fixture(scope="module", params=MODELS)
def network(request):
    """A network of three channels, by the statistics of a data set, with weights far from fresh ones."""
    keras.utils.set_random_seed(0)
    model = add_softmax(
        build(request.param, input_channels=3, pixel_statistics="dataset", activation="leaky_relu")
    )
    set_pixel_statistics(model, 120.0, 60.0)
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) and layer.trainable:
            layer.gamma.assign(generator.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(generator.normal(size=layer.beta.shape))
            layer.momentum = 0.0  # the statistics are those of the next batch
    model(FACES, training=True)
    return model


def predict(model):
    return keras.ops.convert_to_numpy(model(FACES, training=False))


def test_folded_it_predicts_the_same(network):
    folded = fold_model(network)
    fold_weights(network, folded)
    kept = [layer.name for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert kept == ["pixel_statistics"]
    assert np.ptp(predict(network), axis=0).max() > 1e-3
    np.testing.assert_allclose(predict(folded), predict(network), atol=1e-5)


def test_saved_and_loaded_it_predicts_the_same(network, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)
    np.testing.assert_allclose(predict(loaded), predict(network), atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_from_grey_values_to_logits(model):
    network = build(model, activation="elu")
    activations = [layer for layer in network.layers if isinstance(layer, layers.Activation)]
    assert {layer.activation.__name__ for layer in activations} == {"elu"}
    assert (network.input_shape, network.output_shape) == ((None, 48, 48, 1), (None, 7))
    assert network.name == model and network.output.dtype == "float32"
    stem = next(layer for layer in network.layers if isinstance(layer, layers.Conv2D))
    assert stem.kernel.shape[2] == 1


@pytest.mark.parametrize("model", ["resnet9", "cnn4", "resnet18", "vgg16_bn"])  # the others are their code
def test_the_network_that_is_trained_has_the_same_weights_in_the_same_order(model):
    names = [[(weight.name, weight.shape) for weight in build(model, fast).weights] for fast in (False, True)]
    assert names[0] == names[1]


def channels(model, **changes):
    return [layer.filters for layer in build(model, **changes).layers if isinstance(layer, layers.Conv2D)]


def test_resnet9_has_eight_convolutions_and_two_residual_connections():
    model = build("resnet9")
    order = "".join(
        {layers.Conv2D: "c", layers.MaxPooling2D: "P", layers.Add: "+", layers.GlobalMaxPooling2D: "M"}.get(
            type(layer), ""
        )
        for layer in model.layers
    )
    assert order == "ccPcc+cPcPcc+M"
    assert channels("resnet9") == [4, 8, 8, 8, 16, 32, 32, 32]
    # At the published width and one channel: 1, 2, 2 x 2, 4, 8 and 2 x 8 times 64, normalised, and 7 logits.
    width = 64
    kernels = 9 * width * (1 + width * (2 + 2 * 4 + 2 * 4 + 4 * 8 + 2 * 64))
    total = kernels + 4 * width * (1 + 3 * 2 + 4 + 3 * 8) + 7 * (8 * width + 1)
    assert build("resnet9", width=width).count_params() == total


def test_resnet9_adds_the_input_of_two_convolutions():
    model = build("resnet9")
    add = next(layer for layer in model.layers if isinstance(layer, layers.Add))
    for layer in [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)][2:4]:
        layer.gamma.assign(0 * layer.gamma)  # so that they say 0
    pooled = next(layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D))
    before, after = keras.Model(model.input, [pooled.output, add.output])(FACES)
    assert keras.ops.std(before) > 0.01
    np.testing.assert_array_equal(before, after)


def test_cnn4_has_four_convolutions_each_with_pooling_and_dropout_and_a_dense_layer():
    model = build("cnn4", dropout=0.3)
    letters = {layers.Conv2D: "c", layers.MaxPooling2D: "P", layers.Dropout: "d", layers.Dense: "D"}
    order = "".join(letters.get(type(layer), "") for layer in model.layers)
    assert order == "cPdcPdcPdcPd" + "DdD"
    assert channels("cnn4") == [4, 8, 16, 32]
    assert {layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)} == {0.3}


def test_vgg_halves_five_times_and_takes_mean_and_maximum():
    model = build("vgg16_bn", input_size=160)
    pools = [layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]
    assert len(pools) == 5 and pools[-1].output.shape == (None, 5, 5, 32)
    dense = next(layer for layer in model.layers if isinstance(layer, layers.Dense))
    found, pooled = keras.Model(model.input, [dense.input, pools[-1].output])(FACES, training=False)
    pooled = keras.ops.convert_to_numpy(pooled)
    expected = np.concatenate([pooled.mean(axis=(1, 2)), pooled.max(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)
    assert dense.units == 8 * 4


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu"])
def test_every_activation(activation):
    network = build("cnn4", activation=activation)
    inner = keras.Model(network.input, network.layers[-3].output)
    found = keras.ops.convert_to_numpy(inner(FACES, training=True))
    assert (found.min() < -1e-3) == (activation != "relu") and found.max() > 0.1


def test_the_data_set_s_statistics_give_mean_0_and_deviation_1():
    model = build("resnet9", pixel_statistics="dataset", input_channels=3)
    set_pixel_statistics(model, FACES.mean(), FACES.std())
    seen = keras.Model(model.input, model.get_layer("pixel_statistics").output)
    values = keras.ops.convert_to_numpy(seen(FACES, training=True))
    assert values.shape == (4, 48, 48, 3)
    np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=(0, 1, 2)), 1, atol=1e-4)
    # They are no part of what is learnt, and training leaves them alone.
    assert not any("pixel_statistics" in variable.path for variable in model.trainable_variables)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(seen(FACES, training=False)), values, atol=1e-6)


def test_images_of_one_grey_have_statistics_too():
    model = build("cnn", pixel_statistics="dataset")
    set_pixel_statistics(model, 100.0, 0.0)
    assert np.isfinite(keras.ops.convert_to_numpy(model(FACES))).all()
