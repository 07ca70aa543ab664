"""Networks that are built once and compute with the weights of one member after another."""

import dataclasses
import os
from typing import TYPE_CHECKING

from fer_ensemble.members.saved_network import load_network, read_architecture
from fer_ensemble.members.views import average_views

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Weights:
    """A member's weights with the batch normalisation folded in.

    Attributes:
        architecture: What its network shares with others, as from `read_architecture`.
        arrays: List of arrays, as `keras.Model.get_weights` has them.
        classes: Number of classes.
    """

    architecture: str
    arrays: list
    classes: int


class Networks:
    """A network for each architecture: 16 members are two networks to build, trace and compile, not 16.

    Args:
        precision: Keras dtype policy to compute in; `auto` is the fastest that the device computes in.
    """

    def __init__(self, precision: str = "float32"):
        from fer_ensemble.models.device import choose_precision

        self.precision = choose_precision(precision)
        self._saved = {}  # as they were saved
        self._folded = {}  # with the batch normalisation folded
        self._views = {}  # those, behind each number of views
        self._held = {}  # the weights that each of them has now

    def read(self, path: str | os.PathLike) -> Weights:
        """Reads a member's model, which `put` then brings into its network.

        Raises:
            FileNotFoundError: If there is no such file.
            UserError: If it is no network of ours, or damaged.
        """
        from fer_ensemble.models.folding import fold_model, fold_weights

        architecture = read_architecture(path)
        if architecture not in self._folded or architecture not in self._saved:
            self._saved[architecture] = load_network(path)
            if architecture not in self._folded:
                self._folded[architecture] = fold_model(self._saved[architecture], self.precision)
        else:
            self._saved[architecture].load_weights(path)
        self._held.pop(architecture, None)
        fold_weights(self._saved[architecture], self._folded[architecture])
        folded = self._folded[architecture]
        self._held[architecture] = Weights(architecture, folded.get_weights(), folded.output_shape[-1])
        return self._held[architecture]

    def forget_saved(self) -> None:
        """Frees what only reading takes: the unfolded networks."""
        self._saved.clear()

    def put(self, weights: Weights, views: str = "none") -> "keras.Model":
        """Returns the network of some weights, a compiled `keras.Model` from grey values to probabilities.

        It has these weights until others of the same architecture are put.

        Args:
            weights: What `read` returned.
            views: The views of each face, as for `fer_ensemble.members.views.average_views`.
        """
        from fer_ensemble.models.device import compile_options

        folded = self._folded[weights.architecture]
        if self._held.get(weights.architecture) is not weights:
            folded.set_weights(weights.arrays)
            self._held[weights.architecture] = weights
        key = weights.architecture, views
        if key not in self._views:
            network = average_views(folded, views)
            network.compile(**compile_options())
            self._views[key] = network
        return self._views[key]
