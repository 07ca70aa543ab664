"""Data sets as .h5 files that are not as they should be."""

import h5py
import numpy as np

from fer_ensemble.data.dataset_file import FORMAT


def write_h5(path, **changes):
    """Writes a data set of two images as a .h5, some arrays and attributes changed, or left out (None)."""
    values = {
        "images": np.zeros((2, 48, 48), np.uint8), "labels": np.zeros(2, np.int8), "usage": np.zeros(2, np.uint8),
        "rows": np.arange(2), "format": FORMAT, "fingerprint": "0" * 64, "class_names": '["a", "b"]',
        "provenance": "null", **changes,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                file[name] = value
            elif isinstance(value, str | bytes | int):
                file.attrs[name] = value
            elif value is not None:
                value(file, name)


def declare_a_million(file, name):
    """For `write_h5`: an array that says it has a million images, and has none."""
    file.create_dataset(name, (1_000_000, 48, 48), np.uint8, chunks=(100, 48, 48), compression="gzip")
