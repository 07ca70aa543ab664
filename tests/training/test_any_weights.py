"""Whatever bytes a file of --pretrained has: its weights, or one line, within bounds of memory (Hypothesis)."""

import pathlib
import re
import tempfile

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from fer_ensemble.base.errors import UserError
from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.transfer import weighted_layers
from fer_ensemble.training.pretrained import find_pretrained, load_pretrained
from fer_ensemble.training.settings import TrainingSettings
from tests.any_bytes import damaged, few, within_memory

NAMES = ("happy", "surprise", "neutral")
KERAS, PYTORCH = "network.weights.h5", "network.safetensors"
MODELS = {KERAS: {"model": "cnn4"}, PYTORCH: {"model": "resnet18", "input_channels": 3}}


def settings_for(path):
    small = {"width": 2, "input_size": 16, "precision": "float32"}
    return TrainingSettings(**small, **MODELS[path.name], pretrained=str(path))


@pytest.fixture(scope="module")
def targets():
    """A network for each kind of file."""
    return {name: add_softmax(build_model(settings_for(pathlib.Path(name)), len(NAMES))) for name in MODELS}


@pytest.fixture(scope="module")
def state(targets):
    """Arrays as torchvision's `state_dict` has them."""
    arrays = {}
    for layer in weighted_layers(targets[PYTORCH]):
        weights = layer.get_weights()
        if layer.name == "logits":
            arrays |= {"fc.weight": np.ascontiguousarray(weights[0].T), "fc.bias": weights[1]}
        elif len(weights) == 1:
            arrays[f"{layer.name}.weight"] = np.ascontiguousarray(weights[0].transpose(3, 2, 0, 1))
        else:
            parts = ("weight", "bias", "running_mean", "running_var")
            arrays |= {f"{layer.name}.{part}": value for part, value in zip(parts, weights, strict=True)}
    return arrays


@pytest.fixture(scope="module")
def whole(targets, state, tmp_path_factory):
    """The bytes of whole files, by their names."""
    path = tmp_path_factory.mktemp("weights") / KERAS
    targets[KERAS].save_weights(path)
    return {KERAS: path.read_bytes(), PYTORCH: save(state)}


def load(path, target):
    """Loads a file's weights; returns None, or what is told."""
    with within_memory():
        try:
            settings = settings_for(path)
            load_pretrained(target, find_pretrained(settings), settings, NAMES)
        except UserError as told:
            assert str(path) in str(told) and "\n" not in str(told) and len(str(told)) < 1000
            return str(told)
    return None


def load_bytes(name, content, target):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(content)
        return load(path, target)


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_files_are_loaded(name, whole, targets):
    assert load_bytes(name, whole[name], targets[name]) is None


@pytest.mark.parametrize("name", MODELS)
@few
@given(st.data())
def test_a_damaged_file_is_loaded_or_told_in_one_line(name, whole, targets, data):
    load_bytes(name, data.draw(damaged([whole[name]]) | st.binary(max_size=200)), targets[name])


@few
@given(st.data())
def test_any_arrays_of_pytorch_are_loaded_or_told_in_one_line(state, targets, data):
    arrays = dict(state)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(state)) | st.text(max_size=300))
        shape = data.draw(st.lists(st.integers(0, 4), max_size=5))
        arrays[name] = np.zeros(shape, data.draw(st.sampled_from((np.float16, np.float64, np.int8, np.bool_))))
    arrays = {name: value for name, value in arrays.items() if name.encode("utf-8", "replace").decode() == name}
    load_bytes(PYTORCH, save(arrays), targets[PYTORCH])


@pytest.mark.parametrize(
    ("array", "shape", "reason"),
    [
        ("layers/dense_1/vars/0", (8, 10**9), "its arrays take 32,"),
        ("layers/dense_1/vars/0", (0, 10**9), r"its last layer has weights of shape \(0, 1000000000\)"),
        ("layers/conv2d/vars/0", (3, 3, 1, 10**7), "its arrays take 3"),
        ("more", (10**9,), "its arrays take 4,"),
    ],
)
def test_arrays_that_keras_s_file_only_declares_are_not_made(array, shape, reason, whole, targets, tmp_path):
    path = tmp_path / KERAS
    path.write_bytes(whole[KERAS])
    with h5py.File(path, "a") as file:
        if array in file:
            del file[array]
        file.create_dataset(array, shape, np.float32, chunks=True, compression="gzip")
    assert re.search(rf"it cannot be read \({reason}", load(path, targets[KERAS]))


def test_a_bias_that_fits_no_mean_is_not_spread_over_it(state, tmp_path):
    path = tmp_path / PYTORCH
    settings = TrainingSettings(model="vgg16_bn", width=2, input_size=32, input_channels=3, pretrained=str(path))
    target = add_softmax(build_model(settings, len(NAMES)))
    many = 60_000  # the difference of the two would take 14 GB
    arrays = {"features.0.weight": np.zeros((2, 3, 3, 3), np.float32)}
    arrays["features.0.bias"] = np.zeros((many, 1), np.float32)
    arrays |= {f"features.1.{part}": np.zeros(many, np.float32) for part in ("weight", "bias")}
    arrays |= {f"features.1.{part}": np.zeros(many, np.float32) for part in ("running_mean", "running_var")}
    save_file(arrays, path)
    with within_memory(), pytest.raises(UserError, match=r"features\.1 has a bias of shape \(60000, 1\) before"):
        load_pretrained(target, path, settings, NAMES)
