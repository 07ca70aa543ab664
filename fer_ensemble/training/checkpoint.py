"""Where a training stands, kept so that a later process goes on from there."""

import pathlib

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.members import directory
from fer_ensemble.training.history import format_history
from fer_ensemble.training.state import load_state, read_notes, save_state


class Checkpoint:
    """The history and the saved state of one training.

    Args:
        folder: Where `state.npz` and `history.csv` are.
        identity: JSON value, saved with the state, from which a later process sees whose state it is.

    Attributes:
        folder: As above.
        notes: What was saved beside the state, a dictionary, or None if there was no state when this was made.
        history: Rows of the epochs done, a list of dictionaries.
        variables: What is saved and restored; to be set before the first of either.

    Raises:
        UserError: If the saved state is damaged.
    """

    def __init__(self, folder: pathlib.Path, identity: dict):
        self.folder = folder
        self._identity = identity
        self.notes = read_notes(folder / directory.STATE)
        self.history = self.notes["history"] if self.notes else []
        self.variables = []

    def restore(self) -> None:
        """Gives the variables the saved values."""
        load_state(self.folder / directory.STATE, self.variables)

    def save(self, **position: object) -> None:
        """Saves the variables, the history, and where in an epoch the training stands."""
        notes = {**self._identity, "history": self.history, **position}
        save_state(self.folder / directory.STATE, self.variables, notes)
        if self.history:  # else a signal came in the first epoch, and there is no row to show
            write_text(self.folder / directory.HISTORY, format_history(self.history))
