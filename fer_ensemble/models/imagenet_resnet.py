"""ResNet-18 and ResNet-34 as published for ImageNet, so that torchvision's weights fit."""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from fer_ensemble.models.layers import normalized_convolution

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def build_imagenet_resnet(
    features: keras.KerasTensor,
    blocks: Sequence[int],
    width: int,
    normalization: Callable[..., keras.Layer],
    activation: str,
) -> keras.KerasTensor:
    """Builds a ResNet of basic blocks: a 7x7 stem of stride 2, 3x3 max pooling of stride 2, four groups of
    residual blocks with 1, 2, 4 and 8 times `width` channels, each but the first beginning with stride 2, and
    global average pooling. The layers are called what torchvision calls its own.

    Args:
        features: What the first convolution sees, shape `(batch, height, width, channels)`.
        blocks: Residual blocks of each group, as in `BLOCKS`.
        width: Channels of the first group; 64 as published.
        normalization: Function that makes a batch normalisation layer.
        activation: Name of the activation, as for `keras.layers.Activation`.

    Returns:
        What the logits are computed of, shape `(batch, 8 * width)`.

    Source:
        He et al. (2015), https://arxiv.org/abs/1512.03385. As PyTorch does, what has a stride pads evenly on all
        sides; TensorFlow's "same" would pad an even size on one side only, and see the image half a pixel off.
    """
    arguments = {"normalization": normalization, "activation": activation}
    features = _padded_convolution(features, width, strides=2, kernel_size=7, names=("conv1", "bn1"), **arguments)
    # Padded with 0, the least that ReLU lets through: the same as PyTorch's padding with minus infinity.
    features = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(features))
    for group, number in enumerate(blocks):
        for block in range(number):
            strides = 2 if group and not block else 1
            name = f"layer{group + 1}.{block}"
            features = _basic_block(features, width * 2**group, strides=strides, name=name, **arguments)
    return layers.GlobalAveragePooling2D()(features)


def _basic_block(features, filters, normalization, activation, strides, name):
    shortcut = features
    if strides != 1 or features.shape[-1] != filters:
        names = (f"{name}.downsample.0", f"{name}.downsample.1")
        shortcut = normalized_convolution(
            features, filters, normalization, strides, kernel_size=1, activation=None, names=names
        )
    names = (f"{name}.conv1", f"{name}.bn1")
    features = _padded_convolution(features, filters, normalization, activation, strides, 3, names)
    names = (f"{name}.conv2", f"{name}.bn2")
    features = normalized_convolution(features, filters, normalization, activation=None, names=names)
    return layers.Activation(activation)(layers.Add()([features, shortcut]))


def _padded_convolution(features, filters, normalization, activation, strides, kernel_size, names):
    padding = "same"  # of an odd kernel, without a stride, it is even
    if strides != 1:
        features, padding = layers.ZeroPadding2D(kernel_size // 2)(features), "valid"
    return normalized_convolution(
        features, filters, normalization, strides, kernel_size, activation, padding, names
    )
