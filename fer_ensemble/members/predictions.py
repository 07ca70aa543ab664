"""The predictions of one member: computing, writing and reading them."""

import dataclasses
import io
import os
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import TRAINING, UNLABELLED, Dataset

if TYPE_CHECKING:
    import keras

PARTS = ("oof", "PublicTest", "PrivateTest")
# float32 rows are off by about 1e-7, half precision by 1e-3; logits and percents are off by far more.
ROW_SUM_TOLERANCE = 1e-3
# 256 faces: on 2 CPU cores (EPYC, AVX-512) folded networks of width 16 took 0.48 ms (cnn) and 0.86 ms (resnet) of
# CPU per face, and 0.52 and 0.98 ms with 64. Untried on a GPU.
BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True)
class Predictions:
    """A member's probabilities for one set of images (`oof`, `PublicTest`, `PrivateTest`), and what scores them.

    Attributes:
        rows: int64, shape `(images,)`, the images' rows in their source.
        labels: int8, shape `(images,)`, -1 where there is none.
        copies: bool, shape `(images,)`, whether an exact copy is among the Training images of the data set that
            was predicted: a member of the run may have been trained on it.
        probabilities: float32, shape `(images, classes)`, each row summing to 1.
    """

    rows: np.ndarray
    labels: np.ndarray
    copies: np.ndarray
    probabilities: np.ndarray


@stop_signals.deferred()
def predict_probabilities(model: "keras.Model", images: np.ndarray, views: int = 1) -> np.ndarray:
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
    # Powers of two: whoever asks for other numbers of images again and again has few sizes traced and compiled.
    batch_size = min(1 << (count - 1).bit_length(), max(1, BATCH_SIZE // views))
    # The last batch is filled up with the first images, whose probabilities are dropped: another size would be
    # traced and compiled once more.
    batches = []
    for start in range(0, count, batch_size):
        stop_signals.check()
        batches.append(model.predict_on_batch(images[np.arange(start, start + batch_size) % count, ..., None]))
    return np.concatenate(batches)[:count]


def predict_parts(
    model: "keras.Model", dataset: Dataset, positions: dict[str, np.ndarray], views: int = 1
) -> dict[str, Predictions]:
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


def write_predictions(
    path: str | os.PathLike, parts: dict[str, Predictions], dataset: str, **attributes: str
) -> None:
    """Writes predictions to an HDF5 file, a group for each part.

    Args:
        path: Path of the file.
        parts: Dictionary from name to `Predictions`.
        dataset: Fingerprint of the `Dataset` that was predicted.
        attributes: What else the file says of itself, texts.
    """
    import h5py

    content = io.BytesIO()  # at most a few MB: on a full disk, HDF5 ends the process
    with h5py.File(content, "w") as file:
        file.attrs.update({"dataset": dataset, **attributes})
        for name, part in parts.items():
            for field, values in vars(part).items():
                # Rows, labels and copies take a quarter of the file as they are, a hundredth compressed; the last
                # digits of probabilities are noise.
                compress = (
                    {"compression": "gzip", "shuffle": True} if values.dtype.kind != "f" and len(values) else {}
                )
                file.create_dataset(f"{name}/{field}", data=values, **compress)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def read_predictions(path: str | os.PathLike) -> tuple[dict[str, Predictions], str]:
    """Reads what `write_predictions` wrote.

    Returns:
        Dictionary from name to `Predictions`, and the fingerprint of the data set.

    Raises:
        UserError: If the file is damaged.
    """
    parts, attributes = read_predictions_and_attributes(path)
    return parts, attributes["dataset"]


def read_predictions_and_attributes(path: str | os.PathLike) -> tuple[dict[str, Predictions], dict]:
    """Returns what `read_predictions` does, but all attributes of the file, a dictionary. Raises as it does."""
    import h5py

    try:
        with h5py.File(path, locking=False) as file:  # files are replaced, never changed
            attributes = dict(file.attrs)
            if not isinstance(attributes.get("dataset"), str):
                raise ValueError("it does not say of which data")
            if not all(isinstance(file.get(name, getlink=True), h5py.HardLink) for name in file):
                raise ValueError("it has links to other files")
            return {name: _read_part(name, group) for name, group in file.items()}, attributes
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} must hold the predictions of a member, but cannot be read ({reason}).") from error


def _read_part(name, group):
    import h5py

    if name not in PARTS or not isinstance(group, h5py.Group):
        raise ValueError(f"{name[:40]!r} is no part of {', '.join(PARTS)}")
    fields = [field.name for field in dataclasses.fields(Predictions)]
    if sorted(group) != sorted(fields) or not all(_is_here(group, field) for field in fields):
        raise ValueError(f"{name} must have {', '.join(fields)}")
    images = group["rows"].shape[0] if group["rows"].ndim == 1 else None
    shapes = {field: group[field].shape for field in fields}
    kinds = {field: group[field].dtype.kind for field in fields}
    if (
        kinds != {"rows": "i", "labels": "i", "copies": "b", "probabilities": "f"}
        or images is None
        or any(shapes[field] != (images,) for field in ("labels", "copies"))
        or len(shapes["probabilities"]) != 2
        or shapes["probabilities"][0] != images
        or any(group[field].size > _most_values(group[field]) for field in fields)
    ):
        raise ValueError(f"{name} has the shapes {shapes} and the kinds {kinds}")
    part = Predictions(**{field: group[field][()] for field in fields})
    check_predictions(name, part)
    return part


def _is_here(group, field):
    """Whether a field is an array of this very file: HDF5 knows links and arrays that lead into others."""
    import h5py

    if not isinstance(group.get(field, getlink=True), h5py.HardLink):
        return False
    found = group[field]
    return isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual


def _most_values(dataset):
    # A few bytes can declare a million images that were never written.
    return max(1_000_000, 2_000 * dataset.id.get_storage_size())


def check_predictions(name: str, part: Predictions) -> None:
    """Raises ValueError unless a part's rows are different images, its labels classes, its rows probabilities."""
    probabilities, classes = part.probabilities, part.probabilities.shape[1]
    if len(np.unique(part.rows)) != len(part.rows) or (len(part.rows) and part.rows.min() < 0):
        raise ValueError(f"{name} has a row twice, or one below 0")
    if len(part.labels) and not UNLABELLED <= part.labels.min() <= part.labels.max() < classes:
        raise ValueError(f"{name} has labels {part.labels.min()} to {part.labels.max()}, of {classes} classes")
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise ValueError(f"{name} has probabilities that are negative, infinite or no numbers")
    if len(probabilities) and np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max() > ROW_SUM_TOLERANCE:
        raise ValueError(f"{name} has rows of probabilities that do not sum to 1")
