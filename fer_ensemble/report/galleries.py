"""Faces for the report: what the ensemble gets wrong, whose label is likely wrong, copies labelled differently."""

import base64
import dataclasses
import io
from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.dataset import SPLITS, UNLABELLED, Dataset
from fer_ensemble.ensemble.parts import Part
from fer_ensemble.evaluation.predicted_images import positions_of
from fer_ensemble.scoring.metrics import predicted_labels

FACES = 24  # of each gallery: 2 to 6 full rows on the screens there are
LINES = 6  # of a caption; one black picture occurs 12 times


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Faces with captions.

    Attributes:
        title: What they have in common.
        note: A sentence on how they were chosen, and how many there are.
        faces: List of dicts: `picture` (a PNG as data: URI), `name` (of the image) and `lines` (of the caption).
    """

    title: str
    note: str
    faces: list


def show_mistakes(
    dataset: Dataset, part: Part, probabilities: np.ndarray, class_names: Sequence[str], title: str
) -> Gallery | None:
    """Shows the labelled images that are wrong with the greatest confidence; None if none is."""
    known = np.flatnonzero((part.labels != UNLABELLED) & ~np.isnan(probabilities[:, 0]))
    predicted = predicted_labels(probabilities[known])
    wrong = predicted != part.labels[known]
    known, predicted = known[wrong], predicted[wrong]
    chosen = np.argsort(-probabilities[known, predicted], kind="stable")[:FACES]
    faces = _faces(dataset, part, known[chosen], predicted[chosen], probabilities, class_names)
    return _gallery(
        f"{title}: wrong, and most sure of it",
        f"{len(faces)} of the {len(known):,} images whose answer is wrong.",
        faces,
    )


def show_likely_wrong(
    dataset: Dataset,
    part: Part,
    positions: np.ndarray,
    suggested: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
) -> Gallery | None:
    """Shows the first images of `find_likely_wrong`; None if there is none."""
    faces = _faces(dataset, part, positions[:FACES], suggested[:FACES], probabilities, class_names)
    return _gallery(
        "Training images whose label is likely wrong",
        f"{len(faces)} of {len(positions):,}, by members that never saw the image; all of them: "
        "likely_wrong_labels.csv.",
        faces,
    )


def show_conflicts(dataset: Dataset, conflicts: Sequence[Sequence[int]]) -> Gallery | None:
    """Shows the same images labelled differently; None if there are none.

    Args:
        dataset: `Dataset`.
        conflicts: Lists of the positions of images that are the same.
    """
    faces = []
    values_of = (dataset.usage, dataset.rows, dataset.labels)
    for positions in conflicts[:FACES]:
        lines = [
            f"{SPLITS[usage]} {row}: {dataset.class_names[label]}"
            for usage, row, label in zip(*(values[positions] for values in values_of), strict=True)
        ]
        if len(lines) > LINES:
            lines[LINES - 1 :] = [f"and {len(lines) - LINES + 1} more"]
        faces.append({"picture": encode_face(dataset.images[positions[0]]), "name": lines[0], "lines": lines})
    return _gallery(
        "The same picture with different labels",
        f"{len(faces)} of {len(conflicts):,} such pictures, with the rows of all their copies.",
        faces,
    )


def encode_face(image: np.ndarray) -> str:
    """Returns a grey image, uint8, shape `(height, width)`, as the data: URI of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _gallery(title, note, faces):
    return Gallery(title, note, faces) if faces else None


def _faces(dataset, part, positions, predicted, probabilities, class_names):
    images = dataset.images[positions_of(dataset, part.rows[positions])]
    faces = []
    for image, position, label in zip(images, positions, predicted, strict=True):
        own, row = part.labels[position], probabilities[position]
        lines = [
            f"says {class_names[label]} {100 * row[label]:.0f} %",
            f"label {class_names[own]} {100 * row[own]:.0f} %",
        ]
        faces.append({"picture": encode_face(image), "name": f"row {part.rows[position]}", "lines": lines})
    return faces
