"""The ResNet-18-like network: four groups of two residual blocks."""

from collections.abc import Callable

import keras
from keras import layers

from fer_ensemble.models.layers import normalized_convolution


def build_resnet(
    features: keras.KerasTensor,
    width: int,
    normalization: Callable[..., keras.Layer],
    activation: str,
    downsampling: str = "maxpool",
    stem_stride: int = 1,
) -> keras.KerasTensor:
    """Builds a ResNet of 18 weighted layers, with the logits, for small images: a 3x3 stem, four groups of two
    residual blocks with 1, 2, 4 and 8 times `width` channels, and global average pooling.

    Args:
        features: What the first convolution sees, shape `(batch, height, width, channels)`.
        width: Channels of the first group.
        normalization: Function that makes a batch normalisation layer.
        activation: Name of the activation, as for `keras.layers.Activation`.
        downsampling: What halves the feature maps between two groups: `maxpool`, or `stride` for a first
            convolution of stride 2, as in the paper.
        stem_stride: Stride of the first convolution.

    Returns:
        What the logits are computed of, shape `(batch, features)`.

    Source:
        He et al. (2015), https://arxiv.org/abs/1512.03385. Departures: no pooling in the stem and, by
        default, no stride, since 48 pixels have none to spare; max pooling between the groups.
    """
    features = normalized_convolution(features, width, normalization, stem_stride, activation=activation)
    for group, multiple in enumerate((1, 2, 4, 8)):
        strides = 1
        if group > 0 and downsampling == "maxpool":
            features = layers.MaxPooling2D()(features)
        elif group > 0:
            strides = 2
        features = _residual_block(features, multiple * width, normalization, activation, strides)
        features = _residual_block(features, multiple * width, normalization, activation)
    return layers.GlobalAveragePooling2D()(features)


def _residual_block(features, filters, normalization, activation, strides=1):
    shortcut = features
    if strides != 1 or features.shape[-1] != filters:
        shortcut = normalized_convolution(
            features, filters, normalization, strides, kernel_size=1, activation=None
        )
    features = normalized_convolution(features, filters, normalization, strides, activation=activation)
    features = normalized_convolution(features, filters, normalization, activation=None)
    return layers.Activation(activation)(layers.Add()([features, shortcut]))
