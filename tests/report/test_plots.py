import io
import math
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.report.plots import draw_confusion_matrix, draw_training_curves

MATRIX = np.diag(np.arange(10, 80, 10)) + 1


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3]


def coloured(picture):
    """The pixels that are not grey."""
    return picture[np.ptp(picture, axis=-1) > 0.2]


def shows(png, colour):
    """Whether some pixel has the colour, given as hex, up to the transparency of the lines on white."""
    ink = 1 - np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    inks = 1 - coloured(pixels(png))
    cosines = inks @ ink / np.linalg.norm(inks, axis=1) / np.linalg.norm(ink)
    return bool((cosines > 0.998).any())


def history(epochs=5, **columns):
    falling = [2.0 / epoch for epoch in range(1, epochs + 1)]
    rising = [1 - value / 4 for value in falling]
    measured = {"loss": falling, "accuracy": rising, "val_loss": falling, "val_accuracy": rising}
    return {"epoch": list(range(1, epochs + 1)), **measured, **columns}


def test_a_confusion_matrix_is_the_same_bytes_each_time():
    assert draw_confusion_matrix(MATRIX, CLASS_NAMES, "t") == draw_confusion_matrix(MATRIX, CLASS_NAMES, "t")


def test_training_curves_are_the_same_bytes_each_time():
    histories = {"exp_0/cnn_0": history()}
    assert draw_training_curves(histories) == draw_training_curves(histories)


def test_cells_are_coloured_by_their_share_of_the_true_class():
    def ink(matrix):
        return len(coloured(pixels(draw_confusion_matrix(matrix, ["a", "b"], "t"))))

    colour_bar = ink([[0, 0], [0, 0]])
    one_row = ink([[0, 1000], [0, 0]]) - colour_bar
    # 10 images of 10 are as much as 1,000 of 1,000.
    assert ink([[0, 1000], [0, 10]]) - colour_bar == pytest.approx(2 * one_row, rel=0.05)


@pytest.mark.parametrize("classes", [2, 7, 12])
def test_a_class_without_images_is_drawn_empty(classes):
    names = [f"class number {place}" for place in range(classes)]
    picture = pixels(draw_confusion_matrix(np.zeros((classes, classes), int), names, "nothing"))
    assert picture.shape[0] > 100 * math.sqrt(classes)


def test_a_matrix_that_does_not_fit_the_names_is_an_error():
    with pytest.raises(ValueError, match=r"per class name \(7\). Received: shape \(6, 6\)"):
        draw_confusion_matrix(np.eye(6, dtype=int), CLASS_NAMES, "t")


def test_runs_have_colours_in_the_order_of_their_names_whatever_the_order_of_the_members():
    members = ["exp_1/resnet_0", "exp_0/cnn_0", "exp_0/resnet_0"]
    png = draw_training_curves({member: history() for member in members})
    assert shows(png, "#0072B2") and shows(png, "#56B4E9")
    assert not shows(png, "#D55E00")


def test_epochs_without_a_measurement_are_bridged():
    complete = draw_training_curves({"cnn_0": history(val_loss=[5, 4, 3, 2, 1], val_accuracy=[])})
    gaps = draw_training_curves({"cnn_0": history(val_loss=[5, None, math.nan, 2, 1], val_accuracy=[])})
    assert np.abs(pixels(complete) - pixels(gaps)).mean() < 1e-3


def test_columns_may_be_missing_or_empty():
    missing = history()
    del missing["val_loss"], missing["val_accuracy"]
    empty = history(val_loss=[], val_accuracy=[None] * 5)
    assert draw_training_curves({"cnn_0": missing}) == draw_training_curves({"cnn_0": empty})


def test_a_single_epoch_is_a_point_that_can_be_seen():
    def ink(**columns):
        panels = pixels(draw_training_curves({"cnn_0": history(epochs=1, **columns)}))[50:]  # below the legend
        return len(coloured(panels))

    assert ink(loss=[], accuracy=[], val_loss=[], val_accuracy=[]) == 0
    assert ink(accuracy=[], val_loss=[], val_accuracy=[]) > 0


def test_a_column_too_short_is_an_error():
    with pytest.raises(ValueError, match=r"Column loss of exp_0/cnn_0 .* per epoch \(5\). Received: 2 values"):
        draw_training_curves({"exp_0/cnn_0": history(loss=[1, 2])})


def test_no_members_are_an_error():
    with pytest.raises(ValueError, match=r"at least one member. Received: none"):
        draw_training_curves({})


def test_matplotlib_is_imported_only_to_draw():
    check = "import sys, fer_ensemble.report.plots; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
