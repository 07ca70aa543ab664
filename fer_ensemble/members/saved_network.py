"""Networks saved as `.keras`: what identifies their layers, and loading them in safe mode, checked."""

import json
import math
import os
import pathlib
import zipfile
from typing import TYPE_CHECKING

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import parse_json

if TYPE_CHECKING:
    import keras

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MOST_CONFIG_BYTES = 16 << 20  # a network of 16 blocks has 60 KB
_MOST_LAYERS = 1000  # resnet34 has 130; Keras takes minutes for 20,000
_MOST_BYTES = 1 << 29  # unpacked, of which Keras has two copies; vgg19 has 80 MB
_SERIALISED = ("__tuple__", "__tensor__", "__numpy__", "__keras_tensor__")  # values, which no module has
# The last is an address in the memory of the process that saved.
_NO_ARCHITECTURE = ("build_config", "compile_config", "shared_object_id")
_FIX = "Give a network that this package trained and saved, or save it anew."


def load_network(path: str | os.PathLike, fix: str = _FIX) -> "keras.Model":
    """Loads a `.keras` file of Keras's own layers, without running anything that it brings.

    Args:
        path: Path of the file.
        fix: What to do where it is not as described, a sentence.

    Returns:
        Uncompiled `keras.Model` from grey values, shape `(batch, 48, 48, 1)`, to an output of shape
        `(batch, classes)`.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is damaged, has layers that are not Keras's own, or takes or gives anything else.
    """
    from fer_ensemble.models.device import keras

    _check_layers(path, read_config(path, fix), fix)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras, h5py and zipfile find wrong with it
        raise _damaged(path, _first_line(error), fix) from error
    shapes = [[tuple(tensor.shape[1:]) for tensor in tensors] for tensors in (model.inputs, model.outputs)]
    if shapes[0] != [(48, 48, 1)] or len(shapes[1]) != 1 or len(shapes[1][0]) != 1:
        raise UserError(
            f"{path} must be a network with one input of shape (48, 48, 1) and one output of shape (classes,). "
            f"Received: inputs {shapes[0]}, outputs {shapes[1]}. {fix}"
        )
    plain = not isinstance(model, keras.Sequential) and not any(
        isinstance(one, keras.Model) for one in model.layers
    )
    if not plain or not any(hasattr(layer, "kernel") for layer in model.layers):
        raise UserError(
            f"{path} must be a functional model of single layers, some of them convolutions or dense. Received: a "
            f"{type(model).__name__} of {', '.join(type(layer).__name__ for layer in model.layers)[:100]}. {fix}"
        )
    return model


def read_architecture(path: str | os.PathLike, fix: str = _FIX) -> str:
    """Returns what two `.keras` files share if one's weights fit the other's layers: text, to be compared.

    It is the file's own configuration, without what differs from process to process: Keras numbers the layers by
    what else was built in the same one.

    Raises: as `load_network`.
    """
    config = read_config(path, fix)
    names = {layer["name"]: f"layer {number}" for number, layer in enumerate(_layers(config)) if "name" in layer}

    def anonymous(value):
        if isinstance(value, dict):
            return {name: anonymous(one) for name, one in value.items() if name not in _NO_ARCHITECTURE}
        if isinstance(value, list):
            return [anonymous(one) for one in value]
        return names.get(value, value) if isinstance(value, str) else value

    model = config["config"]
    described = anonymous({**config, "config": {name: one for name, one in model.items() if name != "name"}})
    return json.dumps(described, sort_keys=True)


def read_config(path: str | os.PathLike, fix: str = _FIX) -> dict:
    """Returns the configuration of a `.keras` file: `class_name`, `config` and more. Raises as `load_network`."""
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            missing = [name for name in (_CONFIG, _WEIGHTS) if name not in sizes]
            if missing:
                raise ValueError(f"it has no {missing[0]}")
            if sizes[_CONFIG] > _MOST_CONFIG_BYTES or sum(sizes.values()) > _MOST_BYTES:
                raise ValueError(f"unpacked it has {sum(sizes.values()):,} bytes, more than {_MOST_BYTES:,}")
            config = parse_json(archive.read(_CONFIG))
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile lets through what zlib, bz2, lzma and struct raise
        raise _damaged(path, _first_line(error), fix) from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise _damaged(path, f"{_CONFIG} describes no network", fix)
    layers = _layers(config)
    if len(layers) > _MOST_LAYERS:
        raise _damaged(path, f"it has {len(layers):,} layers, more than {_MOST_LAYERS:,}", fix)
    # Keras makes all weights before it reads them. None has fewer than 2 bytes.
    needed = 2 * sum(map(_count_weights, layers))
    if needed > sizes[_WEIGHTS]:
        raise _damaged(path, f"its layers take {needed:,} bytes of weights, and it has {sizes[_WEIGHTS]:,}", fix)
    return config


def _count_weights(layer):
    """Returns how many weights the kernel of a convolution or dense layer has; 0 for others, and damaged ones."""
    try:
        config, inputs = layer["config"], layer["build_config"]["input_shape"][-1]
        outputs = config.get("filters", config.get("units", 0))
        return (
            int(inputs)
            * int(outputs)
            * math.prod(map(int, config.get("kernel_size", ())))
            // config.get("groups", 1)
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError):
        return 0


def _layers(config):
    layers = config["config"].get("layers")
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def _check_layers(path, config, fix):
    """Raises UserError if the configuration names a class that is not one of Keras's own."""
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
            if not isinstance(value.get("class_name"), str):
                continue
            module = value.get("module")
            own = value["class_name"] in _SERIALISED or str(module).split(".")[0] == "keras"
            if value["class_name"] == "Lambda" or not own:
                raise UserError(
                    f"{path} must be made of Keras's own layers, of which none runs code of the file's. "
                    f"Received: {value['class_name'][:60]} ({value.get('registered_name') or module}). {fix}"
                )


def _damaged(path, reason, fix):
    return UserError(f"{path} must be a network saved as .keras, but cannot be read ({reason}). {fix}")


def _first_line(error):
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
