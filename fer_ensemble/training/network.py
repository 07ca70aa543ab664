"""The network under training, and its plain twin, which is what is saved."""

import contextlib
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops

from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.device import choose_precision, compile_options
from fer_ensemble.models.layers import set_pixel_statistics
from fer_ensemble.training import self_labels
from fer_ensemble.training.augmentation import AugmentedImages
from fer_ensemble.training.batches import TrainingBatches, count_steps
from fer_ensemble.training.draws import draw_batch
from fer_ensemble.training.optimizers import averaged_weights
from fer_ensemble.training.settings import TrainingSettings

# Batches whose statistics averaged weights are given: at a momentum of 0.9 the last 20 or so count.
STATISTICS_BATCHES = 40


class TrainingNetwork:
    """One network in three forms that share their weights or take them over.

    Args:
        images: uint8, shape `(images, 48, 48)`: what it trains on.
        classes: Number of classes.
        settings: `TrainingSettings`.

    Attributes:
        core: From grey values to logits, in the precision of the training step, nothing random in front of it.
        training: From positions and draws, through the augmentation, to the logits; what Keras's `fit` trains.
        plain: Float32, layers of Keras only, from grey values to probabilities; what is saved.
    """

    def __init__(self, images: np.ndarray, classes: int, settings: TrainingSettings):
        with _dtype_policy(choose_precision(settings.precision)):
            self.core = build_model(settings, classes, fast=True)
        if settings.pixel_statistics == "dataset":
            set_pixel_statistics(self.core, images.mean(dtype=np.float64), images.std(dtype=np.float64))
        draws = draw_batch(np.random.default_rng(0), 1, settings)
        inputs = {name: keras.Input(values.shape[1:], name=name) for name, values in draws.items()}
        inputs["positions"] = keras.Input((), dtype="int32", name="positions")
        outputs = self.core(AugmentedImages(images)(inputs))
        self._self_labels = None
        if settings.self_labels:
            begin = round(self_labels.BEGIN * settings.epochs * count_steps(len(images), settings))
            self._self_labels = self_labels.SelfLabels(len(images), classes, settings.self_labels, begin)
            outputs = self._self_labels([outputs, inputs["positions"]])
        self.training = keras.Model(inputs, outputs)
        self.plain = build_plain_model(classes, settings)

    def initialize(self, give_weights: Callable[[keras.Model], None]) -> None:
        """Starts from the weights that `give_weights` gives a plain model."""
        self.plain.set_weights(self.core.get_weights())
        give_weights(self.plain)
        self.core.set_weights(self.plain.get_weights())

    def compile(self, optimizer: keras.optimizers.Optimizer, **options: object) -> None:
        """Compiles `training`; `options` go before those that suit the device."""
        if self._self_labels:
            loss = self_labels.SelfLabelledLoss()
            accuracy = keras.metrics.MeanMetricWrapper(self_labels.accuracy, name="accuracy")
        else:
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        self.training.compile(
            optimizer=optimizer,
            loss=loss,
            metrics=[accuracy],
            **{**compile_options(training=True), **options},
        )
        self.training.optimizer.build(self.core.trainable_variables)

    @property
    def variables(self) -> list:
        """All that the next step depends on, in an order that is the same when the network is built again."""
        return self._own_variables + self.training.optimizer.variables

    @property
    def _own_variables(self):
        return self.core.variables + (self._self_labels.variables if self._self_labels else [])

    def update_plain(self, batches: TrainingBatches) -> keras.Model:
        """Gives `plain` the present weights, or their moving averages if the optimiser keeps any, and returns it.

        Averaged weights make other feature maps than the present ones: the statistics of their batch
        normalisations are computed anew, on augmented training images.

        Args:
            batches: Where the training images come from.
        """
        weights = self.core.trainable_variables
        averages = averaged_weights(self.training.optimizer, weights)
        if averages is not weights:
            with self._kept():
                for variable, value in zip(weights, averages, strict=True):
                    variable.assign(ops.copy(value))  # JAX would share the array, and predicting gives it away
                for inputs in batches.first_inputs(STATISTICS_BATCHES):
                    self.training(inputs, training=True)
                self.plain.set_weights(self.core.get_weights())
        else:
            self.plain.set_weights(self.core.get_weights())
        return self.plain

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Puts all variables but the optimiser's back, random states included, when the block ends."""
        before = [ops.convert_to_numpy(variable.value) for variable in self._own_variables]
        try:
            yield
        finally:
            for variable, value in zip(self._own_variables, before, strict=True):
                variable.assign(value)


def build_plain_model(classes: int, settings: TrainingSettings) -> keras.Model:
    """Returns the twin of what is trained that is saved: float32, layers of Keras only, probabilities."""
    with _dtype_policy("float32"):
        return add_softmax(build_model(settings, classes))


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Sets Keras's dtype policy for the layers that are made within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
