"""The data set as every other part sees it: arrays, and the names of the classes and the splits."""

import dataclasses

import numpy as np

IMAGE_SIZE = 48  # pixels, height and width
UNLABELLED = -1

# FER2013's own order: label 0 is anger.
CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# FER2013's own names; `usage` holds positions in this tuple.
SPLITS = ("Training", "PublicTest", "PrivateTest")
TRAINING, PUBLIC_TEST, PRIVATE_TEST = range(3)

# The columns of FER+ (Barsoum et al., 2016, https://arxiv.org/abs/1608.01041), in their order.
VOTE_NAMES = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Faces and what is known about them, one entry per image in the order of the source.

    Attributes:
        images: uint8, shape `(images, 48, 48)`, grey values 0..255.
        labels: int8, shape `(images,)`, positions in `class_names`, -1 where there is no label.
        usage: uint8, shape `(images,)`, positions in `SPLITS`.
        rows: int64, shape `(images,)`, the image's place in its source, counted from 0
            without header; stays what it was when rows are left out.
        class_names: Tuple of class names in label order.
        fingerprint: SHA-256 (64 hex digits) of all of the above and the votes.
        votes: uint8, shape `(images, 10)`, the FER+ votes in the order of `VOTE_NAMES`, or None.
        made_splits: How `usage` was made, where the source names no splits; else empty.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    rows: np.ndarray
    class_names: tuple[str, ...]
    fingerprint: str
    votes: np.ndarray | None = None
    made_splits: str = ""

    def split(self, usage: int) -> np.ndarray:
        """Returns the positions of the images of one split (`TRAINING`, ...), int64, ascending."""
        return np.flatnonzero(self.usage == usage)
