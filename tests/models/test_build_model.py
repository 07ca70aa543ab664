import subprocess
import sys

import keras
import numpy as np
import pytest

from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.layers import FusedBatchNormalization
from fer_ensemble.training.settings import TrainingSettings

FACES = np.random.default_rng(0).uniform(0, 255, (4, 48, 48, 1)).astype(np.float32)
TINY = {"width": 4, "input_size": 16}


def build(model="cnn", fast=False, seed=0, **changes):
    keras.utils.set_random_seed(seed)
    return build_model(TrainingSettings(model=model, **{**TINY, **changes}), 7, fast)


def is_fused(model):
    return any(isinstance(layer, FusedBatchNormalization) for layer in model.layers)


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_the_settings_name_the_architecture(model):
    network = build(model)
    assert network.name == model
    assert (network.input_shape, network.output_shape) == ((None, 48, 48, 1), (None, 7))
    assert not network.compiled


def test_settings_reach_the_network():
    assert build("resnet", downsampling="stride").count_params() == build("resnet").count_params()
    pooled, strided = (
        sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in build("resnet", downsampling=name).layers)
        for name in ("maxpool", "stride")
    )
    assert (pooled, strided) == (3, 0)
    for model in ("cnn", "resnet"):  # 48 pixels, halved by the stem and three times more
        network = build(model, input_size=48, stem_stride=2)
        sides = [layer.output.shape[1] for layer in network.layers[2:] if len(layer.output.shape) == 4]
        assert (max(sides), min(sides)) == (24, 3)
    rates = {layer.rate for layer in build(dropout=0.4).layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {0.4}


def test_a_wider_network_has_more_weights():
    # Convolutions dominate: twice the width, nearly four times the weights.
    ratio = build(width=16).count_params() / build(width=8).count_params()
    assert 3.5 < ratio < 4


def test_the_same_seed_gives_the_same_weights():
    one, same, other = build(seed=1).get_weights(), build(seed=1).get_weights(), build(seed=2).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_plain_and_fast_networks_share_weights_and_give_the_same_output(model):
    fast, plain = build(model, fast=True), build(model)
    assert not is_fused(plain)
    assert all(type(layer).__module__.startswith("keras.") for layer in plain.layers)
    assert is_fused(fast)
    for _ in range(3):  # so that the moving statistics are not those of a fresh network
        fast(FACES, training=True)
    names = [[(weight.name, weight.shape) for weight in network.weights] for network in (fast, plain)]
    assert names[0] == names[1]
    plain.set_weights(fast.get_weights())
    expected = keras.ops.convert_to_numpy(fast(FACES, training=False))
    assert expected.std() > 0.01
    np.testing.assert_allclose(plain(FACES, training=False), expected, atol=1e-4 * np.abs(expected).max())


def test_softmax_gives_probabilities_and_shares_the_weights():
    core = build()
    model = add_softmax(core)
    probabilities = model.predict(FACES, verbose=0)
    logits = core.predict(FACES, verbose=0).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert all(ours is theirs for ours, theirs in zip(model.weights, core.weights, strict=True))
    assert model.name == core.name


@pytest.mark.parametrize("input_size", [48, 24])
@pytest.mark.parametrize("architecture", ["cnn", "resnet"])
def test_a_call_without_training_predicts_and_changes_nothing(architecture, input_size):
    # keras.layers.Resizing once put the normalisation after it into training mode, and every export with it.
    model = add_softmax(build(architecture, input_size=input_size))
    weights = model.get_weights()
    called = keras.ops.convert_to_numpy(model(FACES))
    np.testing.assert_allclose(called, model.predict(FACES, verbose=0), atol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("input_size", [48, 24])
def test_a_call_with_training_moves_every_statistic(input_size, fast):
    core = build(fast=fast, input_size=input_size)
    inputs = keras.Input((48, 48, 1))
    weights = core.get_weights()
    keras.Model(inputs, core(inputs))(FACES, training=True)  # nested, as it is trained
    moved = [
        weight.path
        for weight, before, after in zip(core.weights, weights, core.get_weights(), strict=True)
        if not np.array_equal(before, after)
    ]
    assert moved == [weight.path for weight in core.weights if "moving" in weight.path] and len(moved) == 2 * 11


def test_a_saved_model_loads_with_plain_keras_without_this_package(tiny_member, tmp_path):
    model = keras.saving.load_model(tiny_member / "model.keras")
    np.save(tmp_path / "faces.npy", FACES)
    code = f"""
import importlib.util, keras, numpy as np
assert importlib.util.find_spec("fer_ensemble") is None
model = keras.saving.load_model({str(tiny_member / "model.keras")!r}, safe_mode=True)
assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
assert not any("Random" in type(layer).__name__ for layer in model.layers)
np.save("probabilities.npy", model.predict(np.load("faces.npy"), verbose=0))
"""
    # -I: neither the current folder nor PYTHONPATH is looked at.
    result = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), model.predict(FACES, verbose=0), atol=1e-6)
