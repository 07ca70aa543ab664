"""Several views of each face, whose probabilities are averaged: test-time augmentation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# The names, as flags have them, and how many views of a face each means.
VIEWS = {"none": 1, "flip": 2, "shifts": 10, "tencrop": 10}
_CROP = 44  # pixels, of 48
_SHIFT = 2  # pixels


def average_views(model: "keras.Model", views: str) -> "keras.Model":
    """Puts views in front of a model and their average behind it, so that one call computes them all.

    Args:
        model: `keras.Model` from grey values, shape `(batch, 48, 48, 1)`, to probabilities.
        views: As for `make_views`.

    Returns:
        `keras.Model` like `model`, sharing its weights.
    """
    from fer_ensemble.models.device import keras

    pixels = keras.Input(model.input_shape[1:], name="pixels")
    return keras.Model(pixels, average(model(make_views(pixels, views)), views), name=model.name)


def make_views(pixels: "keras.KerasTensor", views: str) -> "keras.KerasTensor":
    """Makes the views of faces: first those that are upright, then their mirror images.

    Args:
        pixels: Grey values, shape `(batch, 48, 48, 1)`.
        views: `none`: the face as it is. `flip`: the face and its mirror image. `shifts`: the face, the same moved
            by two pixels in each of the four directions, what is beyond the edge repeating it, and their mirror
            images. `tencrop`: the four corners and the centre, 44 pixels wide and high, resized to 48, and their
            mirror images.

    Returns:
        Grey values, shape `(VIEWS[views] * batch, 48, 48, 1)`, one view of all faces after the other.

    Source:
        `tencrop`: Krizhevsky et al. (2012), section 4.1.
    """
    from fer_ensemble.models.device import keras

    ops = keras.ops
    height, width = pixels.shape[1:3]
    if views == "shifts":
        left, right, top, bottom = pixels[:, :, :1], pixels[:, :, -1:], pixels[:, :1], pixels[:, -1:]
        moved = [
            ops.concatenate([*[top] * _SHIFT, pixels[:, :-_SHIFT]], axis=1),
            ops.concatenate([pixels[:, _SHIFT:], *[bottom] * _SHIFT], axis=1),
            ops.concatenate([*[left] * _SHIFT, pixels[:, :, :-_SHIFT]], axis=2),
            ops.concatenate([pixels[:, :, _SHIFT:], *[right] * _SHIFT], axis=2),
        ]
        pixels = ops.concatenate([pixels, *moved])
    elif views == "tencrop":
        bottom, right = height - _CROP, width - _CROP
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
        crops = [pixels[:, top : top + _CROP, left : left + _CROP] for top, left in corners]
        pixels = ops.image.resize(ops.concatenate(crops), (height, width), interpolation="bilinear")
    return pixels if views == "none" else ops.concatenate([pixels, ops.flip(pixels, axis=2)])


def average(by_view: "keras.KerasTensor", views: str) -> "keras.KerasTensor":
    """Averages what was computed of `make_views`, shape `(VIEWS[views] * batch, ...)`; returns `(batch, ...)`."""
    from fer_ensemble.models.device import keras

    ops = keras.ops
    return ops.mean(ops.reshape(by_view, (VIEWS[views], -1, *by_view.shape[1:])), axis=0)
