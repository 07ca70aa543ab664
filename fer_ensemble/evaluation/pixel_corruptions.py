"""What light, lens, sensor and file do to a face: each takes uint8 images, an amount and a random generator."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE

SUBPIXELS = 8  # each way, in which a blur's kernel is drawn before its cells are averaged


def add_noise(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Adds independent normal noise of standard deviation `amount` grey values to each pixel."""
    noise = generator.standard_normal(images.shape, dtype=np.float32)
    return to_pixels(images + np.float32(amount) * noise)


def defocus(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Averages over a disc of radius `amount` pixels, as a lens out of focus does."""
    kernel = disc_kernel(amount)
    return filter_each(images, [kernel] * len(images))


def smear(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Averages along a straight path of `amount` pixels, in a direction drawn for each image."""
    angles = generator.uniform(0, np.pi, len(images))
    return filter_each(images, [path_kernel(amount, angle) for angle in angles])


def compress(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Writes each image as a JPEG of quality `amount`, 1 to 100, and reads it again."""
    import cv2

    written = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(amount)])[1] for image in images]
    return np.stack([cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) for file in written])


def shift_brightness(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Adds `amount` grey values to half of the images, and takes them from the others."""
    change = np.where(generator.random(len(images)) < 0.5, -amount, amount).astype(np.float32)
    return to_pixels(images + change[:, None, None])


def lower_contrast(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Draws the grey values towards their mean in each image, of whose distance `amount`, 0 to 1, is left."""
    means = images.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return to_pixels(means + amount * (images - means))


def darken(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Raises the grey values, as shares of white, to the power `amount`: a face against the light."""
    table = to_pixels(255 * (np.arange(256) / 255) ** amount)
    return table[images]


def lower_resolution(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Shrinks each image to `amount` pixels a side, by areas, and enlarges it again, linearly."""
    import cv2

    small = (int(amount), int(amount))
    return np.stack(
        [
            cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (IMAGE_SIZE, IMAGE_SIZE))
            for image in images
        ]
    )


def to_pixels(values: np.ndarray) -> np.ndarray:
    """Rounds to the nearest grey value, 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def filter_each(images: np.ndarray, kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Convolves each image with its own kernel; beyond the border, its last pixels go on."""
    import cv2

    return np.stack(
        [
            cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
            for image, kernel in zip(images, kernels, strict=True)
        ]
    )


def disc_kernel(radius: float) -> np.ndarray:
    """The share of each pixel that a disc covers: float32, an odd square that sums to 1."""
    reach = int(np.ceil(radius - 0.5)) if radius > 0.5 else 0
    size = 2 * reach + 1
    centres = (np.arange(size * SUBPIXELS) + 0.5) / SUBPIXELS - size / 2
    inside = centres[:, None] ** 2 + centres**2 <= radius**2
    return _average_cells(inside, size)


def path_kernel(length: float, angle: float) -> np.ndarray:
    """The share of time that a straight path spends in each pixel: float32, an odd square that sums to 1.

    Args:
        length: Of the path, in pixels.
        angle: Between the path and the image's rows, in radians, clockwise as one sees it.
    """
    size = 2 * int(np.ceil(length / 2)) + 1
    steps = ((np.arange(SUBPIXELS * size) + 0.5) / (SUBPIXELS * size) - 0.5) * length
    rows, columns = size // 2 + steps * np.sin(angle), size // 2 + steps * np.cos(angle)
    kernel = np.zeros((size + 1, size + 1))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, right = rows - top, columns - left  # a point between pixels counts for its four neighbours
    np.add.at(kernel, (top, left), (1 - below) * (1 - right))
    np.add.at(kernel, (top, left + 1), (1 - below) * right)
    np.add.at(kernel, (top + 1, left), below * (1 - right))
    np.add.at(kernel, (top + 1, left + 1), below * right)
    kernel = kernel[:size, :size]
    return (kernel / kernel.sum()).astype(np.float32)


def _average_cells(fine, size):
    kernel = fine.reshape(size, SUBPIXELS, size, SUBPIXELS).mean(axis=(1, 3))
    return (kernel / kernel.sum()).astype(np.float32)
