"""What a network said of each image before, as a part of what it is to say: labels that are wrong teach less."""

import keras
from keras import ops

BEGIN = 0.4  # of the training: before that the network has not learnt enough to teach itself
MOMENTUM = 0.9  # of an image's running mean, which moves once an epoch


class SelfLabels(keras.layers.Layer):
    """Keeps a running mean of the probabilities that each training image was given under its augmentations.

    Args:
        images: Number of training images.
        classes: Number of classes.
        share: Share of a target that is the mean, once that counts.
        begin: Step from which on it counts.

    Source:
        Lu & He (2022), https://arxiv.org/abs/2205.01156, there without a share for the label.
    """

    def __init__(self, images: int, classes: int, share: float, begin: int):
        super().__init__(dtype="float32", name="self_labels")
        self._share, self._begin, self._classes = share, begin, classes
        self.means = self._weight((images, classes), "float32", "means")
        self.step = self._weight((), "int32", "step")

    def _weight(self, shape, dtype, name):
        return self.add_weight(
            shape=shape, dtype=dtype, trainable=False, autocast=False, initializer="zeros", name=name
        )

    def call(self, inputs: list, training: bool | None = None) -> keras.KerasTensor:
        """Joins logits, shape `(batch, classes)`, with what `SelfLabelledLoss` makes of them.

        Args:
            inputs: The logits, and the images' positions, int32, shape `(batch,)`.
            training: Whether the means move.

        Returns:
            float32, shape `(batch, 2 * classes + 1)`: the logits, the means until now, and their share.
        """
        logits, positions = inputs
        means = ops.take(self.means, positions, axis=0)
        # Zeros in the beginning, so a row sums to less than 1 until it has moved many times.
        sums = ops.sum(means, axis=1, keepdims=True)
        share = ops.where(ops.logical_and(self.step >= self._begin, sums > 0), self._share, 0.0)
        if training:
            said = ops.softmax(ops.stop_gradient(logits))
            moved = MOMENTUM * means + (1 - MOMENTUM) * said
            self.means.assign(ops.scatter_update(self.means, positions[:, None], moved))
            self.step.assign(self.step + 1)
        return ops.concatenate([logits, means / ops.maximum(sums, 1e-6), share], axis=1)

    def compute_output_spec(self, inputs: list, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor((None, 2 * self._classes + 1), dtype="float32")


@keras.saving.register_keras_serializable("fer_ensemble")
class SelfLabelledLoss(keras.losses.Loss):
    """Cross-entropy of the logits against targets that the means take their share of."""

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        logits, means, share = split(y_true, y_pred)
        return ops.categorical_crossentropy((1 - share) * y_true + share * means, logits, from_logits=True)


def split(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> tuple:
    """Returns the logits, the means and the share, of what `SelfLabels` joined."""
    classes = y_true.shape[-1]
    return y_pred[:, :classes], y_pred[:, classes : 2 * classes], y_pred[:, 2 * classes :]


def accuracy(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Returns whether the largest logit is that of the label's class."""
    return keras.metrics.categorical_accuracy(y_true, split(y_true, y_pred)[0])
