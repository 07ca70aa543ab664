"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.report.drawing import DOTS_PER_INCH, format_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> bytes:
    """Draws how the images of each true class were predicted.

    Args:
        matrix: Int array of shape `(classes, classes)`, counts, rows true, columns predicted.
        class_names: One name per class, in label order.
        title: What was predicted by what, such as "PrivateTest, 16 members"; the accuracy is added.

    Returns:
        Bytes of a PNG image. Each cell has its share of its row in percent, as its colour, and its count.

    Raises:
        UserError: If the matrix is not square, or has not as many classes as there are names.
    """
    return format_png(lay_out_confusion_matrix(matrix, class_names, title))


def lay_out_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> "Figure":
    """Returns the picture of `draw_confusion_matrix` as a `matplotlib.figure.Figure`."""
    matrix = np.asarray(matrix)
    classes = len(class_names)
    if matrix.shape != (classes, classes):
        raise UserError(
            f"`matrix` must have one row and one column per class name ({classes}). "
            f"Received: shape {matrix.shape}."
        )
    from matplotlib.figure import Figure

    side = max(0.75 * classes, 3)  # inches; a cell holds "100.0 %"
    longest = 0.08 * max(map(len, class_names))
    slanted = longest > 0.75
    figure = Figure(
        figsize=(side + longest + 1.6, side + 1.2 + slanted * longest / 2),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    axes = figure.add_subplot()
    of_true_class = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(of_true_class, 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(classes, classes):
        if of_true_class[true, 0] == 0:
            continue  # no image, no share
        share = shares[true, predicted]
        text = axes.text(
            predicted,
            true,
            f"{100 * share:.1f} %\n{matrix[true, predicted]:,}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.5 else "black",
        )
        text.set_in_layout(False)  # inside its cell, whatever the layout; measuring it takes time
    axes.set_xticks(range(classes), class_names)
    if slanted:
        axes.tick_params(axis="x", labelrotation=30)
        for name in axes.get_xticklabels():
            name.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), class_names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    images = int(matrix.sum())
    accuracy = f"accuracy {100 * np.trace(matrix) / images:.2f} % of {images:,} images" if images else "no image"
    axes.set_title(f"{title}\n{accuracy}", fontsize=11)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class / %")
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    return figure
