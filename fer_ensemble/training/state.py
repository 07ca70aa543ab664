"""The state of an unfinished training: everything the next step depends on, in one file."""

import contextlib
import json
import pathlib

import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError


def save_state(path: pathlib.Path, variables: list, notes: dict) -> None:
    """Writes the variables' values, and `notes` (anything JSON can hold) beside them.

    Args:
        path: Path of the `.npz` file.
        variables: List of `keras.Variable`, in an order that is the same when the network is built again.
        notes: JSON value.
    """
    import keras  # which takes seconds, and notes are read without it

    values = {
        f"{number:05d}": keras.ops.convert_to_numpy(variable.value) for number, variable in enumerate(variables)
    }
    with replacing(path) as temporary:
        np.savez(temporary, notes=json.dumps(notes), **values)


def read_notes(path: pathlib.Path) -> dict | None:
    """Returns the notes of a saved state, or None if there is none.

    Raises:
        UserError: If the file is damaged.
    """
    if not path.exists():
        return None
    with _damage_as_user_error(path), np.load(path) as saved:
        notes = json.loads(str(saved["notes"]))
        if not isinstance(notes, dict) or not isinstance(notes["history"], list):
            raise TypeError("notes of another shape")
        return notes


def describe_position(notes: dict | None, epochs: int) -> str:
    """Says in words how far a training is: notes as `fit_model` saves them, None before the first."""
    done = len(notes["history"]) if notes else 0
    if notes and notes.get("step"):
        return f"step {notes['step']} of epoch {done + 1} of {epochs}"
    return f"epoch {done} of {epochs}"


def load_state(path: pathlib.Path, variables: list) -> None:
    """Gives the variables the values that `save_state` wrote.

    Raises:
        UserError: If the file is damaged, or is the state of another network or optimiser.
    """
    with _damage_as_user_error(path), np.load(path) as saved:
        values = [saved[f"{number:05d}"] for number in range(len(saved.files) - 1)]
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise UserError(
            f"{path} must hold the {len(variables)} variables of this training. Received: {len(values)} others, "
            "as of another device or version. Start it afresh with --overwrite."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def _damage_as_user_error(path):
    try:
        yield
    except Exception as error:  # whatever NumPy, zipfile and json find wrong with it
        raise UserError(
            f"{path} must hold the state of an unfinished training, but cannot be read ({type(error).__name__}). "
            "Start it afresh with --overwrite."
        ) from error
