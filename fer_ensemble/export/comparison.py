"""What an export changed, and how much of that is too much."""

import dataclasses

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import UNLABELLED

MOST_DIFFERENCE = 1e-4  # of a probability, in float32
MOST_CHANGED = 1e-3  # of the decisions, with weights of 16 bits


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An exported file beside its source, on the same faces.

    Attributes:
        faces: Number of faces.
        difference: Largest difference of a probability.
        changed: Number of faces of which another class is the most probable.
        labelled: Number of the faces that have a label.
        source_accuracy: Share of these that the source has right, 0 to 1; None without any.
        accuracy: Share of these that the exported file has right; None without any.
    """

    faces: int
    difference: float
    changed: int
    labelled: int
    source_accuracy: float | None
    accuracy: float | None


def compare(source: np.ndarray, exported: np.ndarray, labels: np.ndarray) -> Comparison:
    """Compares probabilities.

    Args:
        source: Float array of shape `(faces, classes)`, the source's probabilities.
        exported: The exported file's, of the same shape.
        labels: Int array of shape `(faces,)`, -1 where there is none.

    Returns:
        `Comparison`.

    Example:

    >>> compare([[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.6, 0.4]], [0, 1])
    Comparison(faces=2, difference=0.2, changed=1, labelled=2, source_accuracy=1.0, accuracy=0.5)
    """
    source, exported, labels = (np.asarray(values) for values in (source, exported, labels))
    own, others = source.argmax(axis=1), exported.argmax(axis=1)
    known = labels != UNLABELLED
    shares = [float((found == labels)[known].mean()) if known.any() else None for found in (own, others)]
    return Comparison(
        faces=len(labels),
        difference=float(np.abs(source - exported).max().round(9)),
        changed=int((own != others).sum()),
        labelled=int(known.sum()),
        source_accuracy=shares[0],
        accuracy=shares[1],
    )


def check(comparison: Comparison, quantize: str, most_loss: float) -> None:
    """Checks that an export changed no more than it may.

    Args:
        comparison: `Comparison`.
        quantize: How it was quantised: `none`, `float16`, or one that begins with `int8`.
        most_loss: Most points of accuracy, 0 to 100, that an int8 export may lose.

    Raises:
        UserError: If a float32 export differs by more than 1e-4 in a probability, if 16-bit weights change more
            than 0.1 % of the decisions, or int8 loses more than `most_loss`.
    """
    if not comparison.difference < np.inf:
        raise UserError("expected probabilities from the exported network. Received values that are no numbers.")
    if quantize == "none" and comparison.difference > MOST_DIFFERENCE:
        raise UserError(
            f"expected the exported network to give the source's probabilities to {MOST_DIFFERENCE:g}. Received a "
            f"difference of {comparison.difference:.2g} on {comparison.faces:,} faces."
        )
    if quantize == "float16" and comparison.changed > MOST_CHANGED * comparison.faces:
        raise UserError(
            f"expected 16-bit weights to change at most {MOST_CHANGED:.1%} of the decisions. Received "
            f"{comparison.changed} of {comparison.faces:,}. Export with --quantize=none."
        )
    if quantize.startswith("int8"):
        loss = 100 * (comparison.source_accuracy - comparison.accuracy)
        if loss > most_loss:
            raise UserError(
                f"expected {quantize} to lose at most {most_loss:g} points of accuracy (--most_loss). Received a "
                f"loss of {loss:.2f} points on {comparison.labelled:,} faces. Export with --quantize=float16, or "
                "allow more."
            )


def describe(comparison: Comparison) -> str:
    """Says in a line what a `Comparison` found."""
    text = (
        f"{comparison.faces:,} faces: largest difference of a probability {comparison.difference:.2g}, "
        f"{comparison.changed} decisions changed"
    )
    if comparison.accuracy is not None:
        text += f", accuracy {comparison.accuracy:.2%} (source {comparison.source_accuracy:.2%})"
    return text
