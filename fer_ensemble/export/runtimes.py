"""Runs an exported file in the runtime that it is for."""

import contextlib
import io
import os
from collections.abc import Callable

import numpy as np

from fer_ensemble.base.cores import count_cores
from fer_ensemble.export.graph_names import FACES, PROBABILITIES

BATCH_SIZE = 64  # faces


def open_onnx(path: str | os.PathLike, threads: int = 0) -> Callable:
    """Opens an ONNX file in ONNX Runtime.

    Args:
        path: Path of the file.
        threads: How many threads it may use; 0: as many as there are cores.

    Returns:
        Function from uint8 faces, shape `(n, 48, 48)`, to float32 probabilities, shape `(n, classes)`. So do the
        others here.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    return lambda faces: session.run([PROBABILITIES], {FACES: faces})[0]


def open_litert(path: str | os.PathLike, threads: int = 0) -> Callable:
    """Opens a `.tflite` file in the LiteRT interpreter of `ai-edge-litert`; see `open_onnx`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(os.fspath(path), num_threads=threads or count_cores())
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    prepared = []

    def run(faces):
        if prepared != [len(faces)]:
            interpreter.resize_tensor_input(given["index"], faces.shape)
            interpreter.allocate_tensors()
            prepared[:] = [len(faces)]
        interpreter.set_tensor(given["index"], faces)
        interpreter.invoke()
        return interpreter.get_tensor(answer["index"])

    return run


def open_saved_model(path: str | os.PathLike, threads: int = 0) -> Callable:
    """Opens a SavedModel in TensorFlow; see `open_onnx`. TensorFlow's threads are set once for the process."""
    import tensorflow as tf

    serve = tf.saved_model.load(os.fspath(path)).signatures["serving_default"]
    return lambda faces: serve(**{FACES: tf.constant(faces)})[PROBABILITIES].numpy()


def open_keras(path: str | os.PathLike, threads: int = 0) -> Callable:
    """Opens a `.keras` file in Keras, in safe mode; see `open_onnx`."""
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return lambda faces: model.predict_on_batch(faces)[PROBABILITIES]


def predict(run: Callable, faces: np.ndarray, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """Runs one of the functions above on any number of faces; float32, shape `(faces, classes)`."""
    with contextlib.redirect_stderr(io.StringIO()):
        return np.concatenate([run(faces[at : at + batch_size]) for at in range(0, len(faces), batch_size)])
