"""Faces as a reader hands them on, and an array that grows with them."""

import dataclasses

import numpy as np

from fer_ensemble.base.memory import check_memory
from fer_ensemble.data.dataset import IMAGE_SIZE

BYTES = IMAGE_SIZE * IMAGE_SIZE  # of one face


@dataclasses.dataclass
class Faces:
    """Faces of one source, in its order.

    Attributes:
        name: What messages call the source.
        images: uint8, shape `(images, 48, 48)`.
        labels: int8, shape `(images,)`, positions in `class_names`, -1 where there is no label.
        usage: uint8, shape `(images,)`, positions in `SPLITS`; None where the source does not tell.
        rows: int64, shape `(images,)`, counted from 0; bad rows are missing, but counted.
        row_count: Number of rows, bad ones included.
        class_names: Tuple of class names in label order.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray | None
    rows: np.ndarray
    row_count: int
    class_names: tuple[str, ...]


class GrowingImages:
    """Images of which nobody knows yet how many there will be, held once, not twice.

    Attributes:
        count: How many there are.
    """

    def __init__(self):
        self.count = 0
        self._images = np.zeros((256, BYTES), np.uint8)

    def append(self, pixels: np.ndarray) -> None:
        """Adds one image, `(2304,)` or `(48, 48)`, grey values 0..255."""
        if self.count == len(self._images):
            capacity = self.count + self.count // 2
            check_memory((capacity - self.count) * BYTES, f"{capacity - self.count:,} more faces")
            self._images.resize((capacity, BYTES), refcheck=False)
        self._images[self.count] = pixels.reshape(-1)
        self.count += 1

    def to_array(self) -> np.ndarray:
        """Returns all, uint8, shape `(images, 48, 48)`; none can be added afterwards."""
        self._images.resize((self.count, BYTES), refcheck=False)
        return self._images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
