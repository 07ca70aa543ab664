"""FER2013-C: thirteen ways in which a face from a real picture is worse than FER2013's, five strengths of each.

What happens to an image depends on the seed and on its place among the images, on nothing else. A strength changes
how much, never what: the same noise is added louder, the same box grows, a face rolls further to the same side.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.evaluation import pixel_corruptions, place_corruptions

STRENGTHS = (1, 2, 3, 4, 5)


@dataclasses.dataclass(frozen=True)
class Corruption:
    """One way in which faces get worse.

    Attributes:
        title: What people read.
        unit: What the amounts are, in words.
        amounts: Five numbers, for the strengths 1 to 5.
        apply: Function of images (uint8, shape `(images, 48, 48)`), an amount and a `numpy.random.Generator`, to
            images of the same shape and dtype.
    """

    title: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    apply: Callable


CORRUPTIONS = {
    "gaussian_noise": Corruption(
        "Gaussian noise", "grey values, standard deviation", (8, 16, 25, 35, 50), pixel_corruptions.add_noise
    ),
    "defocus_blur": Corruption(
        "defocus blur", "pixels, radius of the disc", (0.75, 1.25, 1.75, 2.5, 3.5), pixel_corruptions.defocus
    ),
    "motion_blur": Corruption(
        "motion blur", "pixels, length of the path", (3, 5, 7, 10, 14), pixel_corruptions.smear
    ),
    "jpeg": Corruption("JPEG", "quality", (50, 30, 20, 12, 6), pixel_corruptions.compress),
    "brightness": Corruption(
        "brightness", "grey values, up or down", (25, 50, 75, 100, 125), pixel_corruptions.shift_brightness
    ),
    "contrast": Corruption(
        "contrast", "share that is left of it", (0.6, 0.4, 0.25, 0.15, 0.08), pixel_corruptions.lower_contrast
    ),
    "backlight": Corruption("backlight", "gamma", (1.5, 2, 3, 4, 6), pixel_corruptions.darken),
    "low_resolution": Corruption(
        "low resolution", "pixels, side of the face", (32, 24, 16, 12, 8), pixel_corruptions.lower_resolution
    ),
    "eyes_covered": Corruption(
        "bar over the eyes", "pixels, height of the bar", (4, 7, 10, 13, 16), place_corruptions.cover_eyes
    ),
    "mouth_covered": Corruption(
        "bar over the mouth", "pixels, height of the bar", (5, 9, 13, 17, 21), place_corruptions.cover_mouth
    ),
    "box": Corruption("random box", "pixels, side of the box", (8, 13, 18, 23, 28), place_corruptions.cover_box),
    "roll": Corruption("roll", "degrees, to either side", (6, 12, 18, 25, 35), place_corruptions.roll),
    "crop": Corruption(
        "shift and scale", "share of the face's side", (0.03, 0.06, 0.09, 0.12, 0.16), place_corruptions.misplace
    ),
}


def corrupt(images: np.ndarray, name: str, strength: int, seed: int = 0) -> np.ndarray:
    """Corrupts faces.

    Args:
        images: uint8, shape `(images, 48, 48)`, grey values 0..255.
        name: One of `CORRUPTIONS`.
        strength: 0, which changes nothing, to 5.
        seed: Seed of what is drawn for each image: noise, directions, signs, places.

    Returns:
        uint8, shape `(images, 48, 48)`, a new array. Images are drawn for in their order: the first come out the
        same, however many follow.

    Raises:
        ValueError: If the images are not as described, or there is no such corruption or strength.

    Source:
        Hendrycks & Dietterich (2019), https://arxiv.org/abs/1903.12261, for five strengths of each. The amounts
        are ours, for faces of 48 pixels: theirs are for photographs of 224.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(
            f"`images` must be uint8 of shape (images, {IMAGE_SIZE}, {IMAGE_SIZE}). "
            f"Received: {images.dtype}, shape {images.shape}."
        )
    if name not in CORRUPTIONS or strength not in (0, *STRENGTHS):
        raise ValueError(
            f"Expected one of {', '.join(CORRUPTIONS)} and a strength of 0 to 5. Received: {name}, {strength}."
        )
    if strength == 0 or len(images) == 0:
        return images.copy()
    corruption = CORRUPTIONS[name]
    generator = np.random.default_rng([seed, list(CORRUPTIONS).index(name)])
    return corruption.apply(images, corruption.amounts[strength - 1], generator)
