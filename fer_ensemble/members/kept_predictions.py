"""Predictions that are kept beside a member, under a key that says of what and how they were made."""

import contextlib
import dataclasses
import hashlib
import pathlib

from fer_ensemble.base.errors import UserError
from fer_ensemble.members.predictions import read_predictions_and_attributes, write_predictions


@dataclasses.dataclass(frozen=True)
class PredictionKey:
    """What predictions depend on.

    Attributes:
        model: SHA-256 of the model.
        data: Fingerprint of the data set.
        views: Views of each face, as for `fer_ensemble.members.views.average_views`.
        precision: Keras dtype policy that they were computed in.
    """

    model: str
    data: str
    views: str
    precision: str

    def path_in(self, folder: pathlib.Path) -> pathlib.Path:
        """Returns the path of the file that is kept under this key."""
        digest = hashlib.sha256("\n".join(dataclasses.astuple(self)).encode()).hexdigest()
        return folder / f"predictions-{digest[:16]}.h5"


def read_kept(folder: pathlib.Path, key: PredictionKey) -> dict | None:
    """Returns what is kept under the key, a dictionary from part to `Predictions`; None if nothing sound is."""
    path = key.path_in(folder)
    if not path.is_file():
        return None
    try:
        parts, attributes = read_predictions_and_attributes(path)
    except UserError:  # cut short, or another's: made anew
        return None
    return parts if attributes == _attributes(key) else None


def keep(folder: pathlib.Path, key: PredictionKey, parts: dict) -> bool:
    """Keeps predictions under their key; tells whether it could: a folder that cannot be written is no error."""
    with contextlib.suppress(OSError):
        write_predictions(key.path_in(folder), parts, **_attributes(key))
        return True
    return False


def _attributes(key):
    return {"dataset": key.data, "model": key.model, "views": key.views, "precision": key.precision}
