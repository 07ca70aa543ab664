"""Weights that others have published, in their names and layouts."""

import keras
import numpy as np

from fer_ensemble.models.imagenet_resnet import BLOCKS
from fer_ensemble.models.layers import IMAGENET_STATISTICS
from fer_ensemble.models.transfer import Source, weighted_layers
from fer_ensemble.models.vgg import GROUPS

TORCHVISION = (*BLOCKS, *GROUPS, *(f"{name}_bn" for name in GROUPS))
APPLICATIONS = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}
# Keras's are Caffe's, of blue, green and red from 0 to 255, each less its mean.
_CAFFE_MEANS = np.array([103.939, 116.779, 123.68])
_HEADS = ("fc.", "classifier.")


def read_torchvision(tensors: dict[str, np.ndarray], target: keras.Model) -> Source:
    """Returns the weights of torchvision's network of the target's name as a `Source`.

    Args:
        tensors: Dictionary of arrays, the network's `state_dict`.
        target: `keras.Model` of one of `TORCHVISION`, whose layers have torchvision's names.

    Raises:
        ValueError: If a tensor is missing, or there are others.

    Source:
        A PyTorch convolution's weight is `(out, in, height, width)`, a linear layer's `(out, in)`; Keras's are
        `(height, width, in, out)` and `(in, out)`.
    """
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    left = set(tensors)

    def take(name):
        if name not in tensors:
            raise ValueError(f"it has no {name}")
        left.discard(name)
        return tensors[name].astype(np.float32)

    weights, bias = {}, 0
    for layer in weighted_layers(target):
        name = layer.name
        if isinstance(layer, keras.layers.Conv2D):
            weights[name] = [take(f"{name}.weight").transpose(2, 3, 1, 0)]
            bias = take(f"{name}.bias") if f"{name}.bias" in tensors else 0
            if layer.use_bias:
                weights[name].append(take(f"{name}.bias"))
        elif f"{name}.running_mean" in tensors:
            parts = ("weight", "bias", "running_mean", "running_var")
            gamma, beta, mean, variance = (take(f"{name}.{part}") for part in parts)
            if np.shape(bias) not in ((), mean.shape):  # else NumPy makes a table of the two
                raise ValueError(f"{name} has a bias of shape {bias.shape} before its mean of shape {mean.shape}")
            # Theirs has a bias before a normalisation, which takes it off again.
            weights[name] = [gamma, beta, mean - bias, variance]
        elif isinstance(layer, keras.layers.BatchNormalization) and "." in name:
            raise ValueError(f"it has no {name}.running_mean")
    if "fc.weight" in tensors:
        weights["logits"] = [take("fc.weight").T, take("fc.bias")]
    strange = sorted(name for name in left if not name.startswith(_HEADS))
    if strange:
        name = " ".join(strange[0].split())[:100]
        raise ValueError(f"it has a {name}, which is of another network")
    mean, deviation = IMAGENET_STATISTICS
    return Source(weights, 1 / (255 * deviation), -mean / deviation)


def read_application(application: keras.Model, target: keras.Model) -> Source:
    """Returns the convolutions' weights of Keras's VGG, one of `APPLICATIONS` without top, as a `Source`."""
    theirs = [layer for layer in application.layers if layer.weights]
    ours = [layer for layer in weighted_layers(target) if isinstance(layer, keras.layers.Conv2D)]
    weights = {our.name: their.get_weights() for our, their in zip(ours, theirs, strict=True)}
    return Source(weights, np.ones(3), -_CAFFE_MEANS)
