"""Several views of each face, whose probabilities are averaged: test-time augmentation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# The names, as flags have them, and how many views of a face each means.
VIEWS = {"none": 1, "flip": 2, "tencrop": 10}
_CROP = 44  # pixels, of 48


def average_views(model: "keras.Model", views: str) -> "keras.Model":
    """Puts views in front of a model and their average behind it, so that one call computes them all.

    Args:
        model: `keras.Model` from grey values, shape `(batch, 48, 48, 1)`, to probabilities.
        views: `none`: the face as it is. `flip`: the face and its mirror image. `tencrop`: the four corners and
            the centre, 44 pixels wide and high, resized to 48, and their mirror images.

    Returns:
        `keras.Model` like `model`, sharing its weights.

    Source:
        `tencrop`: Krizhevsky et al. (2012), section 4.1.
    """
    from fer_ensemble.models.device import keras

    ops = keras.ops
    height, width, channels = model.input_shape[1:]
    pixels = faces = keras.Input((height, width, channels), name="pixels")
    if views == "tencrop":
        bottom, right = height - _CROP, width - _CROP
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
        crops = [pixels[:, top : top + _CROP, left : left + _CROP] for top, left in corners]
        faces = ops.image.resize(ops.concatenate(crops), (height, width), interpolation="bilinear")
    if views != "none":
        faces = ops.concatenate([faces, ops.flip(faces, axis=2)])
    by_view = ops.reshape(model(faces), (VIEWS[views], -1, model.output_shape[-1]))
    return keras.Model(pixels, ops.mean(by_view, axis=0), name=model.name)
