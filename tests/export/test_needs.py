import importlib.util

import pytest

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.export.needs import check_packages


@pytest.fixture
def without(monkeypatch):
    """Function that makes packages look as if they were not installed."""
    find = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else find(name))

    return hide


def test_where_there_is_only_jax_a_line_says_what_to_do(monkeypatch, without):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(
        UserError, match=r"exported by TensorFlow. Received: KERAS_BACKEND=jax. .*KERAS_BACKEND=tensor"
    ):
        check_packages("onnx", "none")
    monkeypatch.delenv("KERAS_BACKEND")
    without("tensorflow")
    with pytest.raises(
        UserError, match=r"Received: no TensorFlow here. .*pip install 'fer-ensemble\[train,export\]'"
    ):
        check_packages("onnx", "none")


@pytest.mark.parametrize(
    ("format", "quantize", "missing", "name"),
    [
        ("onnx", "none", "tf2onnx", "tf2onnx"),
        ("litert", "none", "ai_edge_litert", "ai-edge-litert"),
        ("litert", "int8", "ai_edge_quantizer", "ai-edge-quantizer"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(format, quantize, missing, name, without):
    pytest.importorskip("tensorflow")
    without(missing)
    with pytest.raises(MissingPackageError, match=rf"package {name}, .* pip install 'fer-ensemble\[export\]'"):
        check_packages(format, quantize)


def test_formats_that_take_nothing_of_the_extra_need_nothing_of_it(without):
    pytest.importorskip("tensorflow")
    without("tf2onnx", "onnx", "ai_edge_litert", "ai_edge_quantizer")
    check_packages("savedmodel", "none")
    check_packages("keras", "none")
