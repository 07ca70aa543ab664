"""The ResNet-18-like network: four groups of two residual blocks."""

import keras
from keras import layers

from fer_ensemble.models.layers import logits_layer, normalized_convolution, pixels_to_features


def build_resnet(classes, width, input_size, dropout, normalization, downsampling="maxpool", stem_stride=1):
    """Builds a ResNet of 18 weighted layers for small images: a 3x3 stem, four groups of two residual blocks
    with 1, 2, 4 and 8 times `width` channels, global average pooling, and the logits.

    Args:
        classes: Number of classes.
        width: Channels of the first group.
        input_size: Height and width, in pixels, at which the convolutions see the face.
        dropout: Probability of dropping a feature before the logits.
        normalization: Function without arguments that makes a batch normalisation layer.
        downsampling: What halves the feature maps between two groups: `maxpool`, or `stride` for a first
            convolution of stride 2, as in the paper.
        stem_stride: Stride of the first convolution.

    Returns:
        Uncompiled `keras.Model` from grey values 0..255, shape `(batch, 48, 48, 1)`, to float32 logits,
        shape `(batch, classes)`.

    Source:
        He et al. (2015), https://arxiv.org/abs/1512.03385. Departures: no pooling in the stem and, by
        default, no stride, since 48 pixels have none to spare; max pooling between the groups.
    """
    pixels, features = pixels_to_features(input_size)
    features = normalized_convolution(features, width, normalization, stem_stride)
    for group, multiple in enumerate((1, 2, 4, 8)):
        strides = 1
        if group > 0 and downsampling == "maxpool":
            features = layers.MaxPooling2D()(features)
        elif group > 0:
            strides = 2
        features = _residual_block(features, multiple * width, normalization, strides)
        features = _residual_block(features, multiple * width, normalization)
    features = layers.GlobalAveragePooling2D()(features)
    features = layers.Dropout(dropout)(features)
    return keras.Model(pixels, logits_layer(classes)(features), name="resnet")


def _residual_block(features, filters, normalization, strides=1):
    shortcut = features
    if strides != 1 or features.shape[-1] != filters:
        shortcut = normalized_convolution(
            features, filters, normalization, strides, kernel_size=1, activation=None
        )
    features = normalized_convolution(features, filters, normalization, strides)
    features = normalized_convolution(features, filters, normalization, activation=None)
    return layers.Activation("relu")(layers.Add()([features, shortcut]))
