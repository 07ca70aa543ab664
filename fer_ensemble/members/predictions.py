"""The predictions of one member: computing, writing and reading them."""

import dataclasses

import h5py
import numpy as np

from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import TRAINING

# 256 faces: on 2 CPU cores (EPYC, AVX-512) folded networks of width 16 took 0.48 ms (cnn) and 0.86 ms (resnet) of
# CPU per face, and 0.52 and 0.98 ms with 64. Untried on a GPU.
BATCH_SIZE = 256


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


@stop_signals.deferred()
def predict_probabilities(model, images, views=1):
    """Runs a saved member's model on images.

    Args:
        model: `keras.Model` from grey values to probabilities.
        images: uint8, shape `(images, 48, 48)`.
        views: How many views of each image the model computes; a batch then has fewer images.

    Returns:
        float32, shape `(images, classes)`.

    Raises:
        fer_ensemble.base.stop_signals.Stopped: After a stop signal, between two batches.
    """
    from fer_ensemble.models.device import compile_options

    count = len(images)
    if count == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    if not model.compiled:
        model.compile(**compile_options())
    batch_size = min(count, max(1, BATCH_SIZE // views))
    # The last batch is filled up with the first images, whose probabilities are dropped: another size would be
    # traced and compiled once more.
    batches = []
    for start in range(0, count, batch_size):
        stop_signals.check()
        batches.append(model.predict_on_batch(images[np.arange(start, start + batch_size) % count, ..., None]))
    return np.concatenate(batches)[:count]


def predict_parts(model, dataset, positions, views=1):
    """Predicts some parts of a data set.

    Args:
        model: `keras.Model` from grey values to probabilities.
        dataset: `Dataset`.
        positions: Dictionary from the name of a part to the positions of its images, an int array. Training
            images are taken for held-out ones, whose copies are all held out with them.
        views: How many views of each image the model computes.

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
            probabilities=predict_probabilities(model, dataset.images[chosen], views),
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
        UserError: If the file is damaged.
    """
    try:
        with h5py.File(path) as file:
            parts = {
                name: Predictions(**{field: values[()] for field, values in group.items()})
                for name, group in file.items()
            }
            return parts, file.attrs["dataset"]
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} must hold the predictions of a member, but cannot be read ({error}).") from error
