"""ONNX: written with tf2onnx through Keras, its weights halved or its convolutions quantised, its facts inside."""

import collections
import contextlib
import io
import json
import logging
import os
import pathlib
import tempfile
import warnings
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.export.graph_names import CLASS_MAPS, PROBABILITIES

if TYPE_CHECKING:
    import keras
    import onnx

METADATA_KEY = "fer_ensemble"
OPSET = 17  # what tf2onnx and ONNX Runtime of the last years, also in the browser, have in common
# Smaller arrays, as the biases and the constants of the calibration, stay as they are: they weigh nothing.
HALVED_FROM = 256  # values


def write_onnx(
    graph: "keras.Model",
    path: pathlib.Path,
    facts: dict,
    quantize: str = "none",
    calibration_faces: np.ndarray | None = None,
) -> None:
    """Writes a graph as an ONNX file.

    Args:
        graph: As `fer_ensemble.export.graph.build_graph` returns it.
        path: Path of the file.
        facts: Dictionary that JSON can hold, for the file's metadata under `METADATA_KEY`.
        quantize: `none`; `float16`: the weights are stored in 16 bits, and cast to float32, in which all is
            computed, when the file is loaded; `int8`: weights (per channel) and features of the convolutions are
            quantised, by ranges that are measured on faces.
        calibration_faces: uint8, shape `(faces, 48, 48)`, for int8 only.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        raw = pathlib.Path(folder) / "raw.onnx"
        with _quietly():
            graph.export(raw, format="onnx", verbose=False, opset_version=OPSET)
        if quantize == "int8":
            raw = _quantize(raw, calibration_faces)
        model = onnx.load(raw)
    reshape_before_scaling(model)
    _tidy(model)
    number_names(model)
    if quantize == "float16":
        halve_weights(model)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def read_facts(path: str | os.PathLike) -> dict | None:
    """Returns the facts in the metadata of an ONNX file, or None where there are none."""
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    return json.loads(properties[METADATA_KEY]) if METADATA_KEY in properties else None


def halve_weights(model: "onnx.ModelProto") -> None:
    """Stores the large float32 weights of an ONNX model in float16, each followed by a cast to float32.

    ONNX Runtime casts them once, when it loads the file, so that it computes as before.
    """
    import onnx

    casts = []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < HALVED_FROM:
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(
            onnx.helper.make_node("Cast", [weight.name], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def number_names(model: "onnx.ModelProto") -> None:
    """Names nodes, and what they read and write, by their order; inputs and outputs of the model keep their names.

    tf2onnx names some by hashes that are others in each process: the same network would give another file.
    """
    graph = model.graph
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}  # "": left out
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for values in (node.input, node.output):
            values[:] = [names.setdefault(name, f"value_{len(names)}") for name in values]
    for weight in graph.initializer:
        weight.name = names.setdefault(weight.name, f"value_{len(names)}")
    graph.initializer.sort(key=lambda weight: int(weight.name.rpartition("_")[2]))


def reshape_before_scaling(model: "onnx.ModelProto") -> None:
    """Moves each reshape before the multiplications and additions of a single number that it follows.

    tf2onnx reshapes the grey values from `(n, 48, 48, 1)` to `(n, 1, 48, 48)` when they have been scaled. With a
    last axis of one value ONNX Runtime scales them one by one, 20 times as slowly.
    """
    nodes = model.graph.node
    constants = {weight.name for weight in model.graph.initializer}
    # With more axes a number would give them to what it scales.
    numbers = {weight.name for weight in model.graph.initializer if list(weight.dims) in ([], [1])}
    readers = collections.Counter(name for node in nodes for name in node.input)
    readers.update(output.name for output in model.graph.output)
    makers = {name: place for place, node in enumerate(nodes) for name in node.output}
    for place in [place for place, node in enumerate(nodes) if node.op_type == "Reshape"]:
        at = place
        while nodes[at].input[1] in constants and nodes[at].input[0] in makers:
            reshape, between = nodes[at], nodes[at].input[0]
            scaling = nodes[makers[between]]
            given = [name for name in scaling.input if name not in numbers]
            if scaling.op_type not in ("Mul", "Add") or len(given) != 1 or readers[between] > 1:
                break
            moved = type(scaling).FromString(scaling.SerializeToString())
            moved.input[list(moved.input).index(given[0])], moved.output[0] = between, reshape.output[0]
            reshape.input[0], reshape.output[0] = given[0], between
            scaling.CopyFrom(reshape)
            reshape.CopyFrom(moved)
            at = makers[between]


def _tidy(model):
    # tf2onnx sorts the outputs by name, and calls a batch of any size `unk__148`.
    outputs = sorted(model.graph.output, key=lambda output: (PROBABILITIES, CLASS_MAPS).index(output.name))
    outputs = [type(output).FromString(output.SerializeToString()) for output in outputs]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]
    model.graph.name, model.graph.doc_string, model.doc_string = "fer_ensemble", "", ""


def _quantize(path, faces):
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):
        def __init__(self):
            self._batches = iter(np.array_split(faces, max(1, len(faces) // 50)))

        def get_next(self):
            batch = next(self._batches, None)
            return None if batch is None else {"faces": batch}

    prepared, quantized = path.with_name("prepared.onnx"), path.with_name("int8.onnx")
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells how it goes
        quantize_static(
            prepared,
            quantized,
            Batches(),
            quant_format=QuantFormat.QDQ,
            # On 6,178 faces that a network held out, float32 rectifiers moved its probabilities six times as far
            # (Kullback-Leibler), ranges that cut 0.01 % off three times, additions in int8 twice.
            # Logits, softmax and temperature stay in float32: quantised, they cost 0.06 nats of log-loss.
            op_types_to_quantize=["Conv", "MaxPool", "Relu"],
            calibrate_method=CalibrationMethod.MinMax,
            reduce_range=True,  # 7 bits: a processor without VNNI cuts off what two products of 8 bits may sum to
            nodes_to_exclude=_names_of_maps(prepared),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return quantized


def _names_of_maps(path):
    """Returns the names of the convolutions that make class maps."""
    import onnx

    return [node.name for node in onnx.load(path).graph.node if "class_evidence" in node.name]


@contextlib.contextmanager
def _quietly():
    """Without Keras's warning about NumPy's names, and without what tf2onnx tells of its progress."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="keras")
            yield
    finally:
        logging.disable(before)
