"""What covers a face or moves it in its frame: each takes uint8 images, an amount and a random generator."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE

# Where FER2013's faces have their eyes and mouth, in rows from the top: the mean landmarks of its frame.
EYES, MOUTH = 18.65, 36.35
# As sunglasses and as a mask, which is light.
SUNGLASSES, MASK = 0, 200
ZOOM_PER_SHIFT = 1.5  # a detector errs in a box's side about as much as in its place, on both of its ends


def cover_eyes(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Lays a black bar of `amount` pixels of height over the eyes."""
    return _cover_rows(images, EYES, amount, SUNGLASSES)


def cover_mouth(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Lays a light grey bar of `amount` pixels of height over the mouth."""
    return _cover_rows(images, MOUTH, amount, MASK)


def cover_box(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Lays a square of `amount` pixels a side somewhere into each image, grey as drawn."""
    side = int(amount)
    across, down, grey = generator.random((len(images), 3)).T
    # At every side from the same draw, so that a larger box contains the smaller one.
    top, left = (np.floor(share * (IMAGE_SIZE - side + 1))[:, None] for share in (down, across))
    positions = np.arange(IMAGE_SIZE)
    rows, columns = (positions >= top) & (positions < top + side), (positions >= left) & (positions < left + side)
    covered = rows[:, :, None] & columns[:, None, :]
    return np.where(covered, np.rint(255 * grey)[:, None, None], images).astype(np.uint8)


def roll(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Turns half of the images by `amount` degrees clockwise about their centre, and the others the other way."""
    signs = np.where(generator.random(len(images)) < 0.5, -1, 1)
    return warp_each(images, [turning(sign * amount) for sign in signs])


def misplace(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Shifts each face by `amount` of its side in a direction drawn, and zooms in or out by 1 + 1.5 `amount`."""
    return warp_each(images, misplacements(len(images), amount, generator))


def misplacements(images: int, amount: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Draws the affine maps of `misplace`, one for each image."""
    turn, side = generator.random((images, 2)).T
    angles, signs = 2 * np.pi * turn, np.where(side < 0.5, -1, 1)
    shifts = amount * IMAGE_SIZE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    zooms = (1 + ZOOM_PER_SHIFT * amount) ** signs.astype(np.float64)
    return [turning(0, zoom, shift) for zoom, shift in zip(zooms, shifts, strict=True)]


def turning(degrees: float, zoom: float = 1.0, shift: Sequence[float] = (0.0, 0.0)) -> np.ndarray:
    """Returns the affine map, shape `(2, 3)`, that turns clockwise, zooms about the centre, then shifts (x, y)."""
    angle = np.deg2rad(degrees)
    matrix = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (IMAGE_SIZE - 1) / 2)
    return np.column_stack([matrix, centre + np.array(shift) - matrix @ centre])


def warp_each(images: np.ndarray, maps: Sequence[np.ndarray]) -> np.ndarray:
    """Moves each image by its own map, linearly; what was outside is what stands at the border."""
    import cv2

    return np.stack(
        [
            cv2.warpAffine(image, one, (IMAGE_SIZE, IMAGE_SIZE), borderMode=cv2.BORDER_REPLICATE)
            for image, one in zip(images, maps, strict=True)
        ]
    )


def _cover_rows(images, centre, height, grey):
    covered = images.copy()
    top = round(centre - height / 2)
    covered[:, top : top + int(height)] = grey
    return covered
