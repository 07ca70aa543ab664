"""Blur, low resolution, JPEG and noise as augmentation, on the device, inside the compiled training step.

A blur and a low resolution are products with matrices from both sides; so are the cosine transform of JPEG's 8x8
blocks and its inverse, between which the coefficients are rounded. Noise is a part of one large square, always the
same. So nothing is drawn on the device: the host draws five numbers per image.
"""

import functools

import keras
import numpy as np
from keras import ops

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.training.draws import BLURS, NOISE_SIDE, SIZES

BLOCK = 8
# ITU-T T.81 (1992), table K.1: the steps of luminance at quality 50, as libjpeg has them.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)  # fmt: skip


def degrade(images: keras.KerasTensor, draws: dict) -> keras.KerasTensor:
    """Applies the draws named `degrade` of `fer_ensemble.training.draws.draw_batch`.

    Args:
        images: float32, shape `(batch, 48, 48, 1)`, grey values 0..255.
        draws: float32, shape `(batch, 5)`.

    Returns:
        float32, shape `(batch, 48, 48, 1)`, grey values 0..255.
    """
    faces = ops.squeeze(images, axis=-1)
    quality, deviation = (ops.reshape(draws[:, column], (-1, 1, 1)) for column in (1, 2))
    smoother, top, left = (ops.cast(draws[:, column], "int32") for column in (0, 3, 4))
    faces = _on_both_sides(ops.take(ops.convert_to_tensor(smoothers()), smoother, axis=0), faces)
    faces = ops.where(quality > 0, _compress(faces, ops.maximum(quality, 1.0)), faces)
    faces = faces + deviation * _cut_noise(top, left)
    return ops.clip(faces, 0.0, 255.0)[..., None]


@functools.cache
def noise_square() -> np.ndarray:
    """Standard normal noise, float32, shape `(256, 256)`, the same always."""
    return np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE), np.float32)


@functools.cache
def smoothers() -> np.ndarray:
    """Matrices that blur or shrink rows of 48 pixels: float32, shape `(12, 48, 48)`, the first the identity."""
    matrices = [np.eye(IMAGE_SIZE), *map(blur_matrix, BLURS), *map(shrink_matrix, SIZES)]
    return np.stack(matrices).astype(np.float32)


def blur_matrix(deviation: float) -> np.ndarray:
    """Averages over a Gaussian; beyond the border, the last pixel goes on."""
    reach = int(np.ceil(4 * deviation))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-((steps / deviation) ** 2) / 2)
    matrix = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    for row in range(IMAGE_SIZE):
        np.add.at(matrix[row], np.clip(row + steps, 0, IMAGE_SIZE - 1), weights / weights.sum())
    return matrix


def shrink_matrix(size: int) -> np.ndarray:
    """Shrinks to `size` pixels by areas, and enlarges to 48 again linearly."""
    borders = np.arange(size + 1) * IMAGE_SIZE / size
    pixels = np.arange(IMAGE_SIZE)
    overlap = np.minimum(borders[1:, None], pixels + 1) - np.maximum(borders[:-1, None], pixels)
    down = np.clip(overlap, 0, 1) * size / IMAGE_SIZE
    centres = np.clip((pixels + 0.5) * size / IMAGE_SIZE - 0.5, 0, size - 1)
    up = np.clip(1 - np.abs(centres[:, None] - np.arange(size)), 0, 1)
    return up @ down


def cosine_matrix() -> np.ndarray:
    """The cosine transform of rows of 48 pixels in blocks of 8, orthonormal: float32, shape `(48, 48)`."""
    frequency, position = np.mgrid[:BLOCK, :BLOCK]
    block = np.cos(np.pi * (2 * position + 1) * frequency / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    block[0] /= np.sqrt(2)
    return np.kron(np.eye(IMAGE_SIZE // BLOCK), block).astype(np.float32)


def _compress(faces, quality):
    """What a JPEG file of that quality, shape `(batch, 1, 1)`, keeps of faces of shape `(batch, 48, 48)`."""
    scale = ops.where(quality < 50, 5000.0 / quality, 200.0 - 2.0 * quality)
    blocks = IMAGE_SIZE // BLOCK
    table = ops.convert_to_tensor(np.tile(LUMINANCE, (blocks, blocks)))
    steps = ops.clip(ops.floor((table * scale + 50.0) / 100.0), 1.0, 255.0)
    cosine = ops.convert_to_tensor(cosine_matrix())
    coefficients = _on_both_sides(cosine, faces - 128.0)
    kept = ops.round(coefficients / steps) * steps
    return _on_both_sides(ops.transpose(cosine), kept) + 128.0


def _cut_noise(top, left):
    """Noise of deviation 1, shape `(batch, 48, 48)`, from those positions of the square."""
    pixels = np.arange(IMAGE_SIZE, dtype=np.int32)
    rows, columns = (ops.expand_dims(start, -1) + pixels for start in (top, left))
    positions = ops.expand_dims(rows, 2) * NOISE_SIDE + ops.expand_dims(columns, 1)
    return ops.take(ops.convert_to_tensor(noise_square().ravel()), positions)


def _on_both_sides(matrix, faces):
    return ops.matmul(ops.matmul(matrix, faces), ops.swapaxes(matrix, -1, -2))
