import keras
import numpy as np
import pytest
from keras import layers

from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.folding import fold_model, fold_weights
from fer_ensemble.training.settings import TrainingSettings

# Coarse squares: of fine noise, all images look alike to a network.
FACES = (
    np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1)).astype(np.uint8).repeat(12, axis=1).repeat(12, axis=2)
)


def build(model="cnn", downsampling="maxpool"):
    settings = TrainingSettings(model=model, downsampling=downsampling, width=4, input_size=24)
    network = add_softmax(build_model(settings, 7))
    randomize(network, 0)
    return network


def randomize(network, seed):
    """Gives it random weights, and statistics that suit them and are far from those of a fresh network."""
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.gamma.assign(generator.uniform(0.5, 2, channels) * generator.choice([-1, 1], channels))
            layer.beta.assign(generator.normal(size=channels))
        elif layer.weights:
            layer.set_weights([generator.normal(size=weight.shape) / 4 for weight in layer.weights])
    for _ in range(10):
        network(FACES, training=True)


def predict(network):
    return keras.ops.convert_to_numpy(network(FACES, training=False))


ARCHITECTURES = [("cnn", "maxpool"), ("resnet", "maxpool"), ("resnet", "stride")]


@pytest.mark.parametrize(("model", "downsampling"), ARCHITECTURES)
def test_a_folded_network_predicts_what_the_plain_one_does(model, downsampling):
    plain = build(model, downsampling)
    folded = fold_model(plain)
    expected = predict(plain)
    assert np.ptp(expected, axis=0).max() > 1e-2
    for seed in (0, 1):  # the second time, other weights come into the same network
        randomize(plain, seed)
        fold_weights(plain, folded)
        np.testing.assert_allclose(predict(folded), predict(plain), atol=1e-5)
    assert np.abs(predict(plain) - expected).max() > 1e-2


@pytest.mark.parametrize(("model", "downsampling"), ARCHITECTURES)
def test_it_computes_in_another_precision_between_the_grey_values_and_the_logits(model, downsampling):
    plain = build(model, downsampling)
    folded = fold_model(plain, "mixed_bfloat16")
    fold_weights(plain, folded)
    found, expected = predict(folded), predict(plain)
    assert 1e-5 < np.abs(found - expected).max() < 0.1
    computes = {layer.name.rstrip("_0123456789"): layer.compute_dtype for layer in folded.layers}
    exact = {"pixels", "rescaling", "resizing", "logits", "probabilities"}
    assert computes == {name: "float32" if name in exact else "bfloat16" for name in computes}


@pytest.mark.parametrize(("model", "downsampling"), ARCHITECTURES)
def test_nothing_is_normalised_any_more(model, downsampling):
    plain = build(model, downsampling)
    folded = fold_model(plain)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    kernels = [layer for layer in folded.layers if layer.weights]
    assert all(layer.use_bias for layer in kernels)
    assert [layer.kernel.shape for layer in kernels] == [
        layer.kernel.shape for layer in plain.layers if hasattr(layer, "kernel")
    ]


def test_the_plain_network_stays_as_it_is():
    plain = build()
    weights, expected = plain.get_weights(), predict(plain)
    fold_weights(plain, fold_model(plain))
    assert all(np.array_equal(a, b) for a, b in zip(weights, plain.get_weights(), strict=True))
    np.testing.assert_array_equal(predict(plain), expected)


def test_one_weight_by_hand():
    # 3 x = 6 normalised is (6 - 2) / 4 * 5 + 7 = 12; folded: 3 * 5 / 4 = 3.75 and 7 - 2 * 5 / 4 = 4.5.
    inputs = keras.Input((1,))
    normalization = layers.BatchNormalization(epsilon=1)
    plain = keras.Model(inputs, normalization(layers.Dense(1, use_bias=False)(inputs)))
    plain.set_weights([np.array([[3.0]]), *(np.array([value]) for value in (5.0, 7.0, 2.0, 15.0))])
    folded = fold_model(plain)
    fold_weights(plain, folded)
    kernel, bias = folded.get_weights()
    assert (kernel.item(), bias.item()) == (3.75, 4.5)
    assert keras.ops.convert_to_numpy(folded(np.array([[2.0]]))).item() == pytest.approx(12)
