import pytest

from fer_ensemble.commands.named_networks import name_apart


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["shipped", "mine/small.onnx"], ["shipped", "small"]),
        (["a/net.onnx", "b/net.onnx"], ["a-net", "b-net"]),
        (["x/a/net.onnx", "y/a/net.onnx", "other.py"], ["x-a-net", "y-a-net", "other"]),
        (["net.onnx", "./net.onnx"], ["net-1", "net-2"]),
        (["/net.onnx"], ["net"]),
    ],
)
def test_names_are_as_short_as_tells_them_apart(models, names):
    assert name_apart(models) == names
