"""One graph of one network or of many: faces in, calibrated probabilities out."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.export.graph_names import CLASS_MAPS, FACES, PROBABILITIES
from fer_ensemble.members.views import average, make_views
from fer_ensemble.models.device import keras
from fer_ensemble.models.folding import fold_model, fold_weights
from fer_ensemble.scoring.calibration import LEAST_SHARE, Calibration
from fer_ensemble.scoring.metrics import SMALLEST_PROBABILITY

layers, ops = keras.layers, keras.ops


def build_graph(
    models: list, weights: Sequence[float], calibration: Calibration, views: str = "none"
) -> keras.Model:
    """Builds what is exported.

    Args:
        models: List of `keras.Model` from grey values, shape `(batch, 48, 48, 1)`, to probabilities, whose last
            layer is the softmax, as members are saved. One of them, or all networks of an ensemble.
        weights: Floats, one for each model, none negative; rescaled to sum to 1.
        calibration: `fer_ensemble.scoring.calibration.Calibration` of the weighted mean.
        views: The views of each face whose probabilities are averaged, as `fer_ensemble.members.views` names them.

    Returns:
        Uncompiled `keras.Model` of standard layers and operations, the batch normalisation folded, from `faces`,
        uint8 of shape `(batch, 48, 48)`, to a dictionary: `probabilities`, float32 of shape `(batch, classes)`,
        calibrated, each row summing to 1; and, of a single network with global pooling and one dense layer after
        it, `class_maps`, float32 of shape `(batch, classes, height, width)` (see `find_class_maps`); of several
        views the mean of their maps, of which the sum over the cells is the mean of their logits.
    """
    faces = keras.Input((48, 48), dtype="uint8", name=FACES)
    pixels = make_views(ops.expand_dims(ops.cast(faces, "float32"), -1), views)
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    mean, outputs = None, {}
    for number, (model, share) in enumerate(zip(models, shares, strict=True)):
        if share == 0:
            continue
        core = fold_to_logits(model, f"network_{number}")
        if len(models) == 1:
            maps = find_class_maps(core)
            if maps is not None:
                core = keras.Model(core.input, [core.output, maps], name=core.name)
        answer = core(pixels)
        logits, *maps = answer if isinstance(answer, list | tuple) else [answer]
        if maps:
            seen = maps[0] if views == "none" else average(_turn_back(maps[0]), views)
            outputs[CLASS_MAPS] = layers.Identity(name=CLASS_MAPS)(seen)
        term = ops.softmax(logits)
        if views != "none":
            term = average(term, views)
        term = term if len(models) == 1 else term * float(share)
        mean = term if mean is None else mean + term
    probabilities = _calibrate(mean, calibration)
    # The layer gives the output its name.
    outputs = {PROBABILITIES: layers.Identity(name=PROBABILITIES)(probabilities), **outputs}
    graph = keras.Model(faces, outputs, name="fer_ensemble")
    graph(np.zeros((1, 48, 48), np.uint8))  # Keras exports nothing that was never called
    return graph


def fold_to_logits(model: keras.Model, name: str) -> keras.Model:
    """Returns a saved model without its softmax, its batch normalisation folded, with weights of its own.

    Raises:
        ValueError: If its last layer is no softmax.
    """
    last = model.layers[-1]
    if not isinstance(last, layers.Softmax):
        raise ValueError(f"a softmax must be its last layer, which is {type(last).__name__} {last.name}")
    core = keras.Model(model.input, last.input, name=name)
    folded = fold_model(core)
    fold_weights(core, folded)
    folded.name = name
    return folded


def find_class_maps(core: keras.Model) -> keras.KerasTensor | None:
    """Makes the class maps of a network with global pooling: which cell of the last feature map speaks for what.

    Args:
        core: `keras.Model` to logits.

    Returns:
        Keras tensor of shape `(batch, classes, height, width)`, of which the sum over the cells is the logit: of
        an average, each cell's share of it; of a maximum, each channel is credited to the cell where it has its
        maximum, or equally to several; the logit's bias equally to all cells. None where the logits are computed
        of anything else than one global pooling.

    Source:
        Zhou et al. (2016), https://arxiv.org/abs/1512.04150, for the average; Oquab et al. (2015),
        https://doi.org/10.1109/CVPR.2015.7298668, for the maximum.
    """
    *inner, dense = (layer for layer in core.layers if not isinstance(layer, layers.Dropout))
    pooling = inner[-1]
    if not isinstance(dense, layers.Dense) or not isinstance(
        pooling, layers.GlobalMaxPooling2D | layers.GlobalAveragePooling2D
    ):
        return None
    features = pooling.input
    _, height, width, channels = features.shape
    kernel, *bias = dense.get_weights()
    classes, cells = kernel.shape[1], height * width
    if isinstance(pooling, layers.GlobalMaxPooling2D):
        largest = ops.max(features, axis=(1, 2), keepdims=True)
        there = ops.cast(ops.equal(features, largest), "float32")
        credited = features * there / ops.sum(there, axis=(1, 2), keepdims=True)
    else:
        credited = features / float(cells)
    evidence = layers.Conv2D(classes, 1, dtype="float32", name="class_evidence")
    maps = evidence(credited)
    evidence.set_weights(
        [kernel.reshape(1, 1, channels, classes), (bias[0] if bias else np.zeros(classes)) / cells]
    )
    return layers.Permute((3, 1, 2), name=CLASS_MAPS)(maps)


def _turn_back(maps):
    """Mirrors those of mirror images, the second half of the views. Small shifts are nothing to their cells."""
    upright, mirrored = ops.split(maps, 2)
    return ops.concatenate([upright, ops.flip(mirrored, axis=3)])


def _calibrate(probabilities, calibration):
    """As `Calibration.apply`, in float32."""
    if calibration.smoothing:
        floor = calibration.smoothing / probabilities.shape[-1]
        raised = ops.maximum(probabilities - floor, LEAST_SHARE * probabilities)
        probabilities = raised / ops.sum(raised, axis=-1, keepdims=True)
    logarithms = ops.log(ops.clip(probabilities, SMALLEST_PROBABILITY, 1.0))
    return ops.softmax(logarithms / calibration.temperature)
