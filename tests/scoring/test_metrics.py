import json
import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from fer_ensemble.scoring.metrics import (
    brier_score,
    log_loss,
    loss_and_accuracy,
    predicted_labels,
    score,
    top2_accuracy,
    wilson_interval,
)


def random_predictions(images=500, classes=7, seed=0):
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(classes), images), random.integers(0, classes, images).astype(np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_all_metrics_agree_with_scikit_learn(seed):
    probabilities, labels = random_predictions(seed=seed)
    predicted = predicted_labels(probabilities)
    values = score(probabilities, labels)
    assert values["accuracy"] == sklearn.metrics.accuracy_score(labels, predicted)
    assert values["macro_f1"] == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"))
    assert values["balanced_accuracy"] == pytest.approx(sklearn.metrics.balanced_accuracy_score(labels, predicted))
    assert values["top2"] == sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=2)
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=range(7))
    assert values["log_loss"] == pytest.approx(expected, abs=1e-12)
    one_hot = np.eye(7)[labels]
    assert values["brier"] == pytest.approx(((probabilities - one_hot) ** 2).sum(axis=1).mean(), abs=1e-12)


def test_the_first_two_of_equally_probable_classes_are_the_two_guesses():
    assert top2_accuracy([[0.25] * 4] * 4, [0, 1, 2, 3]) == 0.5


def test_the_brier_score_goes_from_0_to_2():
    assert brier_score([[1.0, 0.0]], [0]) == 0
    assert brier_score([[1.0, 0.0]], [1]) == 2


def test_log_loss_of_a_case_by_hand():
    assert log_loss([[0.5, 0.5], [0.9, 0.1]], [1, 0]) == pytest.approx(0.399254, abs=1e-6)


def test_loss_and_accuracy_are_those_of_the_scores():
    probabilities, labels = random_predictions()
    values = score(probabilities, labels)
    assert loss_and_accuracy(probabilities, labels) == (values["log_loss"], values["accuracy"])


def test_float32_counts_as_small_probabilities_as_float64(recwarn):
    probabilities = np.array([[1e-12, 1], [0.3, 0.7]], np.float32)
    assert log_loss(probabilities, [0, 1]) == pytest.approx((12 * math.log(10) - math.log(0.7)) / 2, abs=1e-6)
    assert brier_score(probabilities[1:], [1]) == pytest.approx(0.18, abs=1e-6)
    assert not recwarn.list


def test_log_loss_of_a_certain_error_is_that_of_the_float64_epsilon():
    assert log_loss([[1.0, 0.0]], [1]) == pytest.approx(52 * math.log(2), abs=1e-12)


def test_log_loss_is_never_negative():
    assert 0 <= log_loss(np.array([[1.0000001, 0]], np.float32), [0]) < 1e-15


def test_the_first_of_equally_probable_classes_is_predicted():
    np.testing.assert_array_equal(predicted_labels([[0.2, 0.4, 0.4], [0.1, 0.1, 0.8]]), [1, 2])


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [
        # z = 1.959964, z^2 = 3.841459: (5 + 1.920729 -+ 1.959964 sqrt(2.5 + 0.960365)) / 13.841459.
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),  # z^2 / (10 + z^2)
        (10, 10, 0.722467, 1.0),
    ],
)
def test_wilson_intervals_by_hand(correct, images, low, high):
    assert wilson_interval(correct, images) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("correct", "images"), [(81, 263), (0, 20), (1, 29), (2692, 3589)])
def test_wilson_intervals_agree_with_scipy(correct, images):
    expected = scipy.stats.binomtest(correct, images).proportion_ci(method="wilson")
    assert wilson_interval(correct, images) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_wilson_interval_holds_the_accuracy_and_narrows_with_images():
    widths = []
    for images in (10, 100, 1000, 10_000):
        low, high = wilson_interval(images // 2 + 1, images)
        assert 0 <= low < (images // 2 + 1) / images < high <= 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_more_confidence_is_a_wider_wilson_interval():
    low, high = wilson_interval(70, 100)
    lower, higher = wilson_interval(70, 100, confidence=0.99)
    assert lower < low and high < higher


def test_the_score_of_a_case_by_hand():
    probabilities = [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.25, 0.75]]
    values = score(probabilities, [0, 1, 1, 1])  # predicted 0, 0, 1, 1
    assert values["images"] == 4
    assert values["accuracy"] == 0.75
    assert values["interval"] == pytest.approx([0.300642, 0.954413], abs=1e-6)
    assert values["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2, abs=1e-12)
    assert values["log_loss"] == pytest.approx(-math.log(0.5 * 0.1 * 0.8 * 0.75) / 4, abs=1e-12)


def test_unlabelled_and_unkept_images_do_not_count_and_may_be_nan():
    probabilities, labels = random_predictions()
    keep = np.arange(500) % 3 > 0
    some = np.where(np.arange(500) % 5 > 0, labels, -1)
    counted = keep & (some >= 0)
    holes = np.where(counted[:, None], probabilities, np.nan)
    assert score(holes, some, keep) == score(probabilities[counted], labels[counted])


def test_there_is_no_score_without_images():
    probabilities, labels = random_predictions()
    assert score(probabilities, np.full(500, -1)) is None
    assert score(probabilities, labels, np.zeros(500, bool)) is None


def test_a_score_can_be_written_as_json():
    probabilities, labels = random_predictions()
    values = score(probabilities.astype(np.float32), labels)
    assert json.loads(json.dumps(values)) == values


def test_a_prediction_that_is_nan_is_an_error():
    with pytest.raises(ValueError, match="must not be NaN"):
        score([[0.5, 0.5], [np.nan, np.nan]], [0, 1])


def test_keep_by_position_is_an_error():
    with pytest.raises(ValueError, match=r"bool array of shape \(2,\). Received: dtype int64"):
        score([[0.5, 0.5], [0.5, 0.5]], [0, 1], keep=np.array([0, 1]))


def test_shapes_that_do_not_match_are_an_error():
    with pytest.raises(ValueError, match=r"Received: shapes \(1, 2\) and \(2,\)"):
        score([[0.5, 0.5]], [0, 1])
    with pytest.raises(ValueError, match=r"Received: shapes \(1, 2\) and \(2,\)"):
        log_loss([[0.5, 0.5]], [0, 1])


def test_no_image_is_an_error_where_there_is_no_score_then():
    with pytest.raises(ValueError, match="at least one image"):
        log_loss(np.empty((0, 2)), [])
    with pytest.raises(ValueError, match="at least 1 and `correct` between"):
        wilson_interval(0, 0)


def test_logits_have_no_log_loss():
    with pytest.raises(ValueError, match=r"must lie between 0 and 1. Received: -2 to 3"):
        log_loss([[3, 1], [0, -2]], [0, 1])


def test_more_correct_than_images_is_an_error():
    with pytest.raises(ValueError, match="Received: 11 of 10"):
        wilson_interval(11, 10)


def test_a_confidence_in_percent_is_an_error():
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1. Received: 95"):
        wilson_interval(5, 10, confidence=95)
