import numpy as np
import pytest

from fer_ensemble.ensemble.combine import combine_probabilities


def random_probabilities(members, images, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(classes), (members, images))


def test_equal_weights_give_the_mean():
    members = [[[0.8, 0.2], [0.1, 0.9]], [[0.4, 0.6], [0.3, 0.7]]]
    np.testing.assert_allclose(combine_probabilities(members), [[0.6, 0.4], [0.2, 0.8]], atol=1e-12)


def test_weights_are_rescaled_to_sum_to_1():
    members = random_probabilities(3, 20, 7)
    by_hand = 0.5 * members[0] + 0.3 * members[1] + 0.2 * members[2]
    np.testing.assert_allclose(combine_probabilities(members, [5, 3, 2]), by_hand, atol=1e-12)


def test_a_member_of_weight_0_does_not_count():
    members = random_probabilities(2, 20, 7)
    np.testing.assert_allclose(combine_probabilities(members, [0, 1]), members[1], atol=1e-12)


def test_the_order_of_the_members_does_not_matter():
    members = random_probabilities(4, 20, 7)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(
        combine_probabilities(members[::-1], weights[::-1]), combine_probabilities(members, weights), atol=1e-15
    )


def test_rows_sum_to_1_in_float64_though_the_members_are_float32():
    combined = combine_probabilities(random_probabilities(16, 500, 7).astype(np.float32))
    assert combined.dtype == np.float64
    np.testing.assert_allclose(combined.sum(axis=1), 1, rtol=0, atol=1e-15)


def test_no_images_give_no_rows():
    assert combine_probabilities(np.empty((2, 0, 7))).shape == (0, 7)


@pytest.mark.parametrize("shape", [(2, 7), (0, 5, 7), (1, 2, 3, 4)])
def test_a_wrong_shape_is_an_error(shape):
    with pytest.raises(ValueError, match=r"must have shape \(members, images, classes\) and at least one"):
        combine_probabilities(np.full(shape, 1 / 7))


def test_a_row_that_does_not_sum_to_1_is_an_error_that_names_it():
    members = random_probabilities(3, 5, 7)
    members[1, 4] *= 1.01
    with pytest.raises(ValueError, match=r"sum to 1 within 0.001. Received: 1.01 for member 1, image 4"):
        combine_probabilities(members)


def test_logits_are_an_error():
    with pytest.raises(ValueError, match=r"must not be negative. Received: -0.5. Are these logits"):
        combine_probabilities([[[1.5, -0.5]]])


def test_nan_is_an_error():
    with pytest.raises(ValueError, match="must be finite"):
        combine_probabilities([[[np.nan, 0.5]]])


def test_a_wrong_number_of_weights_is_an_error():
    with pytest.raises(ValueError, match=r"one value per member \(2\). Received: shape \(3,\). Pass None"):
        combine_probabilities([[[1, 0]], [[0, 1]]], [1, 1, 1])


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [np.nan, 1], [np.inf, 1]])
def test_weights_that_are_no_weights_are_an_error(weights):
    with pytest.raises(ValueError, match="must be finite, none negative and not all 0"):
        combine_probabilities([[[1, 0]], [[0, 1]]], weights)
