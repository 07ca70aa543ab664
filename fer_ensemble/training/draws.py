"""The random draws of the augmentation, made on the host: a few numbers per image.

What happens to an image is a pure function of (seed, epoch, step): it does not depend on the backend, the
device, or on how often a training was interrupted. The pixels are moved by `fer_ensemble.training.augmentation`.
"""

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.training.settings import TrainingSettings

# How an image may be degraded, as far as products with matrices can do it.
BLURS = (0.5, 0.75, 1.0, 1.5, 2.0)  # pixels, standard deviation of a Gaussian
SIZES = (36, 30, 24, 20, 16, 12)  # pixels, the side that a face is shrunk to
QUALITIES = (8, 60)  # of JPEG, lowest and highest
NOISE = (5.0, 40.0)  # grey values, smallest and largest standard deviation
NOISE_SIDE = 256  # of the square of noise that each image gets a part of


def draw_batch(generator: np.random.Generator, images: int, settings: TrainingSettings) -> dict[str, np.ndarray]:
    """Draws the augmentation of one batch.

    Args:
        generator: `numpy.random.Generator`.
        images: Number of images in the batch.
        settings: `TrainingSettings`; the augmentation's fields are used.

    Returns:
        Dictionary of float32 arrays, one row per image, with only those that the settings need:
        `transform`, shape `(images, 8)`, in the form of `keras.ops.image.affine_transform`;
        `light`, shape `(images, 2)`, the factor about mid-grey and the offset in grey values;
        `erase`, shape `(images, 5)`, top, bottom, left, right in pixels and the grey value;
        `mix`, shape `(images, 5)`, the weight of the image itself, then the rectangle that is taken from its
        partner, as in `erase`;
        `degrade`, shape `(images, 5)`, the position of one of `fer_ensemble.training.degradation.smoothers`, 0 for
        none; the quality of a JPEG file, 0 for none; the standard deviation of noise in grey values, and the top
        and left in pixels of its part of a larger square.
    """
    draws = {"transform": _draw_transforms(generator, images, settings)}
    if settings.brightness or settings.contrast:
        factor = 1 + settings.contrast * generator.uniform(-1, 1, images)
        offset = 255 * settings.brightness * generator.uniform(-1, 1, images)
        draws["light"] = np.stack([factor, offset], axis=1)
    if settings.erasing:
        # Zhong et al. (2017), https://arxiv.org/abs/1708.04896, with areas up to a third of the image.
        area = np.where(generator.random(images) < settings.erasing, generator.uniform(0.02, 0.33, images), 0)
        aspect = np.exp(generator.uniform(np.log(0.3), np.log(1 / 0.3), images))
        grey = generator.uniform(0, 255, images)
        draws["erase"] = np.column_stack([_draw_rectangles(generator, area, aspect), grey])
    if settings.mixup or settings.cutmix:
        draws["mix"] = _draw_mixing(generator, images, settings.mixup, settings.cutmix)
    if settings.degradation:  # last: without it, the draws stay what they always were
        draws["degrade"] = _draw_degradations(generator, images, settings.degradation)
    return {name: values.astype(np.float32) for name, values in draws.items()}


def label_weights(mix: np.ndarray) -> np.ndarray:
    """Returns the share of each image's own label, shape `(images,)`: what is left of the image itself."""
    weight, top, bottom, left, right = mix.T
    return weight * (1 - (bottom - top) * (right - left) / IMAGE_SIZE**2)


def _draw_transforms(generator, images, settings):
    # Where a pixel (x, y) of the result comes from: mirrored, rotated, zoomed and shifted about the centre.
    angle = np.deg2rad(settings.rotation) * generator.uniform(-1, 1, images)
    scale = 1 / (1 + settings.zoom * generator.uniform(-1, 1, images))
    shift_x, shift_y = IMAGE_SIZE * settings.shift * generator.uniform(-1, 1, (2, images))
    mirror = np.where(generator.random(images) < 0.5, -1, 1) if settings.flip else np.ones(images)
    if settings.crop_padding:  # last, and only then: without it, the draws stay what they always were
        crops = generator.integers(-settings.crop_padding, settings.crop_padding, (2, images), endpoint=True)
        shift_x, shift_y = shift_x + crops[0], shift_y + crops[1]
    center = (IMAGE_SIZE - 1) / 2
    a0, a1 = mirror * scale * np.cos(angle), -scale * np.sin(angle)
    b0, b1 = mirror * scale * np.sin(angle), scale * np.cos(angle)
    a2 = center + shift_x - center * (a0 + a1)
    b2 = center + shift_y - center * (b0 + b1)
    none = np.zeros(images)
    return np.stack([a0, a1, a2, b0, b1, b2, none, none], axis=1)


def _draw_rectangles(generator, area, aspect):
    # Rectangles of the given share of the image's area and height / width, wholly inside, in whole pixels.
    height = np.minimum(np.round(np.sqrt(area * aspect) * IMAGE_SIZE), IMAGE_SIZE)
    width = np.minimum(np.round(np.sqrt(area / aspect) * IMAGE_SIZE), IMAGE_SIZE)
    top = np.floor(generator.random(len(area)) * (IMAGE_SIZE - height + 1))
    left = np.floor(generator.random(len(area)) * (IMAGE_SIZE - width + 1))
    return np.stack([top, top + height, left, left + width], axis=1)


def _draw_mixing(generator, images, mixup, cutmix):
    # MixUp: Zhang et al. (2017), https://arxiv.org/abs/1710.09412.
    # CutMix: Yun et al. (2019), https://arxiv.org/abs/1905.04899.
    cuts = generator.random(images) < (0.5 if mixup and cutmix else float(bool(cutmix)))
    weight = generator.beta(mixup, mixup, images) if mixup else np.ones(images)
    area = 1 - generator.beta(cutmix, cutmix, images) if cutmix else np.zeros(images)
    rectangles = _draw_rectangles(generator, np.where(cuts, area, 0), np.ones(images))
    return np.column_stack([np.where(cuts, 1, weight), rectangles])


def _draw_degradations(generator, images, probability):
    # Nothing, or one of the four, each as often as the others.
    kind = np.where(generator.random(images) < probability, generator.integers(1, 5, images), 0)
    blur = generator.integers(1, 1 + len(BLURS), images)
    size = generator.integers(1 + len(BLURS), 1 + len(BLURS) + len(SIZES), images)
    quality = generator.integers(*QUALITIES, images, endpoint=True)
    deviation = generator.uniform(*NOISE, images)
    top, left = generator.integers(0, NOISE_SIDE - IMAGE_SIZE, (2, images), endpoint=True)
    smoother = np.select([kind == 1, kind == 2], [blur, size], 0)
    return np.stack(
        [smoother, np.where(kind == 3, quality, 0), np.where(kind == 4, deviation, 0), top, left], axis=1
    )
