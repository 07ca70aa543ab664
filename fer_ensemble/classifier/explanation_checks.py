"""Whether explanations explain: what covering the marked region does, and what they are without a training."""

import numpy as np

from fer_ensemble.base.network_protocol import Network
from fer_ensemble.classifier.explanation import explain
from fer_ensemble.data.dataset import IMAGE_SIZE

REGION = 16  # pixels, height and width: a ninth of the face
DRAWS = 5  # random regions for each face


def cover(faces: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int = REGION) -> np.ndarray:
    """Covers a square of each face with the face's mean grey.

    Args:
        faces: uint8, shape `(n, 48, 48)`.
        tops, lefts: Int arrays of shape `(n,)`: where the squares begin.
        size: Their height and width in pixels.

    Returns:
        uint8, shape `(n, 48, 48)`.
    """
    at = np.arange(IMAGE_SIZE)
    rows = (at >= tops[:, None]) & (at < tops[:, None] + size)
    columns = (at >= lefts[:, None]) & (at < lefts[:, None] + size)
    grey = np.round(faces.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    return np.where(rows[:, :, None] & columns[:, None, :], grey, faces)


def find_marked(explanations: np.ndarray, size: int = REGION) -> tuple[np.ndarray, np.ndarray]:
    """Finds the square of the largest sum in each explanation; returns its tops and lefts, int64 `(n,)`."""
    sums = np.pad(np.asarray(explanations, np.float64).cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    squares = sums[:, size:, size:] - sums[:, :-size, size:] - sums[:, size:, :-size] + sums[:, :-size, :-size]
    positions = squares.reshape(len(squares), -1).argmax(axis=1)
    return np.unravel_index(positions, squares.shape[1:])


def deletion_test(network: Network, faces: np.ndarray, seed: int = 0) -> dict:
    """Covers the region that explains most, and random ones, and compares what that does to the answers.

    Args:
        network: A `fer_ensemble.base.network_protocol.Network`.
        faces: uint8, shape `(n, 48, 48)`.
        seed: Of the random regions.

    Returns:
        Dict of means over the faces: `marked` and `random`, by how much the probability of the predicted class
        falls; `marked_changed` and `random_changed`, the share of other decisions; `marked_more`, the share of
        faces whose marked region costs more than a random one, on average over the random ones.

    Source:
        Petsiuk et al. (2018), https://arxiv.org/abs/1806.07421, their deletion metric, here with one region.
    """
    before = network.predict(faces)
    labels = before.argmax(axis=1)
    positions = np.arange(len(faces)), labels
    random = np.random.default_rng(seed)

    def fall(tops, lefts):
        after = network.predict(cover(faces, tops, lefts))
        return before[positions] - after[positions], after.argmax(axis=1) != labels

    marked, marked_changed = fall(*find_marked(explain(network, faces, labels)))
    drawn = random.integers(0, IMAGE_SIZE - REGION + 1, (DRAWS, 2, len(faces)))
    others = [fall(*positions) for positions in drawn]
    return {
        "marked": float(marked.mean()),
        "random": float(np.mean([one for one, _ in others])),
        "marked_changed": float(marked_changed.mean()),
        "random_changed": float(np.mean([changed for _, changed in others])),
        "marked_more": float(np.mean([marked > one for one, _ in others])),
    }


def compare_explanations(network: Network, other: Network, faces: np.ndarray) -> np.ndarray:
    """Correlates two networks' explanations of the same classes, those that the first predicts.

    With `other` of random weights, they should have little to do with each other: an explanation that stays the
    same shows the picture, not the network.

    Args:
        network, other: `fer_ensemble.base.network_protocol.Network`.
        faces: uint8, shape `(n, 48, 48)`.

    Returns:
        float64, shape `(n,)`: Pearson's correlation over the pixels of each face.

    Source:
        Adebayo et al. (2018), https://arxiv.org/abs/1810.03292.
    """
    labels = network.predict(faces).argmax(axis=1)
    first, second = (
        values.reshape(len(faces), -1) - values.mean((1, 2))[:, None]
        for values in (explain(one, faces, labels).astype(np.float64) for one in (network, other))
    )
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / np.maximum(norms, 1e-12)
