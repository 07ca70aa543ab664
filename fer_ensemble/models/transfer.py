"""Weights of one network for another of the same architecture, whose first convolution may see faces otherwise."""

import dataclasses

import keras
import numpy as np

from fer_ensemble.models.layers import IMAGE_STATISTICS, MEAN_IMAGE, PIXEL_STATISTICS


@dataclasses.dataclass(frozen=True)
class Source:
    """Weights to take over.

    Attributes:
        weights: Dictionary from names of the target's layers to their weights, lists of arrays as
            `keras.Layer.get_weights` returns them. What is missing is not taken over.
        scale: Float array of shape `(channels,)`: of a grey value `g` (0..255), the first convolution of the
            network that the weights are of saw `scale * g + offset`.
        offset: Float array of shape `(channels,)`.
    """

    weights: dict
    scale: np.ndarray
    offset: np.ndarray


def weighted_layers(model: keras.Model) -> list[keras.Layer]:
    """Returns the layers whose weights are learnt, in their order; the last one gives the logits."""
    return [layer for layer in model.layers if layer.weights and layer.name != PIXEL_STATISTICS]


def read_model(model: keras.Model, target: keras.Model) -> Source:
    """Returns a model's weights as a `Source` for another model of the same architecture.

    Raises:
        ValueError: If it has other layers.
    """
    ours, theirs = weighted_layers(target), weighted_layers(model)
    if [type(layer) for layer in ours] != [type(layer) for layer in theirs]:
        raise ValueError(f"it is a {model.name} of {len(theirs)} layers with weights; {len(ours)} are needed")
    weights = {our.name: their.get_weights() for our, their in zip(ours, theirs, strict=True)}
    return Source(weights, *input_scale(model))


def input_scale(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the first convolution sees of grey values: scale and offset, float64, shape `(channels,)`.

    Where each image has its own statistics, those of the mean image of FER2013.
    """
    stem = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    if any(layer.name == IMAGE_STATISTICS for layer in model.layers):
        mean, deviation = MEAN_IMAGE
        return np.full(stem.input.shape[-1], 1 / deviation), np.full(stem.input.shape[-1], -mean / deviation)
    faces = np.zeros((2, *model.input.shape[1:]), np.float32)
    faces[1] = 255
    seen = keras.ops.convert_to_numpy(keras.Model(model.input, stem.input)(faces, training=False))
    middle = seen.shape[1] // 2  # there may be padding around
    black, white = seen[:, middle, middle].astype(np.float64)
    return (white - black) / 255, black


def transfer_weights(source: Source, target: keras.Model) -> None:
    """Gives a network the weights of a `Source`; layers of which it has none keep theirs.

    The first convolution's kernel is adapted to what the target makes of grey values, so that it says of a face
    what it said of it in the source: three channels of grey become one by summing their kernels, each times its
    scale; one becomes three by thirds. What other offsets add up to over the whole kernel goes into the bias, or
    the normalisation's mean. Only where the kernel reaches beyond the image is that not exact, unless what pads
    it, 0, stands for the same grey in both.

    Args:
        source: `Source`.
        target: `keras.Model` of float32 layers; of its first two layers with weights, the first is a convolution,
            with a bias or normalised by the second.

    Raises:
        ValueError: If a shape differs, but for the number of channels that the first convolution sees.
    """
    stem, follower, *_ = layers = weighted_layers(target)
    for layer in layers:
        theirs = [weight.shape for weight in source.weights.get(layer.name, layer.get_weights())]
        ours = [weight.shape for weight in layer.get_weights()]
        if layer is stem:
            theirs[0], ours[0] = (shape[:2] + shape[3:] for shape in (theirs[0], ours[0]))
        if theirs != ours:
            raise ValueError(f"{layer.name} has weights of shape {theirs[0]}, where {ours[0]} is needed")
    weights = {name: [np.array(weight) for weight in values] for name, values in source.weights.items()}
    kernel, surplus = _adapt_kernel(weights[stem.name][0], source, *input_scale(target))
    weights[stem.name][0] = kernel
    if stem.use_bias:
        weights[stem.name][1] += surplus
    else:
        weights[follower.name][2] -= surplus  # gamma, beta, mean, variance
    for layer in layers:
        if layer.name in weights:
            layer.set_weights(weights[layer.name])


def _adapt_kernel(kernel, source, scale, offset):
    of_grey = kernel * source.scale[:, None]  # (height, width, channels, filters)
    if len(scale) != len(source.scale):
        of_grey = np.repeat(of_grey.sum(axis=2, keepdims=True) / len(scale), len(scale), axis=2)
    adapted = of_grey / scale[:, None]
    return adapted, np.einsum("hwcf,c->f", kernel, source.offset) - np.einsum("hwcf,c->f", adapted, offset)
