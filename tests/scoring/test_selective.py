import numpy as np
import pytest

from fer_ensemble.scoring.selective import area_under_risk_coverage, choose_unsure_below, risk_coverage


def predictions(confidence):
    confidence = np.array(confidence, np.float64)
    return np.stack([confidence, 1 - confidence], axis=1)


def test_no_more_are_left_out_than_make_the_error_a_third_lower():
    # 3 of 10 wrong. Without 0.50: 2 of 9, that is 0.222 > 0.2; without 0.55 as well: 1 of 8.
    confidence = [0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95]
    labels = [1, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert choose_unsure_below(predictions(confidence), labels) == 0.60


def test_equally_sure_images_are_left_out_together_or_not_at_all():
    # Without one of the two at 0.6 the error would be low enough; but both go, as both are below 0.7.
    assert choose_unsure_below(predictions([0.6, 0.6, 0.7, 0.8, 0.9]), [1, 0, 0, 0, 0]) == 0.7


def test_at_most_half_of_the_images_are_unsure():
    # The wrong ones are the surest: leaving out the others makes it worse.
    assert choose_unsure_below(predictions([0.6, 0.7, 0.8, 0.9]), [0, 0, 1, 1]) == 0.8


def test_where_nothing_is_wrong_only_what_is_less_sure_than_all_is_unsure():
    assert choose_unsure_below(predictions([0.9, 0.6, 0.8]), [0, 0, 0]) == 0.6


def test_a_single_image_has_a_threshold():
    assert choose_unsure_below(predictions([0.7]), [1]) == 0.7


def test_the_order_of_the_images_does_not_matter():
    generator = np.random.default_rng(0)
    confidence, labels = generator.uniform(0.5, 1, 200), generator.integers(0, 2, 200)
    order = generator.permutation(200)
    expected = choose_unsure_below(predictions(confidence), labels)
    assert choose_unsure_below(predictions(confidence[order]), labels[order]) == expected


def test_risk_is_the_error_of_the_surest():
    coverage, risk = risk_coverage(predictions([0.6, 0.9, 0.8, 0.7]), [0, 0, 1, 0])
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3, 1 / 4])


def test_equally_sure_images_count_as_drawn_among_their_like():
    for labels in ([0, 1, 0], [1, 0, 0]):
        _, risk = risk_coverage(predictions([0.8, 0.8, 0.9]), labels)
        np.testing.assert_allclose(risk, [0, 0.25, 1 / 3])


def test_the_area_is_the_mean_of_the_risks():
    probabilities, labels = predictions([0.6, 0.9, 0.8, 0.7]), [0, 0, 1, 0]
    assert area_under_risk_coverage(probabilities, labels) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


@pytest.mark.parametrize("function", [choose_unsure_below, risk_coverage, area_under_risk_coverage])
def test_wrong_shapes_are_told(function):
    with pytest.raises(ValueError, match=r"shapes \(0, 2\) and \(0,\)"):
        function(np.empty((0, 2)), [])
    with pytest.raises(ValueError, match=r"shapes \(1, 2\) and \(2,\)"):
        function([[0.5, 0.5]], [0, 1])
