"""What exporting takes: Keras on TensorFlow, and packages of the extra `export`."""

import importlib.util
import os

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.packages import missing_package

_MODULES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "litert": ("ai_edge_litert",),
    "savedmodel": (),
    "keras": (),
}


def check_packages(format: str, quantize: str) -> None:
    """Checks, before anything heavy is imported, that a format can be written here.

    Args:
        format: `onnx`, `litert`, `savedmodel` or `keras`.
        quantize: As for `fer_ensemble.export.exporting.export`.

    Raises:
        UserError: If Keras is told to compute on something else than TensorFlow.
        MissingPackageError: If a package is missing.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow" or not _is_there("tensorflow"):
        here = f"KERAS_BACKEND={backend}" if backend != "tensorflow" else "no TensorFlow here"
        raise UserError(
            f"Networks are exported by TensorFlow. Received: {here}. Members that were trained on JAX are "
            "exported where it is installed: pip install 'fer-ensemble[train,export]', then "
            "KERAS_BACKEND=tensorflow fer-ensemble export ..."
        )
    names = [*_MODULES[format], *(["ai_edge_quantizer"] if format == "litert" and "int8" in quantize else [])]
    for name in names:
        if not _is_there(name):
            raise missing_package(name, f"exporting to {format}")


def _is_there(name):
    return importlib.util.find_spec(name) is not None
