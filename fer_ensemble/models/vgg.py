"""VGG-16 and VGG-19, with and without batch normalisation, so that published weights of their convolutions fit."""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from fer_ensemble.models.layers import PlainNormalization, normalized_convolution

GROUPS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def build_vgg(
    features: keras.KerasTensor,
    groups: Sequence[int],
    width: int,
    dropout: float,
    normalization: Callable[..., keras.Layer] | None,
    activation: str,
) -> keras.KerasTensor:
    """Builds a VGG: five groups of 3x3 convolutions with 1, 2, 4, 8 and 8 times `width` channels, each group
    followed by max pooling; then the mean and the largest value of each channel, and a dense layer of 8 times
    `width` features, batch normalised. The convolutions and their normalisations are called what torchvision calls
    its own.

    Args:
        features: What the first convolution sees, shape `(batch, height, width, channels)`, 32 pixels or more.
        groups: Convolutions of each group, as in `GROUPS`.
        width: Channels of the first group; 64 as published.
        dropout: Probability of dropping a feature before the dense layer.
        normalization: Function that makes a batch normalisation layer, or None for convolutions with a bias.
        activation: Name of the activation, as for `keras.layers.Activation`.

    Returns:
        What the logits are computed of, shape `(batch, 8 * width)`.

    Source:
        Simonyan & Zisserman (2014), https://arxiv.org/abs/1409.1556. Departures: their two dense layers of 4096
        features, 120 of 138 million weights and bound to 224x224 pixels, are replaced with a head like the one
        that fastai puts on pretrained networks, https://docs.fast.ai/vision.learner.html, which takes any size;
        and a convolution that is normalised has no bias, which would change nothing.
    """
    position = 0  # as torchvision counts: activations and pooling, too
    for group, convolutions in enumerate(groups):
        filters = width * 2 ** min(group, 3)
        for _ in range(convolutions):
            names = f"features.{position}", f"features.{position + 1}"
            if normalization:
                features = normalized_convolution(
                    features, filters, normalization, activation=activation, names=names
                )
            else:
                features = layers.Conv2D(
                    filters, 3, padding="same", kernel_initializer="he_normal", name=names[0]
                )(features)
                features = layers.Activation(activation)(features)
            position += 3 if normalization else 2
        features = layers.MaxPooling2D()(features)
        position += 1
    features = layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(features), layers.GlobalMaxPooling2D()(features)]
    )
    features = layers.Dropout(dropout)(features)
    features = layers.Dense(8 * width, use_bias=False, kernel_initializer="he_normal")(features)
    return layers.Activation(activation)(PlainNormalization()(features))
