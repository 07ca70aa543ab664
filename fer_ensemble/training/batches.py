"""What the training step is fed with: positions, draws and labels, a pure function of (seed, epoch, step)."""

import keras
import numpy as np

from fer_ensemble.training.augmentation import PARTNER_DISTANCE
from fer_ensemble.training.draws import draw_batch, label_weights


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch at a time, shuffled anew in each; from `first_step` on, where one was interrupted.

    The last images of an epoch that do not fill a batch are left out of that epoch; which ones these are
    changes with the order.

    Args:
        labels: int, shape `(images,)`.
        classes: Number of classes.
        settings: `TrainingSettings`.
        seed: Seed of the order and of the augmentation.
    """

    def __init__(self, labels, classes, settings, seed):
        super().__init__()
        self.epoch = 0
        self.first_step = 0
        self._seed = seed
        self._settings = settings
        self._batch_size = min(settings.batch_size, len(labels))
        smoothing = settings.label_smoothing
        self._targets = ((1 - smoothing) * np.eye(classes) + smoothing / classes)[labels].astype(np.float32)
        self._order_epoch = None

    @property
    def steps(self):
        """Steps in a whole epoch."""
        return len(self._targets) // self._batch_size

    def __len__(self):
        return self.steps - self.first_step

    def __getitem__(self, index):
        step = self.first_step + index
        positions = self._order()[step * self._batch_size : (step + 1) * self._batch_size]
        generator = np.random.default_rng([self._seed, self.epoch, step + 1])
        draws = draw_batch(generator, len(positions), self._settings)
        targets = self._targets[positions]
        if "mix" in draws:
            own = label_weights(draws["mix"])[:, None]
            targets = own * targets + (1 - own) * np.roll(targets, -PARTNER_DISTANCE, axis=0)
        return {"positions": positions.astype(np.int32), **draws}, targets

    def _order(self):
        if self._order_epoch != self.epoch:
            self._order_epoch = self.epoch
            self._positions = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._targets))
        return self._positions
