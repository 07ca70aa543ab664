"""Which parts of a face spoke for its expression: 48x48 numbers that sum to what they explain."""

import functools
from collections.abc import Callable

import numpy as np

from fer_ensemble.base.network_protocol import Network
from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.scoring.metrics import SMALLEST_PROBABILITY

PATCHES = 6  # along each side: patches of 8x8 pixels, as large as the cells of the network that ships
ORDERS = 4  # each taken forwards and backwards


def explain(network: Network, faces: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Explains the answers of a network, face by face.

    What is explained is a difference of logits: that of one class less the mean of all classes'. Numbers above 0
    speak for the class, numbers below 0 against it.

    A network with class maps (`network.class_maps`, see `fer_ensemble.export.graph.find_class_maps`) is explained
    by them, exactly. Any other is asked about faces with parts of them covered (`explain_by_covering`).

    Args:
        network: A `fer_ensemble.base.network_protocol.Network`; it may have `class_maps(faces)`, which returns
            None, or float32 of shape `(n, classes, height, width)`, whose sum over the cells is the logit.
        faces: uint8, shape `(n, 48, 48)`.
        labels: Int array of shape `(n,)`: the class to explain of each face. The most probable one by default.

    Returns:
        float32, shape `(n, 48, 48)`. With class maps, each face's numbers sum to the logit of its class less the
        mean of all logits. Without, they sum to how much that difference, of the logarithms of the calibrated
        probabilities, is larger for the face than for the same face covered as a whole.

    Source:
        Zhou et al. (2016), https://arxiv.org/abs/1512.04150, for the class maps.
    """
    faces = np.asarray(faces)
    if len(faces) == 0:
        return np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    if labels is None:
        labels = network.predict(faces).argmax(axis=1)
    labels = np.asarray(labels)
    maps = network.class_maps(faces) if hasattr(network, "class_maps") else None
    if maps is None:
        return np.stack(
            [explain_by_covering(network.predict, face, label) for face, label in zip(faces, labels, strict=True)]
        )
    maps = maps.astype(np.float64)
    differences = maps[np.arange(len(maps)), labels] - maps.mean(axis=1)
    return spread_cells(differences).astype(np.float32)


def explain_by_covering(
    predict: Callable[[np.ndarray], np.ndarray],
    face: np.ndarray,
    label: int,
    patches: int = PATCHES,
    orders: int = ORDERS,
    seed: int = 0,
) -> np.ndarray:
    """Explains an answer by what covering parts of the face does to it: occlusion sensitivity that adds up.

    The face is covered patch by patch, in the face's mean grey, in several orders, until nothing is left of it. A
    patch is credited with what its covering took from the difference of logits, on average over the orders. So the
    numbers of every order sum to the same, what covering everything takes, and a patch that only speaks together
    with another one is not overlooked.

    Args:
        predict: Function from uint8 faces `(n, 48, 48)` to probabilities `(n, classes)`.
        face: uint8, shape `(48, 48)`.
        label: The class to explain.
        patches: How many patches along each side.
        orders: How many random orders, each taken forwards and backwards.
        seed: Of the orders.

    Returns:
        float32, shape `(48, 48)`.

    Source:
        Zeiler & Fergus (2014), https://arxiv.org/abs/1311.2901, section 4.2, covered one patch at a time; averaged
        over orders, each with its reverse, it estimates Shapley values: Castro et al. (2009),
        https://doi.org/10.1016/j.cor.2008.04.004.
    """
    random = np.random.default_rng(seed)
    count = patches**2
    chosen = [random.permutation(count) for _ in range(orders)]
    chosen += [order[::-1] for order in chosen]
    where = np.arange(IMAGE_SIZE) * patches // IMAGE_SIZE
    patch_of = where[:, None] * patches + where  # of each pixel
    grey = np.uint8(np.round(face.mean()))
    covered = [
        np.where(np.isin(patch_of, order[:number]), grey, face) for order in chosen for number in range(count + 1)
    ]
    logits = np.log(np.maximum(predict(np.stack(covered)).astype(np.float64), SMALLEST_PROBABILITY))
    differences = (logits[:, label] - logits.mean(axis=1)).reshape(len(chosen), count + 1)
    credits = np.zeros(count)
    for order, steps in zip(chosen, differences, strict=True):
        credits[order] += (steps[:-1] - steps[1:]) / len(chosen)
    return spread_cells(credits.reshape(1, patches, patches))[0].astype(np.float32)


def spread_cells(cells: np.ndarray) -> np.ndarray:
    """Spreads the numbers of cells over the pixels below and around them, without changing the sum.

    Args:
        cells: Float array of shape `(n, height, width)`.

    Returns:
        Float64 array of shape `(n, 48, 48)`: between the middles of two cells, bilinear.

    Example:

    >>> round(spread_cells(np.ones((1, 6, 6))).sum().item(), 9)
    36.0
    """
    cells = np.asarray(cells, np.float64)
    rows, columns = (_spread_along(size) for size in cells.shape[1:])
    return rows @ cells @ columns.T


@functools.cache
def _spread_along(cells):
    """Returns float64 of shape `(48, cells)`: what each pixel gets of each cell; each column sums to 1."""
    middles = (np.arange(cells) + 0.5) * IMAGE_SIZE / cells
    pixels = np.arange(IMAGE_SIZE) + 0.5
    shares = np.maximum(1 - np.abs(pixels[:, None] - middles) * cells / IMAGE_SIZE, 0)
    return shares / shares.sum(axis=0)
