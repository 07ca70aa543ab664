"""The faces of the bundled sample: those that `draw_sample` draws, read in a fortieth of the time."""

import functools

import numpy as np

from fer_ensemble.data.bundled import SAMPLE_FILE
from fer_ensemble.data.dataset import Dataset
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.store import convert_inputs
from fer_ensemble.faces.drawn_pictures import compose_picture


@functools.cache
def sample_dataset() -> Dataset:
    """Returns them with their labels and splits. They are shared: copy what you change."""
    sample = convert_inputs([SAMPLE_FILE], BadRows())
    sample.images.flags.writeable = False
    return sample


def sample_faces() -> np.ndarray:
    """Returns the images alone: uint8, shape `(1176, 48, 48)`."""
    return sample_dataset().images


def say_the_same_in_pictures(classifier, faces: np.ndarray, scale: int = 4) -> list[bool]:
    """Tells of each face whether one is found in a picture of it, and has the answer that the face alone has."""
    alone = classifier.predict(faces).argmax(axis=1)
    pictures = [compose_picture([face], [(150, 120)], (480, 420), scale) for face in faces]
    found = [[one.expression for one in classifier.find_faces(picture)] for picture in pictures]
    return [[classifier.class_names[k]] == one for k, one in zip(alone, found, strict=True)]
