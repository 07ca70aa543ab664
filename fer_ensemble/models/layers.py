"""The layers that the architectures share."""

import functools
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

# Means and standard deviations of red, green and blue, as shares of the range 0..255, as torchvision has them.
IMAGENET_STATISTICS = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PIXEL_STATISTICS = "pixel_statistics"  # name of the layer that holds the data set's
IMAGE_STATISTICS = "image_statistics"  # of the one that computes each image's
MEAN_IMAGE = (129.5, 54.0)  # grey values: mean and standard deviation of the images of FER2013, on average
_EPSILON = 1e-6


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's batch normalisation, computed by one fused kernel where the backend has one.

    Keras's own computes the moments and the output in separate passes over the feature map, in float32, which
    takes longer than the convolutions around it on a CPU. TensorFlow's `FusedBatchNormV3` reads bfloat16 and
    float16 as they are. Weights, configuration and results (up to rounding) are those of
    `keras.layers.BatchNormalization`, so that the weights move to plain layers when a member is saved.
    Other backends and inputs that are not `(batch, height, width, channels)` take Keras's own path.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        if keras.backend.backend() != "tensorflow" or len(inputs.shape) != 4 or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        training = bool(training) and self.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.convert_to_tensor(self.gamma),
            offset=ops.convert_to_tensor(self.beta),
            mean=ops.convert_to_tensor(self.moving_mean),
            variance=ops.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            # 1: hand out this batch's statistics; the moving averages below are Keras's.
            exponential_avg_factor=1.0,
            is_training=training,
        )
        if training:
            # The kernel hands out the unbiased variance (over n - 1); Keras averages the biased one.
            count = ops.cast(ops.prod(ops.shape(inputs)[:-1]), variance.dtype)
            biased = variance * (count - 1) / count
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + biased * (1 - self.momentum))
        return outputs


def normalized_convolution(
    features: keras.KerasTensor,
    filters: int,
    normalization: Callable[..., keras.Layer],
    strides: int = 1,
    kernel_size: int = 3,
    activation: str | None = "relu",
    padding: str = "same",
    names: tuple[str | None, str | None] = (None, None),
) -> keras.KerasTensor:
    """Convolution without bias, batch normalisation, activation: the unit of nearly all architectures.

    `names` are those of the convolution and of the normalisation, where weights are to be found by them.
    """
    features = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=names[0],
    )(features)
    features = normalization(name=names[1])(features)
    return layers.Activation(activation)(features) if activation else features


def pixels_to_features(
    input_size: int, channels: int = 1, statistics: str = "unit"
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Makes the model's input, and of it what the first convolution sees.

    Args:
        input_size: Height and width, in pixels.
        channels: 1, or 3 for the grey values three times over.
        statistics: `unit` for values of -1..1; `imagenet` for ImageNet's means and standard deviations, with one
            channel their averages, taken off values of 0..1; `dataset` for those that `set_pixel_statistics` sets;
            `image` for a mean of 0 and a standard deviation of 1 of each image by itself.

    Returns:
        Tuple of the input, grey values 0..255 of shape `(batch, 48, 48, 1)`, and float32 features of shape
        `(batch, input_size, input_size, channels)`.
    """
    pixels = keras.Input((48, 48, 1), name="pixels")
    # float32 until here: the first convolution rounds once, to its own precision.
    features = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(pixels)
    if input_size != 48:
        # `training` of this layer is True by default, and would be so for the normalisation after it, too.
        features = layers.Resizing(input_size, input_size, dtype="float32")(features, training=False)
    if channels == 3:
        features = layers.Concatenate(dtype="float32")([features] * 3)
    if statistics == "imagenet":
        mean, deviation = (
            values if channels == 3 else values.mean(keepdims=True) for values in IMAGENET_STATISTICS
        )
        scale, offset = 1 / (2 * deviation), (1 - 2 * mean) / (2 * deviation)  # from -1..1
        features = layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32")(features)
    elif statistics == "image":
        features = layers.GroupNormalization(
            1, center=False, scale=False, epsilon=_EPSILON, dtype="float32", name=IMAGE_STATISTICS
        )(features)
    elif statistics == "dataset":
        # Weights, not configuration: members of one architecture differ in them as in all others.
        features = layers.BatchNormalization(
            center=False, scale=False, trainable=False, epsilon=_EPSILON, dtype="float32", name=PIXEL_STATISTICS
        )(features)
    return pixels, features


def set_pixel_statistics(model: keras.Model, mean: float, deviation: float) -> None:
    """Gives a model with `statistics="dataset"` the mean and standard deviation of its images, in grey values."""
    shape = model.get_layer(PIXEL_STATISTICS).moving_mean.shape
    variance = max((deviation / 127.5) ** 2 - _EPSILON, 0)  # the layer adds it again
    model.get_layer(PIXEL_STATISTICS).set_weights([np.full(shape, mean / 127.5 - 1), np.full(shape, variance)])


def logits_layer(classes: int) -> keras.Layer:
    """The last dense layer, in float32 under every precision: softmax and loss need the digits."""
    return layers.Dense(classes, dtype="float32", name="logits")


# 0.9: an epoch of FER2013 is about 170 steps; with Keras's 0.99, short trainings end with stale statistics.
PlainNormalization = functools.partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
FastNormalization = functools.partial(FusedBatchNormalization, momentum=0.9, epsilon=1e-5)
