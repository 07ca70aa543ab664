import numpy as np
import pytest

from fer_ensemble.evaluation.risk import describe_risk


def predictions(confidence):
    return np.stack([confidence, 1 - np.array(confidence)], axis=1)


def test_the_sure_and_the_unsure_are_counted_apart():
    found = describe_risk(predictions([0.9, 0.8, 0.6, 0.55]), [0, 1, 0, 1], unsure_below=0.6)
    assert found["unsure"] == 0.25
    assert found["sure_accuracy"] == pytest.approx(2 / 3)
    assert found["unsure_accuracy"] == 0
    assert found["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert found["curve"] == [[0.25, 0.0], [0.5, 0.5], [0.75, 0.33333], [1.0, 0.5]]


def test_where_no_answer_is_sure_there_is_no_accuracy_of_them():
    found = describe_risk(predictions([0.6]), [0], unsure_below=0.7)
    assert found["sure_accuracy"] is None and found["unsure"] == 1


def test_every_answer_is_wrong_where_no_class_is_right():
    found = describe_risk(predictions([0.9, 0.6]), [-1, -1], unsure_below=0.7)
    assert (found["sure_accuracy"], found["unsure_accuracy"], found["aurc"]) == (0, 0, 1)


def test_a_curve_has_at_most_fifty_points_and_ends_with_all_images():
    curve = describe_risk(predictions(np.linspace(0.5, 1, 1234)), np.zeros(1234, int), 0.5)["curve"]
    assert len(curve) == 50 and curve[-1] == [1.0, 0.0]
