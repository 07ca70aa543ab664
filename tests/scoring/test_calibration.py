import subprocess
import sys

import numpy as np
import pytest
import sklearn.calibration
from scipy.optimize import minimize_scalar

from fer_ensemble.scoring.calibration import (
    apply_temperature,
    calibration_bins,
    calibration_error,
    chance_calibration_error,
    choose_temperature,
    effective_size,
    extrapolate_temperature,
    fit_calibration,
)
from fer_ensemble.scoring.metrics import log_loss


def calibrated_predictions(images=20_000, classes=4, seed=0):
    """Probabilities, and labels that are drawn from them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.5), images)
    labels = (probabilities.cumsum(axis=1) < random.random((images, 1))).sum(axis=1)
    return probabilities, np.minimum(labels, classes - 1)


@pytest.mark.parametrize("distortion", [0.5, 0.9, 2.0])
def test_the_temperature_undoes_a_distortion(distortion):
    probabilities, labels = calibrated_predictions()
    distorted = apply_temperature(probabilities, distortion)
    assert choose_temperature(distorted, labels) == pytest.approx(1 / distortion, rel=0.03)


@pytest.mark.parametrize(("smoothing", "distortion"), [(0.0, 0.7), (0.1, 1.0), (0.2, 1.4)])
def test_the_calibration_undoes_smoothing_and_a_distortion(smoothing, distortion):
    probabilities, labels = calibrated_predictions()
    smoothed = (1 - smoothing) * apply_temperature(probabilities, distortion) + smoothing / 4
    found = fit_calibration(smoothed, labels)
    assert found.smoothing == pytest.approx(smoothing, abs=0.02)
    assert found.temperature == pytest.approx(1 / distortion, rel=0.05)
    calibrated = found.apply(smoothed)
    np.testing.assert_array_equal(calibrated.argsort(axis=1), smoothed.argsort(axis=1))
    assert calibration_error(calibration_bins(calibrated, labels)) < 0.015
    assert log_loss(calibrated, labels) < log_loss(probabilities, labels) + 0.002


def test_the_temperature_of_more_networks_than_it_was_chosen_on():
    probabilities, labels = calibrated_predictions(images=10_000)
    random = np.random.default_rng(3)
    noise = random.normal(0, 1, (16, *probabilities.shape))
    networks = [apply_temperature(probabilities * np.exp(one), 0.8) for one in noise]
    temperatures = {size: choose_temperature(np.mean(networks[:size], axis=0), labels) for size in (1, 4, 16)}
    found = extrapolate_temperature(temperatures[1], temperatures[4], size=4, target=16)
    assert temperatures[16] < temperatures[4] - 0.03
    assert found == pytest.approx(temperatures[16], abs=0.02)
    assert extrapolate_temperature(1.3, 1.3, size=1, target=4) == 1.3
    assert extrapolate_temperature(1.31, 1.3, size=1.02, target=4) == 1.3  # points too near
    assert extrapolate_temperature(1.2, 1.3, size=4, target=16) == 1.3  # never surer
    assert extrapolate_temperature(100.0, 1.0, size=2, target=8) == 0.5  # one network is useless


def test_the_effective_size_is_that_of_an_average_of_the_same_variance():
    weights = np.array([0.1, 0.2, 0.7])
    assert effective_size(np.full(16, 1 / 16)) == pytest.approx(16)
    average = weights @ np.random.default_rng(0).normal(size=(3, 200_000))
    assert effective_size(weights) == pytest.approx(1 / average.var(), rel=0.02)


def test_the_temperature_has_the_smallest_log_loss():
    random = np.random.default_rng(1)
    probabilities, labels = random.dirichlet(np.ones(5), 300), random.integers(0, 5, 300)
    reference = minimize_scalar(
        lambda logarithm: log_loss(apply_temperature(probabilities, np.exp(logarithm)), labels),
        bounds=(-3, 4),
        method="bounded",
    )
    temperature = choose_temperature(probabilities, labels)
    assert log_loss(apply_temperature(probabilities, temperature), labels) <= reference.fun + 1e-9


def test_predictions_that_are_always_right_or_useless_stay_within_the_bounds():
    probabilities = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert 0.01 <= choose_temperature(probabilities, [0, 1]) < 0.05
    assert 50 < choose_temperature(probabilities, [1, 0]) <= 100


def test_a_temperature_never_changes_the_order_of_the_classes():
    probabilities = calibrated_predictions(images=500)[0]
    for temperature in (0.3, 1, 5):
        changed = apply_temperature(probabilities, temperature)
        np.testing.assert_allclose(changed.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_array_equal(changed.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(apply_temperature(probabilities, 1), probabilities, atol=1e-12)


def test_bins_by_hand():
    probabilities = [[0.55, 0.45], [0.6, 0.4], [0.1, 0.9], [0.0, 1.0]]
    labels = [0, 1, 1, 1]  # right, wrong, right, right
    assert calibration_bins(probabilities, labels, bins=2, adaptive=True) == [
        {
            "images": 2,
            "confidence": pytest.approx(0.575),
            "accuracy": 0.5,
            "deviation": pytest.approx(0.349106, abs=1e-6),
        },
        {"images": 2, "confidence": pytest.approx(0.95), "accuracy": 1.0, "deviation": pytest.approx(0.15)},
    ]
    bins = calibration_bins(probabilities, labels, bins=5)  # (0.4, 0.6], (0.8, 1]: the others are empty
    assert [one["images"] for one in bins] == [2, 2]
    assert calibration_error(bins) == pytest.approx((0.075 + 0.05) / 2)


def test_bins_are_those_of_scikit_learns_calibration_curve():
    probabilities, labels = calibrated_predictions(images=3_000)
    bins = calibration_bins(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    expected = sklearn.calibration.calibration_curve(right, probabilities.max(axis=1), n_bins=15)
    found = [[one[name] for one in bins] for name in ("accuracy", "confidence")]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_calibration_is_applied_without_scipy_and_scikit_learn():
    code = """
import sys
from fer_ensemble.scoring.calibration import Calibration
from fer_ensemble.scoring.metrics import predicted_labels
predicted_labels(Calibration(0.1, 1.2).apply([[0.6, 0.4]]))
sys.exit(bool({"scipy", "sklearn", "pandas"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_calibrated_predictions_have_a_small_error_and_distorted_ones_a_large_one():
    probabilities, labels = calibrated_predictions()
    distorted = apply_temperature(probabilities, 3)
    for adaptive in (False, True):
        assert calibration_error(calibration_bins(probabilities, labels, adaptive=adaptive)) < 0.015
        assert calibration_error(calibration_bins(distorted, labels, adaptive=adaptive)) > 0.1


@pytest.mark.parametrize("images", [300, 4_000])
def test_perfect_probabilities_show_the_error_that_chance_is_said_to_give(images):
    bins = [calibration_bins(*calibrated_predictions(images, seed=seed)) for seed in range(200)]
    found = np.mean([calibration_error(one) for one in bins])
    assert chance_calibration_error(bins[0]) == pytest.approx(found, rel=0.1)


def test_adaptive_bins_hold_equally_many_images():
    probabilities, labels = calibrated_predictions(images=100)
    assert {one["images"] for one in calibration_bins(probabilities, labels, adaptive=True)} == {6, 7}
