"""One network saved as `.keras`, asked like an ensemble."""

import os
import pathlib
import threading

import numpy as np

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.ensemble.choice import UNSURE_BELOW
from fer_ensemble.members import directory
from fer_ensemble.members.networks import Networks
from fer_ensemble.members.predictions import ROW_SUM_TOLERANCE, predict_probabilities
from fer_ensemble.members.views import VIEWS


class KerasNetwork:
    """A member's `model.keras`, or any network of this package saved as `.keras`.

    If it is a member, its classes and the views that it averages are those of its record; if it is one of a saved
    ensemble, its probabilities are calibrated by what was chosen there for one network of its run. May be used
    from several threads.

    Args:
        path: Path of the file.
        precision: Keras dtype policy to compute in; `auto` is the fastest that the device computes in.

    Attributes:
        class_names: Tuple of the names of the classes, in the order of the probabilities.
        about: Dict of what is known of it.
        unsure_below: An answer is unsure if its probability is below.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is damaged, or its classes are not known.
    """

    def __init__(self, path: str | os.PathLike, precision: str = "auto"):
        self._path = path = pathlib.Path(path)
        digest = hash_file(path)
        self._networks, self._lock = Networks(precision), threading.Lock()
        self._weights = self._networks.read(path)
        self._networks.forget_saved()
        record = _find_record(path.parent, digest)
        self._views = directory.recorded_views(record) if record else "none"
        self.class_names = tuple(record["class_names"]) if record else CLASS_NAMES
        if len(self.class_names) != self._weights.classes:
            raise UserError(
                f"{path} tells {self._weights.classes} classes apart, whose names are not known. Leave it in its "
                f"member's directory, beside {directory.RECORD}."
            )
        ensemble = _find_ensemble(path, digest)
        self._calibration = None
        self.unsure_below = UNSURE_BELOW
        if ensemble and ensemble.calibrations and ensemble.views == self._views:  # of others, they are others
            self._calibration = ensemble.calibrations.single.get(path.parent.name)
            self.unsure_below = ensemble.unsure_below
        self.about = {
            "kind": "network",
            "class_names": list(self.class_names),
            "sha256": digest,
            "calibration": self._calibration and dict(vars(self._calibration)),
            "data": record["data"] if record else None,
            "settings": record["settings"] if record else None,
        }

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the classes: float32, shape `(images, classes)`, each row summing to 1.

        Args:
            images: uint8, shape `(images, 48, 48)`, grey values 0..255.
        """
        with self._lock:
            network = self._networks.put(self._weights, self._views)
            probabilities = predict_probabilities(network, np.asarray(images), VIEWS[self._views])
        off = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1)
        if not (off <= ROW_SUM_TOLERANCE).all() or (probabilities < 0).any():  # NaN is no number to compare
            raise UserError(
                f"{self._path} must give probabilities that sum to 1. Received: others, logits perhaps."
            )
        if self._calibration is not None:
            probabilities = self._calibration.apply(probabilities)
        return probabilities.astype(np.float32)


def _find_record(folder, digest):
    """Returns the record beside a model, if it is that of this very file."""
    if not directory.is_complete(folder):
        return None
    record = directory.read_record(folder)
    return record if record["files"].get(directory.MODEL) == digest else None


def _find_ensemble(path, digest):
    """Returns the record of the saved ensemble that the file is a member of, if any."""
    folder = path.absolute().parents[2] if len(path.absolute().parents) > 2 else path.parent
    try:
        record = ensemble_file.read_record(folder)
    except (OSError, UserError):
        return None
    return record if record.models.get(f"{path.parent.parent.name}/{path.parent.name}") == digest else None
