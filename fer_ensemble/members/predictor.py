"""Predicting with one member after another, on networks that are built once."""

import functools

from fer_ensemble.members import directory
from fer_ensemble.members.views import average_views

# The settings that decide which layers a network has; the others decide its weights.
_ARCHITECTURE = (
    "model", "width", "input_size", "stem_stride", "downsampling", "activation", "input_channels",
    "pixel_statistics",
)  # fmt: skip


class Predictor:
    """A network for each architecture, which takes over the weights of one member after another.

    16 members are two architectures: two networks are built, traced and compiled, not 16. Their batch
    normalisation is folded.

    Args:
        views: The views of each face, as for `fer_ensemble.members.views.average_views`.
        precision: Keras dtype policy to compute in; `auto` is the fastest that the device computes in.
    """

    def __init__(self, views="none", precision="float32"):
        self.views = views
        self._precision = precision
        self._networks = {}

    @functools.cached_property
    def precision(self):
        """The Keras dtype policy that it computes in."""
        from fer_ensemble.models.device import choose_precision

        return choose_precision(self._precision)

    def load(self, member):
        """Returns a member's network, a compiled `keras.Model` from grey values to probabilities.

        It is this member's until the next one is loaded.

        Args:
            member: `fer_ensemble.members.collection.Member`.

        Raises:
            UserError: If the member's model is not the file that its training wrote.
        """
        from fer_ensemble.models.device import keras
        from fer_ensemble.models.folding import fold_weights

        directory.check_file(member.folder, member.record, directory.MODEL)
        path = member.folder / directory.MODEL
        settings = member.record["settings"]
        architecture = (*(settings.get(name) for name in _ARCHITECTURE), len(member.record["class_names"]))
        if architecture not in self._networks:
            self._networks[architecture] = self._build(keras.saving.load_model(path, compile=False))
        model, folded, network = self._networks[architecture]
        model.load_weights(path)
        fold_weights(model, folded)
        return network

    def _build(self, model):
        from fer_ensemble.models.device import compile_options
        from fer_ensemble.models.folding import fold_model

        folded = fold_model(model, self.precision)
        network = average_views(folded, self.views)
        network.compile(**compile_options())
        return model, folded, network
