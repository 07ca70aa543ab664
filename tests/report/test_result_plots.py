import math
import re
import subprocess
import sys

import pytest

from fer_ensemble.report.result_plots import draw_reliability, draw_training_curves

BINS = [{"images": 50, "confidence": tenth / 10, "accuracy": (tenth - 1) / 10} for tenth in range(3, 10)]


def history(epochs=5, **columns):
    falling = [2.0 / epoch for epoch in range(1, epochs + 1)]
    rising = [1 - value / 4 for value in falling]
    measured = {"loss": falling, "accuracy": rising, "val_loss": falling, "val_accuracy": rising}
    return {"epoch": list(range(1, epochs + 1)), **measured, **columns}


def lines(svg, colour):
    """The paths of a plot that are drawn in a colour, as texts; those of the legend are in it, too."""
    return re.findall(rf'<path d="([^"]*)"[^>]*stroke: {colour}', svg)


@pytest.mark.parametrize("column", ["accuracy", "loss"])
def test_training_curves_are_the_same_text_each_time(column):
    histories = {"exp_0/cnn_0": history()}
    assert draw_training_curves(histories, column) == draw_training_curves(histories, column)


def test_runs_have_colours_in_the_order_of_their_names_whatever_the_order_of_the_members():
    members = ["exp_1/resnet_0", "exp_0/cnn_0", "exp_0/resnet_0"]
    svg = draw_training_curves({member: history() for member in members}, "loss")
    # Training and held out, for each member; once in the legend.
    assert len(lines(svg, "#0072b2")) == 2 + 1
    assert len(lines(svg, "#56b4e9")) == 4 + 1
    assert not lines(svg, "#d55e00")


def test_epochs_without_a_measurement_are_bridged():
    gaps = history(val_loss=[5, None, math.nan, 2, 1], loss=[])
    line = lines(draw_training_curves({"cnn_0": gaps}, "loss"), "#0072b2")[0]
    assert line.count("M") == 1 and line.count("L") == 2


def test_columns_may_be_missing_or_empty():
    missing = history()
    del missing["val_loss"]
    empty = history(val_loss=[])
    drawn = draw_training_curves({"cnn_0": missing}, "loss")
    assert drawn == draw_training_curves({"cnn_0": empty}, "loss")
    assert drawn == draw_training_curves({"cnn_0": history(val_loss=[None] * 5)}, "loss")


def test_a_single_epoch_is_a_point_that_can_be_seen():
    svg = draw_training_curves({"cnn_0": history(epochs=1, val_loss=[])}, "loss")
    nothing = draw_training_curves({"cnn_0": history(epochs=1, val_loss=[], loss=[])}, "loss")
    assert svg.count("<use") == nothing.count("<use") + 1 or len(svg) > len(nothing) + 200


def test_the_ink_of_a_plot_is_that_of_the_page():
    for svg in (draw_training_curves({"cnn_0": history()}, "loss"), draw_reliability(BINS, BINS, "oof")):
        assert "currentColor" in svg
        assert not re.search("#000000|#ffffff|black|white", svg)


def test_plots_on_one_page_do_not_share_ids():
    drawn = [draw_reliability(BINS, None, "oof"), draw_reliability(BINS, None, "PublicTest")]
    first, second = (set(re.findall(' id="([^"]+)"', svg)) for svg in drawn)
    assert first and not first & second
    for svg, ids in zip(drawn, (first, second), strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= ids


def test_a_reliability_diagram_has_a_line_through_the_bins():
    svg = draw_reliability(BINS, None, "oof")
    assert any(line.count("L") == len(BINS) - 1 for line in lines(svg, "#d55e00"))
    assert not lines(svg, "#0072b2")
    assert lines(draw_reliability(BINS, BINS, "oof"), "#0072b2")


def test_a_column_too_short_is_an_error():
    with pytest.raises(ValueError, match=r"Column loss of exp_0/cnn_0 .* per epoch \(5\). Received: 2 values"):
        draw_training_curves({"exp_0/cnn_0": history(loss=[1, 2])}, "loss")


def test_no_members_are_an_error():
    with pytest.raises(ValueError, match=r"at least one member. Received: none"):
        draw_training_curves({}, "loss")


def test_matplotlib_is_imported_only_to_draw():
    check = "import sys, fer_ensemble.report.result_plots; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_bins_of_a_few_images_are_not_drawn():
    few = {"images": 9, "confidence": 0.1, "accuracy": 1.0}
    assert draw_reliability([few, *BINS], None, "oof") == draw_reliability(BINS, None, "oof")
