"""Asking a network, or an ensemble and its members, in the order of the data's classes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.network_protocol import Network


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
        return Answers(network.predict(images)[:, order])
    members = network.predict_members(images)
    return Answers(network.combine(members)[:, order], members[..., order].argmax(axis=2).astype(np.int8))


def check_classes(network: Network, class_names: Sequence[str], name: str) -> None:
    """Raises UserError unless a network, called `name`, has these classes, in whatever order."""
    if set(network.class_names) != set(class_names):
        raise UserError(
            f"{name} must have the classes of the data ({', '.join(class_names)}). "
            f"Received: {', '.join(network.class_names)}."
        )
