"""The augmentation of the pixels, on the device, inside the compiled training step."""

import keras
import numpy as np
from keras import ops

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.training.degradation import degrade

# A mixed image's partner is the one this many places further in the (shuffled) batch.
PARTNER_DISTANCE = 1


class AugmentedImages(keras.layers.Layer):
    """Turns positions and draws into augmented images; holds all images, on the device, as uint8.

    The data set crosses to the device once. After that a training step needs some 30 numbers per image from the
    host, and no input pipeline has to keep up with the device.

    Args:
        images: uint8, shape `(images, 48, 48)`, grey values 0..255.
    """

    def __init__(self, images: np.ndarray):
        super().__init__(dtype="float32", name="augmented_images")
        self.images = self.add_weight(
            shape=images.shape,
            dtype="uint8",
            trainable=False,
            autocast=False,
            initializer=lambda shape, dtype: ops.convert_to_tensor(images),
            name="images",
        )

    def call(self, inputs: dict) -> keras.KerasTensor:
        """Augments a batch.

        Args:
            inputs: Dictionary with `positions`, int32, shape `(batch,)`, and the arrays of
                `fer_ensemble.training.draws.draw_batch`.

        Returns:
            float32, shape `(batch, 48, 48, 1)`, grey values 0..255.
        """
        return augment(ops.take(self.images, inputs["positions"], axis=0), inputs)

    def compute_output_spec(self, inputs: dict) -> keras.KerasTensor:
        return keras.KerasTensor((None, IMAGE_SIZE, IMAGE_SIZE, 1), dtype="float32")


def augment(images: keras.KerasTensor, draws: dict) -> keras.KerasTensor:
    """Applies the draws of `draw_batch` to a batch of images, shape `(batch, 48, 48)`; missing ones do nothing.

    Returns:
        float32, shape `(batch, 48, 48, 1)`, grey values 0..255.
    """
    images = ops.cast(images, "float32")[..., None]
    if "transform" in draws:
        # One resampling for shift, rotation, zoom and mirror: four in a row would blur the face.
        images = ops.image.affine_transform(
            images, draws["transform"], interpolation="bilinear", fill_mode="nearest"
        )
    if "light" in draws:
        factor, offset = (_per_image(draws["light"][:, column]) for column in range(2))
        images = ops.clip((images - 127.5) * factor + 127.5 + offset, 0.0, 255.0)
    if "degrade" in draws:  # after the light, as in a camera
        images = degrade(images, draws["degrade"])
    if "erase" in draws:
        grey = _per_image(draws["erase"][:, 4])
        images = ops.where(_inside(draws["erase"][:, :4]), grey, images)
    if "mix" in draws:
        partners = ops.roll(images, -PARTNER_DISTANCE, axis=0)
        weight = _per_image(draws["mix"][:, 0])
        images = ops.where(_inside(draws["mix"][:, 1:]), partners, weight * images + (1 - weight) * partners)
    return images


def _per_image(values):
    return ops.reshape(values, (-1, 1, 1, 1))


def _inside(rectangles):
    # Boolean, shape (batch, 48, 48, 1): which pixels lie in the rectangle (top, bottom, left, right).
    top, bottom, left, right = (_per_image(rectangles[:, column]) for column in range(4))
    rows = np.arange(IMAGE_SIZE, dtype=np.float32).reshape(1, -1, 1, 1)
    columns = rows.reshape(1, 1, -1, 1)
    inside_rows = ops.logical_and(rows >= top, rows < bottom)
    inside_columns = ops.logical_and(columns >= left, columns < right)
    return ops.logical_and(inside_rows, inside_columns)
