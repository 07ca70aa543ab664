"""What covers a face or moves it in its frame: each takes uint8 images, an amount and a random generator."""

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE

# Where FER2013's faces have their eyes and mouth, in rows from the top: the mean landmarks of its frame.
EYES, MOUTH = 18.65, 36.35
# As sunglasses and as a mask, which is light.
SUNGLASSES, MASK = 0, 200
ZOOM_PER_SHIFT = 1.5  # a detector errs in a box's side about as much as in its place, on both of its ends


def cover_eyes(images, amount, generator):
    """Lays a black bar of `amount` pixels of height over the eyes."""
    return _cover_rows(images, EYES, amount, SUNGLASSES)


def cover_mouth(images, amount, generator):
    """Lays a light grey bar of `amount` pixels of height over the mouth."""
    return _cover_rows(images, MOUTH, amount, MASK)


def cover_box(images, amount, generator):
    """Lays a square of `amount` pixels a side somewhere into each image, grey as drawn."""
    side = int(amount)
    across, down, grey = generator.random((len(images), 3)).T
    # At every side from the same draw, so that a larger box contains the smaller one.
    top, left = (np.floor(share * (IMAGE_SIZE - side + 1))[:, None] for share in (down, across))
    places = np.arange(IMAGE_SIZE)
    rows, columns = (places >= top) & (places < top + side), (places >= left) & (places < left + side)
    covered = rows[:, :, None] & columns[:, None, :]
    return np.where(covered, np.rint(255 * grey)[:, None, None], images).astype(np.uint8)


def roll(images, amount, generator):
    """Turns half of the images by `amount` degrees clockwise about their centre, and the others the other way."""
    signs = np.where(generator.random(len(images)) < 0.5, -1, 1)
    return warp_each(images, [turning(sign * amount) for sign in signs])


def misplace(images, amount, generator):
    """Shifts each face by `amount` of its side in a direction drawn, and zooms in or out by 1 + 1.5 `amount`."""
    return warp_each(images, misplacements(len(images), amount, generator))


def misplacements(images, amount, generator):
    """Draws the affine maps of `misplace`, one for each image."""
    turn, side = generator.random((images, 2)).T
    angles, signs = 2 * np.pi * turn, np.where(side < 0.5, -1, 1)
    shifts = amount * IMAGE_SIZE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    zooms = (1 + ZOOM_PER_SHIFT * amount) ** signs.astype(np.float64)
    return [turning(0, zoom, shift) for zoom, shift in zip(zooms, shifts, strict=True)]


def turning(degrees, zoom=1.0, shift=(0.0, 0.0)):
    """Returns the affine map, shape `(2, 3)`, that turns clockwise, zooms about the centre, then shifts (x, y)."""
    angle = np.deg2rad(degrees)
    matrix = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (IMAGE_SIZE - 1) / 2)
    return np.column_stack([matrix, centre + np.array(shift) - matrix @ centre])


def warp_each(images, maps):
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
