"""ResNet9: eight convolutions with two residual connections, and the logits."""

from collections.abc import Callable

import keras
from keras import layers

from fer_ensemble.models.layers import normalized_convolution


def build_resnet9(
    features: keras.KerasTensor, width: int, normalization: Callable[..., keras.Layer], activation: str
) -> keras.KerasTensor:
    """Builds the ResNet9: convolutions of `width`, 2, 4 and 8 times `width` channels, all but the first followed
    by max pooling, the second and the fourth also by a residual connection over two convolutions; then the
    largest value of each channel.

    Args:
        features: What the first convolution sees, shape `(batch, height, width, channels)`.
        width: Channels of the first convolution; 64 is the usual one.
        normalization: Function that makes a batch normalisation layer.
        activation: Name of the activation, as for `keras.layers.Activation`.

    Returns:
        What the logits are computed of, shape `(batch, 8 * width)`.

    Source:
        The network of D. Page, https://github.com/davidcpage/cifar10-fast, in the form that PyTorch courses teach.
        The last max pooling is over the whole feature map, as their 4x4 is for 32x32 pixels.
    """
    features = normalized_convolution(features, width, normalization, activation=activation)
    for multiple, residual in ((2, True), (4, False), (8, True)):
        features = normalized_convolution(features, multiple * width, normalization, activation=activation)
        features = layers.MaxPooling2D()(features)
        if residual:
            inner = normalized_convolution(features, multiple * width, normalization, activation=activation)
            inner = normalized_convolution(inner, multiple * width, normalization, activation=activation)
            features = layers.Add()([inner, features])
    return layers.GlobalMaxPooling2D()(features)
