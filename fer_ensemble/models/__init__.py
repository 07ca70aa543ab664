"""The architectures, by name."""

import keras

from fer_ensemble.models.cnn import build_cnn
from fer_ensemble.models.layers import FastNormalization, PlainNormalization
from fer_ensemble.models.resnet import build_resnet


def build_model(settings, classes, fast=False):
    """Builds the network that the settings name, with fresh weights.

    Args:
        settings: Object with `model`, `width`, `input_size`, `dropout`, `stem_stride` and `downsampling`, as
            `fer_ensemble.training.settings.TrainingSettings` has them.
        classes: Number of classes.
        fast: Whether to train with the fused batch normalisation. The plain network has the same weights in
            the same order, and standard Keras layers only.

    Returns:
        Uncompiled `keras.Model` from grey values 0..255, shape `(batch, 48, 48, 1)`, to float32 logits,
        shape `(batch, classes)`, under Keras's current dtype policy.
    """
    arguments = {
        "classes": classes,
        "width": settings.width,
        "input_size": settings.input_size,
        "dropout": settings.dropout,
        "normalization": FastNormalization if fast else PlainNormalization,
        "stem_stride": settings.stem_stride,
    }
    if settings.model == "resnet":
        return build_resnet(**arguments, downsampling=settings.downsampling)
    return build_cnn(**arguments)


def add_softmax(core):
    """Returns `core` with class probabilities as its output, sharing its weights: the model that is saved."""
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(core.output)
    return keras.Model(core.input, probabilities, name=core.name)
