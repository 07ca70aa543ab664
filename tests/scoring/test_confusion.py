import numpy as np
import pytest
import sklearn.metrics

from fer_ensemble.scoring.confusion import (
    bootstrap_intervals,
    class_scores,
    confusion_matrix,
    summary_scores,
)


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    np.testing.assert_array_equal(
        confusion_matrix([0, 0, 1, 2], [1, 1, 1, 0], 3), [[0, 2, 0], [0, 1, 0], [1, 0, 0]]
    )


def test_the_confusion_matrix_of_one_byte_labels_is_whole():
    # 19 * 20 + 19 is more than an int8 can hold.
    labels = np.full(3, 19, np.int8)
    matrix = confusion_matrix(labels, labels, 20)
    assert matrix.dtype == np.int64
    assert matrix[19, 19] == 3 and matrix.sum() == 3


def test_scores_of_each_class_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 5, (2, 400))
    matrix = confusion_matrix(labels, predicted, 5)
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(labels, predicted))
    expected = sklearn.metrics.precision_recall_fscore_support(labels, predicted)
    scores = class_scores(matrix)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(scores[name], values, atol=1e-12)


def test_classes_that_do_not_occur_have_no_score_and_do_not_count():
    # Class 0: F1 2/3 (one right, one missed); class 1 is nowhere; class 2 is only predicted; class 3 is right.
    matrix = confusion_matrix([0, 0, 3], [0, 2, 3], 4)
    np.testing.assert_array_equal(class_scores(matrix)["precision"], [1, np.nan, 0, 1])
    np.testing.assert_array_equal(class_scores(matrix)["recall"], [0.5, np.nan, np.nan, 1])
    summary = summary_scores(matrix)
    assert summary["accuracy"] == 2 / 3
    assert summary["balanced_accuracy"] == 0.75
    assert summary["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3, abs=1e-12)


def test_the_bootstrap_interval_of_the_accuracy_is_that_of_the_binomial_distribution():
    # 300 of 400 right: 0.75 -+ 1.96 sqrt(0.75 * 0.25 / 400) = 0.75 -+ 0.0424
    low, high = bootstrap_intervals(np.array([[150, 50], [50, 150]]), draws=4000)["accuracy"]
    assert (low, high) == pytest.approx((0.7076, 0.7924), abs=0.004)


def test_the_bootstrap_repeats_with_its_seed():
    matrix = np.array([[15, 5], [2, 9]])
    assert bootstrap_intervals(matrix, seed=3) == bootstrap_intervals(matrix, seed=3)
    assert bootstrap_intervals(matrix, seed=3) != bootstrap_intervals(matrix, seed=4)


def test_rare_classes_make_the_balanced_accuracy_less_sure_than_the_accuracy():
    intervals = bootstrap_intervals(np.array([[900, 80], [10, 10]]))
    widths = {name: high - low for name, (low, high) in intervals.items()}
    assert widths["balanced_accuracy"] > 3 * widths["accuracy"]


def test_labels_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match=r"Received: shapes \(1,\) and \(2,\)"):
        confusion_matrix([0], [0, 1], 2)
    with pytest.raises(ValueError, match=r"`labels` must lie between 0 and 1. Received: -1 to 1"):
        confusion_matrix([-1, 1], [0, 1], 2)
    with pytest.raises(ValueError, match=r"`predicted` must lie between 0 and 1. Received: 0 to 2"):
        confusion_matrix([0, 1], [0, 2], 2)
    with pytest.raises(ValueError, match=r"`labels` must be integers. Received: dtype float64"):
        confusion_matrix([0.0, 1.0], [0, 1], 2)
