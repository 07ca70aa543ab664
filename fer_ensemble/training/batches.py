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
        targets = ((1 - smoothing) * np.eye(classes) + smoothing / classes)[labels]
        self._weighted = settings.class_weight != "none"
        if self._weighted:
            targets *= class_weights(labels, classes, settings.class_weight)[labels, None]
        self._targets = targets.astype(np.float32)
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
        inputs = {"positions": positions.astype(np.int32), **draws}
        if not self._weighted:
            return inputs, targets
        # TensorFlow's gradient is right only for targets that sum to 1: their sum is the weight of the image.
        weights = targets.sum(axis=1)
        return inputs, targets / weights[:, None], weights

    def _order(self):
        if self._order_epoch != self.epoch:
            self._order_epoch = self.epoch
            self._positions = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._targets))
        return self._positions


def class_weights(labels, classes, kind):
    """Weighs the classes by how rare they are.

    Args:
        labels: int, shape `(images,)`.
        classes: Number of classes.
        kind: `balanced`, in inverse proportion to the classes' images, or `sqrt`, to the square root of that.

    Returns:
        Float64 array of shape `(classes,)`, whose mean over the images is 1.

    Example:

    >>> class_weights(np.array([0, 0, 0, 1]), 2, "balanced").round(3)
    array([0.667, 2.   ])
    """
    counts = np.bincount(labels, minlength=classes)
    weights = np.maximum(counts, 1.0) ** {"balanced": -1.0, "sqrt": -0.5}[kind]
    return weights * len(labels) / (counts @ weights)
