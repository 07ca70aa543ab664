import numpy as np
import pytest

from fer_ensemble.ensemble.weight_search import choose_greedily, choose_weights

RUNS = ("cnn_0", "resnet_0")


def random_runs(qualities, images=400, classes=5, seed=0):
    """Runs that share part of their errors; a higher quality knows more of the true class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    shared = random.normal(size=(images, classes))
    runs = []
    for quality in qualities:
        logits = shared + random.normal(size=(images, classes))
        logits[np.arange(images), labels] += quality
        runs.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return np.array(runs), labels


def test_the_weights_are_the_hand_worked_optimum():
    # Run 0 gives the true class 1 on two images of three and 0 on the third, run 1 the reverse:
    # minimising -(2 log w + log(1 - w)) / 3 gives w = 2/3.
    runs = [[[1, 0], [1, 0], [1, 0]], [[0, 1], [0, 1], [0, 1]]]
    np.testing.assert_allclose(choose_weights(runs, [0, 0, 1]), [2 / 3, 1 / 3], atol=1e-6)


@pytest.mark.parametrize("qualities", [(1.0, 1.2, 1.5, 1.4), (0.2, 2.0, 0.2, 2.1), (1.0, 1.0, 1.0)])
def test_the_log_loss_is_the_smallest_on_the_simplex(qualities):
    runs, labels = random_runs(qualities)
    weights = choose_weights(runs, labels)
    likelihoods = runs[:, np.arange(len(labels)), labels]
    # Karush, Kuhn and Tucker: minus the gradient is 1 for the runs that count, and at most that for the others.
    gains = (likelihoods / (weights @ likelihoods)).mean(axis=1)
    np.testing.assert_allclose(gains[weights > 1e-6], 1, atol=1e-5)
    assert (gains <= 1 + 1e-5).all()


def test_the_weights_are_not_negative_and_sum_to_1():
    weights = choose_weights(*random_runs((0.1, 3.0, 1.0)))
    assert weights.dtype == np.float64 and weights.shape == (3,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-15)


def test_runs_that_are_the_same_share_equally():
    runs, labels = random_runs([1.0])
    np.testing.assert_allclose(choose_weights(runs[[0, 0, 0, 0]], labels), 0.25, atol=1e-12)


def test_the_better_of_two_independent_runs_gets_more():
    weights = choose_weights(*random_runs((0.5, 2.0)))
    assert weights[1] > 0.8


def test_unlabelled_images_do_not_count_and_may_be_nan():
    runs, labels = random_runs((1.0, 1.3))
    extended = np.concatenate([runs, np.full((2, 50, 5), np.nan)], axis=1)
    np.testing.assert_array_equal(
        choose_weights(extended, np.concatenate([labels, np.full(50, -1)])), choose_weights(runs, labels)
    )


def test_a_true_class_of_probability_0_is_survived():
    runs = [[[0.0, 1.0], [0.9, 0.1]], [[0.0, 1.0], [0.6, 0.4]]]
    np.testing.assert_allclose(choose_weights(runs, [0, 0]), [1, 0], atol=1e-6)


def test_labels_of_one_byte_give_the_same_weights():
    runs, labels = random_runs((1.0, 1.3))
    np.testing.assert_array_equal(choose_weights(runs, labels.astype(np.int8)), choose_weights(runs, labels))


def test_no_labelled_image_is_an_error():
    with pytest.raises(ValueError, match="at least one run and one labelled image"):
        choose_weights(np.full((2, 3, 2), 0.5), [-1, -1, -1])


def test_a_label_that_is_no_class_is_an_error():
    with pytest.raises(ValueError, match=r"between 0 and 1, or be -1. Received: 0 to 2"):
        choose_weights(np.full((2, 3, 2), 0.5), [0, 2, -1])


def test_an_image_that_was_not_predicted_is_an_error():
    runs = np.full((2, 3, 2), 0.5)
    runs[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"must lie between 0 and 1. Received: nan"):
        choose_weights(runs, [0, 0, 0])


def test_a_label_too_few_is_an_error():
    with pytest.raises(ValueError, match=r"Received: shapes \(2, 3, 2\) and \(2,\)"):
        choose_weights(np.full((2, 3, 2), 0.5), [0, 0])


def test_greedy_selection_is_at_least_as_accurate_as_the_best_run():
    runs, labels = random_runs((0.3, 1.5, 1.4, 0.2))
    weights = choose_greedily(runs, labels)
    assert weights.sum() == pytest.approx(1) and (weights * 25 == np.round(weights * 25)).all()

    def accuracy(weights):
        return (np.tensordot(weights, runs, axes=1).argmax(axis=1) == labels).mean()

    assert accuracy(weights) >= max(accuracy(one) for one in np.eye(4))
    assert weights[1] + weights[2] > 0.8


def test_greedy_selection_does_not_look_at_unlabelled_images():
    runs, labels = random_runs((1.0, 1.3))
    extended = np.concatenate([runs, np.full((2, 50, 5), np.nan)], axis=1)
    expected = choose_greedily(runs, labels)
    np.testing.assert_array_equal(choose_greedily(extended, np.concatenate([labels, np.full(50, -1)])), expected)
    with pytest.raises(ValueError, match="at least one labelled image"):
        choose_greedily(runs, np.full(len(labels), -1))
