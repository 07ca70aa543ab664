"""The faces of the bundled sample: those that `draw_sample` draws, read in a fortieth of the time."""

import functools

import numpy as np

from fer_ensemble.data.bundled import SAMPLE_FILE
from fer_ensemble.data.dataset import Dataset
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.store import convert_inputs


@functools.cache
def sample_dataset() -> Dataset:
    """Returns them with their labels and splits. They are shared: copy what you change."""
    sample = convert_inputs([SAMPLE_FILE], BadRows())
    sample.images.flags.writeable = False
    return sample


def sample_faces() -> np.ndarray:
    """Returns the images alone: uint8, shape `(1176, 48, 48)`."""
    return sample_dataset().images
