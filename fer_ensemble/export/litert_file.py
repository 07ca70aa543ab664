"""LiteRT (formerly TensorFlow Lite): written through Keras, quantised by Google's `ai-edge-quantizer`."""

import contextlib
import io
import pathlib
import tempfile

import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.export.graph_names import FACES, PROBABILITIES
from fer_ensemble.models.device import keras

# What is quantised in full integers. Logits, softmax and temperature stay in float32.
INTEGER_OPERATIONS = ("CONV_2D", "ADD", "MAX_POOL_2D")


def write_litert(
    graph: keras.Model, path: pathlib.Path, quantize: str = "none", calibration_faces: np.ndarray | None = None
) -> None:
    """Writes a graph as a `.tflite` file, with `probabilities` as its only output.

    Args:
        graph: As `fer_ensemble.export.graph.build_graph` returns it.
        path: Path of the file.
        quantize: `none`; `float16`: the weights are stored in 16 bits; `int8_weights`: in 8, and all is
            computed in float32; `int8`: the convolutions are computed in integers, too, by ranges that are
            measured on faces.
        calibration_faces: uint8, shape `(faces, 48, 48)`, for `int8` only.
    """
    import tensorflow as tf

    graph = keras.Model(graph.input, {PROBABILITIES: graph.output[PROBABILITIES]}, name=graph.name)
    graph(np.zeros((1, 48, 48), np.uint8))
    options = {}
    if quantize == "float16":
        options = {
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "target_spec": {"supported_types": [tf.float16]},
        }
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder) / "float.tflite"
        graph.export(written, format="litert", verbose=False, **options)
        if quantize.startswith("int8"):
            written = _quantize(written, calibration_faces if quantize == "int8" else None)
        with replacing(path) as temporary:
            temporary.write_bytes(written.read_bytes())


def _quantize(path, faces):
    from ai_edge_quantizer import qtyping, quantizer, recipe

    quantized = path.with_name("int8.tflite")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # progress bars
        worker = quantizer.Quantizer(str(path))
        if faces is None:
            worker.load_quantization_recipe(recipe.weight_only_wi8_afp32())
            result = worker.quantize()
        else:
            everything = recipe.static_wi8_ai8()[0]
            names = [qtyping.TFLOperationName(name) for name in INTEGER_OPERATIONS]
            worker.load_quantization_recipe([{**everything, "operation": name} for name in names])
            ranges = worker.calibrate({"serving_default": [{FACES: face[None]} for face in faces]})
            result = worker.quantize(ranges)
        result.export_model(str(quantized), overwrite=True)
    return quantized
