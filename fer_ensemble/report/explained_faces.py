"""Faces with what in them spoke for the answer: for each class the surest right one and the surest wrong one."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.network_protocol import Network
from fer_ensemble.classifier.explanation import explain
from fer_ensemble.classifier.explanation_picture import draw_explanation
from fer_ensemble.report.galleries import Gallery, encode_face


def show_explained(
    network: Network, images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> Gallery:
    """Explains answers of a network.

    Args:
        network: A `fer_ensemble.base.network_protocol.Network`.
        images: uint8, shape `(images, 48, 48)`.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1.
        probabilities: Float array of shape `(images, classes)`: what the network says, in its order of classes.
        class_names: Names of the classes, in the same order.

    Returns:
        `Gallery` of at most two faces for each class.
    """
    chosen = choose_faces(labels, probabilities)
    predicted = probabilities[chosen].argmax(axis=1)
    faces = []
    for position, label, explanation in zip(
        chosen, predicted, explain(network, images[chosen], predicted), strict=True
    ):
        own = labels[position]
        lines = [f"says {class_names[label]} {100 * probabilities[position, label]:.0f} %"]
        lines.append("label the same" if own == label else f"label {class_names[own]}")
        picture = encode_face(draw_explanation(images[position], explanation, size=96))
        faces.append({"picture": picture, "name": f"face {position}", "lines": lines})
    return Gallery(
        "What spoke for its answers",
        "For each class, the surest answer that is right and the surest that is wrong. Red spoke for the answer, "
        "blue against it. It tells what the network used, and nothing of the person.",
        faces,
    )


def choose_faces(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns where the surest right and the surest wrong answer of each class are; int64, class by class."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    chosen = []
    for label in range(probabilities.shape[1]):
        for right in (True, False):
            found = np.flatnonzero((predicted == label) & ((labels == label) == right))
            if len(found):
                chosen.append(found[confidence[found].argmax()])
    return np.array(chosen, np.int64)
