"""Crops without a face: a network answers there, too, and should not be sure."""

from collections.abc import Callable, Sequence

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.evaluation.risk import describe_risk

CELLS = 4  # each way, into which a face is cut and shuffled
NO_FACE = -1  # no class is right


def draw_faceless(faces: np.ndarray, crops: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Draws crops without a face, a kind after the other.

    Args:
        faces: uint8, shape `(images, 48, 48)`, at least one: some kinds are made of faces.
        crops: How many of each kind.
        seed: The same seed draws the same crops.

    Returns:
        Dict from the kind to uint8, shape `(crops, 48, 48)`.
    """
    return {
        kind: draw(faces, crops, np.random.default_rng([seed, number]))
        for number, (kind, draw) in enumerate(KINDS.items())
    }


def cut_patches(pictures: list[np.ndarray], crops: int, seed: int = 0) -> np.ndarray:
    """Cuts squares out of pictures, at random places and in random sizes from 48 pixels up.

    Args:
        pictures: List of uint8 arrays of shape `(height, width)`, at least one; smaller ones are enlarged whole.
        crops: How many.
        seed: The same seed cuts the same.

    Returns:
        uint8, shape `(crops, 48, 48)`.
    """
    import cv2

    generator = np.random.default_rng(seed)
    cut = []
    for number in range(crops):
        picture = pictures[number % len(pictures)]
        height, width = picture.shape
        largest = min(height, width)
        side = round(np.exp(generator.uniform(np.log(min(IMAGE_SIZE, largest)), np.log(largest))))
        top, left = generator.integers(0, (height - side, width - side), endpoint=True)
        patch = picture[top : top + side, left : left + side]
        cut.append(cv2.resize(patch, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))
    return np.stack(cut)


def describe_faceless(
    answers: dict, class_names: Sequence[str], unsure_below: float, faces: np.ndarray, labels: np.ndarray
) -> dict:
    """Counts how often a network is sure where there is no face.

    Args:
        answers: Dict from the kind of crops to float array of shape `(crops, classes)`.
        class_names: Names of the classes.
        unsure_below: As for `describe_risk`.
        faces: Float array of shape `(images, classes)`, the answers on labelled faces.
        labels: Int array of shape `(images,)`.

    Returns:
        Dict: `kinds`, a list of dicts of `kind`, `crops`, `sure` (share), `confidence` (mean probability of the
        answer) and `most_common` (name of the class); `sure`, the share over all crops; `risk`, as from
        `describe_risk`, of faces and crops together, as many of each as there are, every answer on a crop wrong.
    """
    every = np.concatenate(list(answers.values()))
    together = np.concatenate([faces, every])
    known = np.concatenate([labels, np.full(len(every), NO_FACE)])
    return {
        "kinds": [
            {
                "kind": kind,
                "crops": len(probabilities),
                "sure": float((probabilities.max(axis=1) >= unsure_below).mean()),
                "confidence": float(probabilities.max(axis=1).mean()),
                "most_common": class_names[np.bincount(probabilities.argmax(axis=1)).argmax()],
            }
            for kind, probabilities in answers.items()
        ],
        "sure": float((every.max(axis=1) >= unsure_below).mean()),
        "risk": describe_risk(together, known, unsure_below),
    }


def _flat(faces, crops, generator):
    return np.broadcast_to(_greys(generator, crops), (crops, IMAGE_SIZE, IMAGE_SIZE)).astype(np.uint8)


def _white_noise(faces, crops, generator):
    return generator.integers(0, 256, (crops, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)


def _clouds(faces, crops, generator):
    """Noise whose amplitude falls with the frequency, as that of natural pictures does."""
    frequencies = np.hypot(np.fft.fftfreq(IMAGE_SIZE)[:, None], np.fft.rfftfreq(IMAGE_SIZE))
    frequencies[0, 0] = np.inf  # no mean
    noise = np.fft.rfft2(generator.standard_normal((crops, IMAGE_SIZE, IMAGE_SIZE)))
    clouds = np.fft.irfft2(noise / frequencies, s=(IMAGE_SIZE, IMAGE_SIZE))
    clouds /= clouds.std(axis=(1, 2), keepdims=True)
    return np.clip(128 + 50 * clouds, 0, 255).astype(np.uint8)


def _gradients(faces, crops, generator):
    angle = 2 * np.pi * generator.random((crops, 1, 1))
    low, high = np.sort(generator.uniform(0, 255, (2, crops, 1, 1)), axis=0)
    along = _along(angle)
    share = (along - along.min(axis=(1, 2), keepdims=True)) / np.ptp(along, axis=(1, 2), keepdims=True)
    return (low + (high - low) * share).astype(np.uint8)


def _stripes(faces, crops, generator):
    angle, period = 2 * np.pi * generator.random((crops, 1, 1)), generator.uniform(4, 24, (crops, 1, 1))
    dark = (np.floor(2 * _along(angle) / period) % 2).astype(bool)
    return np.where(dark, _greys(generator, crops), _greys(generator, crops)).astype(np.uint8)


def _shuffled_faces(faces, crops, generator):
    """Faces cut into 16 squares that change places: the light and texture of faces, without one."""
    side = IMAGE_SIZE // CELLS
    chosen = faces[generator.integers(0, len(faces), crops)]
    cells = chosen.reshape(crops, CELLS, side, CELLS, side).transpose(0, 1, 3, 2, 4)
    cells = cells.reshape(crops, CELLS**2, side, side)
    order = generator.random((crops, CELLS**2)).argsort(axis=1)
    cells = np.take_along_axis(cells, order[:, :, None, None], axis=1)
    return cells.reshape(crops, CELLS, CELLS, side, side).transpose(0, 1, 3, 2, 4).reshape(chosen.shape)


def _along(angle):
    rows, columns = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE]
    return rows * np.sin(angle) + columns * np.cos(angle)


def _greys(generator, crops):
    return generator.integers(0, 256, (crops, 1, 1))


KINDS: dict[str, Callable] = {
    "flat grey": _flat,
    "white noise": _white_noise,
    "clouds": _clouds,
    "gradients": _gradients,
    "stripes": _stripes,
    "shuffled faces": _shuffled_faces,
}
