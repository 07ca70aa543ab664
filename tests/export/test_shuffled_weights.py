"""The twin that learnt nothing has each kernel's values in another order, float and int8 alike."""

import numpy as np
import pytest

from fer_ensemble.export.graph import build_graph
from fer_ensemble.export.onnx_file import write_onnx
from fer_ensemble.export.shuffled_weights import shuffle_weights
from fer_ensemble.scoring.calibration import Calibration

onnx = pytest.importorskip("onnx")


def read_weights(path):
    return {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("quantize", ["none", "float16", "int8"])
def test_each_kernel_is_shuffled_and_nothing_else_is(quantize, make_network, faces, tmp_path):
    pytest.importorskip("tf2onnx")
    graph = build_graph([make_network()], [1.0], Calibration(0.0, 1.0))
    write_onnx(graph, tmp_path / "network.onnx", {}, quantize, faces)
    shuffle_weights(tmp_path / "network.onnx", tmp_path / "twin.onnx")
    before, after = read_weights(tmp_path / "network.onnx"), read_weights(tmp_path / "twin.onnx")
    kernels = [name for name, values in before.items() if values.ndim > 1 and values.size > 1]
    assert len(kernels) >= 5 and any(before[name].ndim == 4 for name in kernels)
    for name, values in before.items():
        assert (values == after[name]).all() == (name not in kernels), name
        np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(after[name], axis=None))
