"""The predictions of one member: computing, writing and reading them."""

import dataclasses

import h5py
import numpy as np

from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import TRAINING
from fer_ensemble.files import replacing

CPU_BATCH_SIZE = 64
GPU_BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True)
class Predictions:
    """A member's probabilities for one set of images (`oof`, `PublicTest`, `PrivateTest`), and what scores them.

    Attributes:
        rows: int64, shape `(images,)`, the images' rows in their source.
        labels: int8, shape `(images,)`, -1 where there is none.
        copies: bool, shape `(images,)`, whether a member of the run may have been trained on an exact copy.
        probabilities: float32, shape `(images, classes)`, each row summing to 1.
    """

    rows: np.ndarray
    labels: np.ndarray
    copies: np.ndarray
    probabilities: np.ndarray


def predict_probabilities(model, images):
    """Runs a saved member's model on images.

    Args:
        model: `keras.Model` from grey values to probabilities.
        images: uint8, shape `(images, 48, 48)`.

    Returns:
        float32, shape `(images, classes)`.
    """
    from fer_ensemble.device import GPUS, compile_options

    count = len(images)
    if count == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    if not model.compiled:
        model.compile(**compile_options())
    batch_size = min(count, GPU_BATCH_SIZE if GPUS else CPU_BATCH_SIZE)
    # The last batch is filled up with the first images, whose probabilities are dropped: another size would be
    # traced and compiled once more.
    batches = [
        model.predict_on_batch(images[np.arange(start, start + batch_size) % count, ..., None])
        for start in range(0, count, batch_size)
    ]
    return np.concatenate(batches)[:count]


def predict_parts(model, dataset, positions):
    """Predicts some parts of a data set.

    Args:
        model: `keras.Model` from grey values to probabilities.
        dataset: `Dataset`.
        positions: Dictionary from the name of a part to the positions of its images, an int array. Training
            images are taken for held-out ones, whose copies are all held out with them.

    Returns:
        Dictionary from the names to `Predictions`.
    """
    groups = find_copies(dataset.images)
    training = dataset.usage == TRAINING
    copies = np.isin(groups, groups[training]) & ~training
    return {
        name: Predictions(
            rows=dataset.rows[chosen],
            labels=dataset.labels[chosen],
            copies=copies[chosen],
            probabilities=predict_probabilities(model, dataset.images[chosen]),
        )
        for name, chosen in positions.items()
    }


def write_predictions(path, parts, dataset_fingerprint):
    """Writes predictions to an HDF5 file, a group for each part.

    Args:
        path: Path of the file.
        parts: Dictionary from name to `Predictions`.
        dataset_fingerprint: Fingerprint of the `Dataset` that was predicted.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["dataset"] = dataset_fingerprint
        for name, part in parts.items():
            for field, values in vars(part).items():
                file[f"{name}/{field}"] = values


def read_predictions(path):
    """Reads what `write_predictions` wrote.

    Returns:
        Dictionary from name to `Predictions`, and the fingerprint of the data set.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with h5py.File(path) as file:
            parts = {
                name: Predictions(**{field: values[()] for field, values in group.items()})
                for name, group in file.items()
            }
            return parts, file.attrs["dataset"]
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} must hold the predictions of a member, but cannot be read ({error}).") from error
