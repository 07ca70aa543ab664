"""The architectures, by name."""

from fer_ensemble.models.device import keras  # the first of all, as it starts the backend without its messages

# isort: split
from fer_ensemble.models.cnn import build_cnn
from fer_ensemble.models.cnn4 import build_cnn4
from fer_ensemble.models.imagenet_resnet import BLOCKS, build_imagenet_resnet
from fer_ensemble.models.layers import FastNormalization, PlainNormalization, logits_layer, pixels_to_features
from fer_ensemble.models.resnet import build_resnet
from fer_ensemble.models.resnet9 import build_resnet9
from fer_ensemble.models.vgg import GROUPS, build_vgg


def build_model(settings: object, classes: int, fast: bool = False) -> keras.Model:
    """Builds the network that the settings name, with fresh weights.

    Args:
        settings: Object with `model`, `width`, `input_size`, `input_channels`, `pixel_statistics`, `activation`,
            `dropout`, `stem_stride` and `downsampling`, as `fer_ensemble.training.settings.TrainingSettings` has
            them.
        classes: Number of classes.
        fast: Whether to train with the fused batch normalisation. The plain network has the same weights in
            the same order, and standard Keras layers only.

    Returns:
        Uncompiled `keras.Model` from grey values 0..255, shape `(batch, 48, 48, 1)`, to float32 logits,
        shape `(batch, classes)`, under Keras's current dtype policy.
    """
    pixels, features = pixels_to_features(settings.input_size, settings.input_channels, settings.pixel_statistics)
    features = _build_inner_layers(settings, features, FastNormalization if fast else PlainNormalization)
    features = keras.layers.Dropout(settings.dropout)(features)
    return keras.Model(pixels, logits_layer(classes)(features), name=settings.model)


def _build_inner_layers(settings, features, normalization):
    name, width, dropout = settings.model, settings.width, settings.dropout
    arguments = {"normalization": normalization, "activation": settings.activation}
    if name == "cnn":
        return build_cnn(features, width, dropout, **arguments, stem_stride=settings.stem_stride)
    if name == "cnn4":
        return build_cnn4(features, width, dropout, **arguments)
    if name == "resnet":
        return build_resnet(
            features,
            width,
            **arguments,
            downsampling=settings.downsampling,
            stem_stride=settings.stem_stride,
        )
    if name == "resnet9":
        return build_resnet9(features, width, **arguments)
    if name in BLOCKS:
        return build_imagenet_resnet(features, BLOCKS[name], width, **arguments)
    if not name.endswith("_bn"):
        arguments["normalization"] = None
    return build_vgg(features, GROUPS[name.removesuffix("_bn")], width, dropout, **arguments)


def add_softmax(core: keras.Model) -> keras.Model:
    """Returns `core` with class probabilities as its output, sharing its weights: the model that is saved."""
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(core.output)
    return keras.Model(core.input, probabilities, name=core.name)
