"""The small CNN: four convolutions and a dense layer."""

from collections.abc import Callable

import keras
from keras import layers

from fer_ensemble.models.layers import PlainNormalization, normalized_convolution


def build_cnn4(
    features: keras.KerasTensor,
    width: int,
    dropout: float,
    normalization: Callable[..., keras.Layer],
    activation: str,
) -> keras.KerasTensor:
    """Builds the small CNN: four convolutions of `width`, 2, 4 and 8 times `width` channels, each batch normalised
    and followed by max pooling and dropout; then a dense layer of 8 times `width` features, batch normalised.

    Args:
        features: What the first convolution sees, shape `(batch, height, width, channels)`.
        width: Channels of the first convolution.
        dropout: Probability of dropping a feature after each pooling.
        normalization: Function that makes a batch normalisation layer.
        activation: Name of the activation, as for `keras.layers.Activation`.

    Returns:
        What the logits are computed of, shape `(batch, 8 * width)`.
    """
    for multiple in (1, 2, 4, 8):
        features = normalized_convolution(features, multiple * width, normalization, activation=activation)
        features = layers.MaxPooling2D()(features)
        features = layers.Dropout(dropout)(features)
    features = layers.Flatten()(features)
    features = layers.Dense(8 * width, use_bias=False, kernel_initializer="he_normal")(features)
    return layers.Activation(activation)(PlainNormalization()(features))
