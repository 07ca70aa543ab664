"""Networks saved as .keras: what identifies them, and what is no network of ours."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_ensemble.base.errors import UserError
from fer_ensemble.members.saved_network import load_network, read_architecture, read_config


@pytest.fixture(scope="module")
def saved(tiny_member):
    return tiny_member / "model.keras"


def rebuild(source, path, config=None, drop=(), **more):
    """Writes a .keras file with other parts."""
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name not in drop}
    if config is not None:
        parts["config.json"] = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**parts, **more}.items():
            archive.writestr(name, content)
    return path


def small(outputs=1, shape=(48, 48, 1), flat=True):
    """A small network, with whatever input and outputs."""
    pixels = keras.Input(shape)
    features = keras.layers.Flatten()(pixels) if flat else pixels
    ends = [keras.layers.Dense(3)(features) for _ in range(outputs)]
    return keras.Model(pixels, ends if outputs > 1 else ends[0])


def test_what_was_saved_is_loaded(saved):
    faces = np.zeros((2, 48, 48, 1), np.uint8)
    expected = keras.saving.load_model(saved, compile=False).predict(faces, verbose=0)
    np.testing.assert_allclose(load_network(saved).predict(faces, verbose=0), expected, atol=1e-6)


def test_an_architecture_is_known_again_whatever_its_layers_are_called(saved, tmp_path):
    model = keras.saving.load_model(saved, compile=False)
    model.set_weights([2 * weight for weight in model.get_weights()])
    model.save(tmp_path / "again.keras")
    renamed = keras.models.clone_model(
        model,
        clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "name": f"x_{layer.name}"}),
    )
    renamed.save(tmp_path / "renamed.keras")
    architectures = [read_architecture(path) for path in (saved, *sorted(tmp_path.iterdir()))]
    assert architectures[0] == architectures[1] == architectures[2]


def test_another_width_or_activation_is_another_architecture(saved, tmp_path):
    config = read_config(saved)
    seen = {read_architecture(saved)}
    for number, (name, value) in enumerate((("filters", 5), ("activation", "gelu"), ("strides", [2, 2]))):
        changed = json.loads(json.dumps(config))
        layer = next(layer for layer in changed["config"]["layers"] if name in layer["config"])
        layer["config"][name] = value
        seen.add(read_architecture(rebuild(saved, tmp_path / f"{number}.keras", changed)))
    assert len(seen) == 4


class Marked(keras.layers.Layer):
    """A layer of somebody's own."""


def save(model, path):
    model.save(path)
    return path


def with_class(class_name, module, registered_name=None):
    def build(saved, path):
        config = read_config(saved)
        config["config"]["layers"][2] |= {
            "class_name": class_name, "module": module, "registered_name": registered_name,
        }  # fmt: skip
        return rebuild(saved, path, config)

    return build


def write(content):
    def build(saved, path):
        path.write_bytes(content(saved.read_bytes()) if callable(content) else content)
        return path

    return build


def bomb(saved, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(read_config(saved)))
        archive.writestr("model.weights.h5", bytes(1 << 20) * 600)
    return path


def with_layers(change):
    def build(saved, path):
        config = read_config(saved)
        change(config["config"]["layers"])
        return rebuild(saved, path, config)

    return build


def widen(layers):
    layer = next(layer for layer in layers if layer["class_name"] == "Conv2D")
    layer["config"]["filters"] = 100_000_000


DAMAGED = {
    "weights that it does not have": (with_layers(widen), r"its layers take [\d,]{11,} bytes of weights"),
    "layers without number": (with_layers(lambda layers: layers.extend(layers[-1:] * 5000)), "more than 1,000"),
    "empty": (write(b""), "cannot be read"),
    "a text": (write(b"hello"), "cannot be read"),
    "truncated": (write(lambda content: content[: len(content) // 2]), "cannot be read"),
    "no config": (lambda saved, path: rebuild(saved, path, drop=["config.json"]), "it has no config.json"),
    "no weights": (
        lambda saved, path: rebuild(saved, path, drop=["model.weights.h5"]),
        "it has no model.weights",
    ),
    "other weights": (lambda saved, path: rebuild(saved, path, **{"model.weights.h5": b"x"}), "cannot be read"),
    "config of nothing": (lambda saved, path: rebuild(saved, path, {}), "describes no network"),
    "config of a list": (lambda saved, path: rebuild(saved, path, []), "describes no network"),
    "config nested": (lambda saved, path: rebuild(saved, path, b"[" * 100_000), "nested too deeply"),
    "config of numbers": (
        lambda saved, path: rebuild(
            saved, path, {"class_name": "Functional", "config": {"layers": [1, {"name": 2}]}}
        ),
        "cannot be read|made of Keras's own",
    ),
    "a layer of one's own": (
        lambda saved, path: save(keras.Sequential([keras.Input((48, 48, 1)), Marked()]), path),
        r"made of Keras's own layers.* Received: Marked",
    ),
    "code": (with_class("Lambda", "keras.layers"), "of which none runs code.* Received: Lambda"),
    "a class of the system": (with_class("Popen", "subprocess"), r"Received: Popen \(subprocess\)"),
    "a layer that Keras does not have": (with_class("Conv9D", "keras.layers"), "cannot be read"),
    "two outputs": (lambda saved, path: save(small(outputs=2), path), "one output of shape .*Received: inputs"),
    "another input": (lambda saved, path: save(small(shape=(32, 32, 3)), path), "one input of shape"),
    "an output for each pixel": (lambda saved, path: save(small(flat=False), path), "one output of shape"),
    "layers in a row": (
        lambda saved, path: save(keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Flatten()]), path),
        "a functional model of single layers",
    ),
    "a bomb": (bomb, "unpacked it has 629,"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_no_network_of_ours_is_told_in_one_line(case, saved, tmp_path):
    build, message = DAMAGED[case]
    path = build(saved, tmp_path / "network.keras")
    with pytest.raises(UserError, match=message) as told:
        load_network(path)
    assert str(path) in str(told.value) and "\n" not in str(told.value) and len(str(told.value)) < 700


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "none.keras")


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=30), st.integers(0, 60_000))
def test_whatever_bytes_change_the_architecture_is_read_or_told(saved, tmp_path_factory, some, start):
    content = bytearray(saved.read_bytes())
    content[start : start + len(some)] = some
    path = tmp_path_factory.mktemp("fuzzed") / "network.keras"
    path.write_bytes(content)
    try:
        assert isinstance(read_architecture(path), str)
    except UserError as told:
        assert str(path) in str(told) and "\n" not in str(told)
    finally:
        shutil.rmtree(path.parent)
