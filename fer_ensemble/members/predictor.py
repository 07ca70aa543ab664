"""Predicting with one member after another, on networks that are built once."""

import functools
from typing import TYPE_CHECKING

from fer_ensemble.members import directory
from fer_ensemble.members.networks import Networks

if TYPE_CHECKING:
    import keras

    from fer_ensemble.members.collection import Member


class Predictor:
    """Loads the members' models as they are needed, and checks each.

    Args:
        views: The views of each face, as for `fer_ensemble.members.views.average_views`.
        precision: Keras dtype policy to compute in; `auto` is the fastest that the device computes in.
    """

    def __init__(self, views: str = "none", precision: str = "float32"):
        self.views = views
        self._precision = precision

    @functools.cached_property
    def _networks(self):
        return Networks(self._precision)

    @property
    def precision(self) -> str:
        """The Keras dtype policy that it computes in."""
        return self._networks.precision

    def load(self, member: "Member") -> "keras.Model":
        """Returns a member's network, a compiled `keras.Model` from grey values to probabilities.

        It is this member's until the next one is loaded.

        Args:
            member: `fer_ensemble.members.collection.Member`.

        Raises:
            UserError: If the member's model is not the file that its training wrote.
        """
        directory.check_file(member.folder, member.record, directory.MODEL)
        return self._networks.put(self._networks.read(member.folder / directory.MODEL), self.views)
