"""What the training step is fed with: positions, draws and labels, a pure function of (seed, epoch, step)."""

from collections.abc import Iterator

import keras
import numpy as np

from fer_ensemble.training.augmentation import PARTNER_DISTANCE
from fer_ensemble.training.draws import draw_batch, label_weights
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.targets import class_weights


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch at a time, shuffled anew in each; from `first_step` on, where one was interrupted.

    The last images of an epoch that do not fill a batch are left out of that epoch; which ones these are
    changes with the order.

    Args:
        targets: Float array of shape `(images, classes)`, each row summing to 1: what the network is to say.
        settings: `TrainingSettings`.
        seed: Seed of the order and of the augmentation.
    """

    def __init__(self, targets: np.ndarray, settings: TrainingSettings, seed: int):
        super().__init__()
        self.epoch = 0
        self.first_step = 0
        self._seed = seed
        self._settings = settings
        self.batch_size = fit_batch_size(len(targets), settings)
        smoothing = settings.label_smoothing
        smooth = (1 - smoothing) * targets + smoothing / targets.shape[1]
        self._weighted = settings.class_weight != "none"
        if self._weighted:
            smooth *= (targets @ class_weights(targets, settings.class_weight))[:, None]
        self._targets = smooth.astype(np.float32)
        self._order_epoch = None

    @property
    def steps(self) -> int:
        """Steps in a whole epoch."""
        return count_steps(len(self._targets), self._settings)

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, index: int) -> tuple:
        return self._batch(self.epoch, self.first_step + index)

    def first_inputs(self, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Yields the inputs, without the targets, of the first batches of the first epoch, at most `count`."""
        for step in range(min(count, self.steps)):
            yield self._batch(0, step)[0]

    def _batch(self, epoch, step):
        positions = self._order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        generator = np.random.default_rng([self._seed, epoch, step + 1])
        draws = draw_batch(generator, len(positions), self._settings)
        targets = self._targets[positions]
        if "mix" in draws:
            own = label_weights(draws["mix"])[:, None]
            targets = own * targets + (1 - own) * np.roll(targets, -PARTNER_DISTANCE, axis=0)
        inputs = {"positions": positions.astype(np.int32), **draws}
        if not self._weighted:
            return inputs, targets
        # TensorFlow's gradient is right only for targets that sum to 1: their sum is the weight of the image.
        weights = targets.sum(axis=1)
        return inputs, targets / weights[:, None], weights

    def for_fit(self) -> object:
        """Returns the batches in the form that Keras's `fit` reads fastest on this backend.

        The `tf.data.Dataset` that Keras makes of a `PyDataset` has a thread that tunes it. When an epoch ends,
        `fit` waits for that thread, which often misses the call to end and sleeps on, for up to a minute.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False
        batches = tf.data.Dataset.from_generator(
            lambda: (self[index] for index in range(len(self))),
            output_signature=tf.nest.map_structure(
                lambda values: tf.TensorSpec((None, *values.shape[1:]), values.dtype), self[0]
            ),
        )
        batches = batches.apply(tf.data.experimental.assert_cardinality(len(self)))
        return batches.prefetch(2).with_options(options)

    def _order(self, epoch):
        if self._order_epoch != epoch:
            self._order_epoch = epoch
            self._positions = np.random.default_rng([self._seed, epoch]).permutation(len(self._targets))
        return self._positions


def count_steps(images: int, settings: TrainingSettings) -> int:
    """Returns the steps of an epoch of that many images."""
    return images // fit_batch_size(images, settings)


def fit_batch_size(images: int, settings: TrainingSettings) -> int:
    """Returns how many images a batch holds: no more than there are."""
    return min(settings.batch_size, images)
