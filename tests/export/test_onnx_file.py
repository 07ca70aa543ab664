"""What is done to an ONNX file after tf2onnx: names, the place of reshapes; and int8 fits old processors."""

import itertools

import numpy as np
import pytest

from fer_ensemble.export.graph import build_graph
from fer_ensemble.export.onnx_file import number_names, reshape_before_scaling, write_onnx
from fer_ensemble.scoring.calibration import Calibration

onnx = pytest.importorskip("onnx")
numpy_helper, helper = onnx.numpy_helper, onnx.helper
PIXELS = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 1)


def make_scaling(*factors):
    """An ONNX model that multiplies `x` by each of the factors and then reshapes it as convolutions need it."""
    names = ["x", *(f"x{number}" for number in range(1, len(factors) + 1))]
    nodes = [
        helper.make_node("Mul", [f"f{number}", name] if number % 2 else [name, f"f{number}"], [after])
        for number, (name, after) in enumerate(itertools.pairwise(names))
    ]
    nodes.append(helper.make_node("Reshape", [names[-1], "shape"], ["y"]))
    constants = {f"f{number}": np.array(factor, np.float32) for number, factor in enumerate(factors)}
    constants["shape"] = np.array([-1, 1, 3, 3])
    graph = helper.make_graph(
        nodes,
        "scaling",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 3, 1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 1, 3, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model):
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(["y"], {"x": PIXELS})[0]


@pytest.mark.parametrize(
    ("factors", "order"),
    [
        ([2.0], ["Reshape", "Mul"]),
        ([2.0, [3.0], 0.5], ["Reshape", "Mul", "Mul", "Mul"]),
        ([[[[[0.5]]]], 2.0], ["Mul", "Reshape", "Mul"]),  # of four axes, as the reshape may have fewer
        ([[[1.0], [2.0], [3.0]], 2.0], ["Mul", "Reshape", "Mul"]),  # one factor for each column: this one stays
        ([2.0, [[1.0], [2.0], [3.0]]], ["Mul", "Mul", "Reshape"]),
    ],
)
def test_a_reshape_goes_before_factors_of_one_number_and_nothing_changes(factors, order):
    model = make_scaling(*factors)
    expected = run(model)
    reshape_before_scaling(model)
    assert [node.op_type for node in model.graph.node] == order
    np.testing.assert_array_equal(run(model), expected)


def read_twice(model):
    model.graph.node.append(helper.make_node("Shape", ["x1"], ["seen"]))
    model.graph.output.append(helper.make_tensor_value_info("seen", onnx.TensorProto.INT64, [4]))


def return_it(model):
    model.graph.output.append(helper.make_tensor_value_info("x1", onnx.TensorProto.FLOAT, ["n", 3, 3, 1]))


def compute_the_shape(model):
    model.graph.node[-1].input[1] = "computed"
    model.graph.node.insert(1, helper.make_node("Identity", ["shape"], ["computed"]))


@pytest.mark.parametrize("change", [read_twice, return_it, compute_the_shape])
def test_what_something_else_reads_or_computes_keeps_its_place(change):
    model = make_scaling(2.0)
    change(model)
    before = model.SerializeToString(deterministic=True)
    run(model)
    reshape_before_scaling(model)
    assert model.SerializeToString(deterministic=True) == before


def test_whatever_tf2onnx_calls_it_the_same_network_is_the_same_file():
    first, second = make_scaling(2.0, 3.0), make_scaling(2.0, 3.0)
    for node in second.graph.node:
        node.name = f"other_{len(node.output[0])}"
        node.input[:] = [{"x1": "a", "f1": "b"}.get(name, name) for name in node.input]
        node.output[:] = [{"x1": "a"}.get(name, name) for name in node.output]
    next(weight for weight in second.graph.initializer if weight.name == "f1").name = "b"
    second.graph.initializer.reverse()
    assert first.SerializeToString() != second.SerializeToString()
    expected = run(first)
    for model in (first, second):
        number_names(model)
        np.testing.assert_array_equal(run(model), expected)
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_an_exported_network_scales_faces_after_the_reshape(make_network, tmp_path):
    pytest.importorskip("tf2onnx")
    graph = build_graph([make_network()], [1.0], Calibration(0.0, 1.0), "flip")
    write_onnx(graph, tmp_path / "network.onnx", {})
    kinds = [node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node]
    assert kinds[kinds.index("Concat") + 1 : kinds.index("Conv")] == ["Reshape", "Mul", "Add"]


def test_weights_of_int8_have_7_bits_so_that_two_products_fit_into_16(make_network, faces, tmp_path):
    pytest.importorskip("tf2onnx")
    graph = build_graph([make_network()], [1.0], Calibration(0.0, 1.0))
    write_onnx(graph, tmp_path / "network.onnx", {}, "int8", faces)
    weights = [numpy_helper.to_array(one) for one in onnx.load(tmp_path / "network.onnx").graph.initializer]
    kernels = [weight for weight in weights if weight.dtype == np.int8 and weight.ndim == 4]
    assert len(kernels) >= 4
    for kernel in kernels:
        assert 2 * 255 * np.abs(kernel.astype(int)).max() < 2**15
