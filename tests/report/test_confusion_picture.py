import io

import matplotlib.image
import numpy as np
import pytest

from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.report.confusion_picture import draw_confusion_matrix, lay_out_confusion_matrix

MATRIX = np.diag(np.arange(10, 80, 10)) + 1


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3]


def coloured(picture):
    """The pixels that are not grey."""
    return picture[np.ptp(picture, axis=-1) > 0.2]


def test_a_confusion_matrix_is_the_same_bytes_each_time():
    assert draw_confusion_matrix(MATRIX, CLASS_NAMES, "t") == draw_confusion_matrix(MATRIX, CLASS_NAMES, "t")


def test_cells_are_coloured_by_their_share_of_the_true_class():
    def ink(matrix):
        return len(coloured(pixels(draw_confusion_matrix(matrix, ["a", "b"], "t"))))

    colour_bar = ink([[0, 0], [0, 0]])
    one_row = ink([[0, 1000], [0, 0]]) - colour_bar
    # 10 images of 10 are as much as 1,000 of 1,000.
    assert ink([[0, 1000], [0, 10]]) - colour_bar == pytest.approx(2 * one_row, rel=0.05)


@pytest.mark.parametrize("classes", [2, 7, 12])
def test_a_class_without_images_is_drawn_empty(classes):
    def cells(matrix):
        names = [f"class number {number}" for number in range(classes)]
        axes = lay_out_confusion_matrix(matrix, names, "t").axes[0]
        written = {(int(text.get_position()[1]), int(text.get_position()[0])) for text in axes.texts}
        return axes.images[0].get_array(), written

    matrix = np.eye(classes, dtype=int)
    shares, written = cells(matrix)
    assert shares[1, 1] == 1 and {row for row, _ in written} == set(range(classes))
    matrix[1] = 0
    shares, written = cells(matrix)
    assert not shares[1].any() and {row for row, _ in written} == {0, *range(2, classes)}


def test_a_matrix_that_does_not_fit_the_names_is_an_error():
    with pytest.raises(ValueError, match=r"per class name \(7\). Received: shape \(6, 6\)"):
        draw_confusion_matrix(np.eye(6, dtype=int), CLASS_NAMES, "t")
