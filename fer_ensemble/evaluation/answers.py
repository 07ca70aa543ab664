"""Asking a network, or an ensemble and its members, in the order of the data's classes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.members.predictions import ROW_SUM_TOLERANCE


@dataclasses.dataclass(frozen=True)
class Answers:
    """What was answered on one set of faces.

    Attributes:
        probabilities: Float32, shape `(images, classes)`.
        members: Int8, shape `(members, images)`, the classes that the members of an ensemble say each by itself;
            None for a single network.
    """

    probabilities: np.ndarray
    members: np.ndarray | None = None


def ask(network: Network, images: np.ndarray, class_names: Sequence[str]) -> Answers:
    """Asks a network or an ensemble, and its members where it tells them apart.

    Args:
        network: Anything with `class_names` and `predict(faces)`. An ensemble whose members are to be seen has
            `predict_members(faces)`, too, of shape `(members, images, classes)`, and `combine`, which makes of
            these what `predict` returns.
        images: uint8, shape `(images, 48, 48)`.
        class_names: The network's classes, in the order that is wanted.
    """
    order = [tuple(network.class_names).index(name) for name in class_names]
    if not hasattr(network, "predict_members"):
        probabilities = np.asarray(network.predict(images))
        _check_probabilities(probabilities, (len(images), len(order)))
        return Answers(probabilities[:, order])
    members = network.predict_members(images)
    return Answers(network.combine(members)[:, order], members[..., order].argmax(axis=2).astype(np.int8))


def _check_probabilities(probabilities, shape):
    problem = None
    if probabilities.shape != shape:
        problem = f"an array of shape {probabilities.shape}"
    elif not np.all(probabilities >= 0):  # NaN is no number to compare
        problem = "negative ones, or no numbers"
    elif not np.all(abs(probabilities.sum(axis=1, dtype=np.float64) - 1) <= ROW_SUM_TOLERANCE):
        problem = "rows that do not sum to 1, logits perhaps"
    if problem:
        raise UserError(f"predict() of a network must return probabilities of shape {shape}. Received: {problem}.")


def check_classes(network: Network, class_names: Sequence[str], name: str) -> None:
    """Raises UserError unless a network, called `name`, has these classes, in whatever order."""
    if set(network.class_names) != set(class_names):
        raise UserError(
            f"{name} must have the classes of the data ({', '.join(class_names)}). "
            f"Received: {', '.join(network.class_names)}."
        )
