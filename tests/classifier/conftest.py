"""A tiny network in an ONNX file of our format, whose answers can be worked out by hand."""

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="makes the ONNX files of these tests")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - after the question whether it is there

# The darker a face, the more it is "dark": logits are (0, mean grey / 255).
CLASSES = ("dark", "light")
HUNDRED = np.array(100, np.float32)


def write_onnx(path, metadata=None, key="fer_ensemble", nodes=(), constants=(), functions=(), last=(), kind=1):
    """Writes the tiny network; `metadata` changes entries of its JSON, or drops them where None.

    Further `nodes`, with their `constants` (arrays by name) and `functions`, make `more`, added to the sums.
    `last` makes the probabilities, of type `kind`, of the `chances` of the softmax and perhaps of a `hundred`.
    """
    weights = np.zeros((48 * 48, 2), np.float32)
    weights[:, 1] = 1 / (255 * 48 * 48)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["faces"], ["grey"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["grey"], ["pixels"]),
            helper.make_node("MatMul", ["pixels", "weights"], ["sums" if nodes else "logits"]),
            *nodes,
            *([helper.make_node("Add", ["sums", "more"], ["logits"])] if nodes else ()),
            helper.make_node("Softmax", ["logits"], ["chances" if last else "probabilities"], axis=1),
            *last,
        ],
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", 48, 48])],
        [helper.make_tensor_value_info("probabilities", kind, ["n", 2])],
        [
            numpy_helper.from_array(array, name)
            for name, array in {"weights": weights, "hundred": HUNDRED, **dict(constants)}.items()
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=functions)
    model.ir_version = 8
    about = {"format_version": 1, "class_names": list(CLASSES), "unsure_below": 0.6, **(metadata or {})}
    about = {name: value for name, value in about.items() if value is not None}
    helper.set_model_props(model, {key: json.dumps(about)})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def write_network(tmp_path):
    """Returns a function that writes the tiny network, and returns its path."""

    def write(name="tiny.onnx", **options):
        return write_onnx(tmp_path / name, **options)

    return write
