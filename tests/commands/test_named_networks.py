import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.named_networks import load_networks, name_apart


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


NETWORK = "class N:\n    class_names, about, unsure_below, predict = 'ab', {about}, {unsure}, len\n\n\n"
ADAPTERS = {
    "raises": ("def load_network():\n    raise ValueError('no\\nway')\n", r"line 2: .* raised ValueError: no\. "),
    "no Python": ("def load_network(\n", "raised SyntaxError"),
    "another package": ("import nothing_of_the_kind\n", "line 1: .* raised ModuleNotFoundError: No module named"),
    "ends the process": ("import sys\nsys.exit(0)\n", r"line 2: .* raised SystemExit: 0\."),
    "no network": ("def load_network():\n    return None\n", "must return what has class_names"),
    "about a list": (
        NETWORK.format(about=[], unsure=0.5) + "load_network = N\n", r"a dictionary, .* Received: \[\] and 0\.5"
    ),
    "unsure in words": (
        NETWORK.format(about={}, unsure="'x'") + "load_network = N\n", r"Received: \{\} and 'x'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ADAPTERS)
def test_what_is_wrong_with_a_file_of_somebody_s_own_is_told_with_its_line(case, tmp_path):
    text, message = ADAPTERS[case]
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UserError, match=rf"own\.py.*{message}") as told:
        load_networks([str(tmp_path / "own.py")])
    assert "\n" not in str(told.value)
