"""Batch normalisation folded into the layer before it: the same network with less to compute."""

import keras
import numpy as np
from keras import layers


def fold_model(model: keras.Model, precision: str = "float32") -> keras.Model:
    """Builds a model's folded twin, for prediction only.

    Where the model has a convolution or dense layer without bias and then batch normalisation, the twin has the
    layer with a bias and no normalisation. TensorFlow computes that, with the activation after it, in one kernel.

    Args:
        model: Functional `keras.Model` in which a layer with a kernel, where it is batch normalised, has no bias
            and no other reader, as all of this package do. The normalisation of anything else, pixels, stays.
        precision: Keras dtype policy of the twin's arithmetic, from the first layer with a kernel to the one
            before the last: the grey values are scaled, and the logits and probabilities computed, in the model's
            own.

    Returns:
        Uncompiled `keras.Model` with fresh weights. `fold_weights` gives it the model's.
    """
    normalized = _find_normalized(model)
    folded_away = {normalization.name for normalization in normalized.values()}
    kernels = [position for position, layer in enumerate(model.layers) if hasattr(layer, "kernel")]
    inner = {layer.name for layer in model.layers[kernels[0] : kernels[-1]]}

    def copy(layer):
        config = layer.get_config()
        if layer.name in inner and precision != "float32":
            config["dtype"] = precision
        if layer.name in normalized:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, inputs, **arguments):
        return inputs if layer.name in folded_away else layer(inputs, **arguments)

    return keras.models.clone_model(model, clone_function=copy, call_function=call)


def fold_weights(model: keras.Model, folded: keras.Model) -> None:
    """Gives a folded twin the weights of its model, so that both predict the same, up to rounding.

    Args:
        model: The `keras.Model`.
        folded: What `fold_model` made of it.

    Source:
        At prediction, normalisation is `gamma * (x - mean) / sqrt(variance + epsilon) + beta` for each channel: a
        factor, which the kernel before it takes over, and a bias. Ioffe & Szegedy (2015), section 3.1,
        https://arxiv.org/abs/1502.03167.
    """
    normalized = _find_normalized(model)
    for layer in folded.layers:
        if not layer.weights:
            continue
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in normalized:
            normalization = normalized[layer.name]
            gamma, beta, mean, variance = (weight.astype(np.float64) for weight in normalization.get_weights())
            factor = gamma / np.sqrt(variance + normalization.epsilon)
            weights = [weights[0] * factor, beta - mean * factor]  # a kernel's last axis are its output channels
        layer.set_weights(weights)


def _find_normalized(model):
    """Returns a dictionary from the names of layers with a kernel to the layers that normalise them."""
    producers = {id(layer.output): layer.name for layer in model.layers if hasattr(layer, "kernel")}
    return {
        producers[id(layer.input)]: layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization) and id(layer.input) in producers
    }
