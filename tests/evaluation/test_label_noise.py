import numpy as np

from fer_ensemble.evaluation.label_noise import find_likely_wrong


def test_images_are_found_by_hand():
    # Mean probability of the own label: 0.6 for class 0 (0.9, 0.8, 0.1), 0.7 for class 1.
    probabilities = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.35, 0.65], [0.25, 0.75]]
    positions, suggested = find_likely_wrong(probabilities, [0, 0, 0, 1, 1])
    assert (positions.tolist(), suggested.tolist()) == ([2], [1])


def test_a_class_that_falls_short_of_its_threshold_is_not_suggested():
    # Class 1 gets 0.6 here, and 0.95 on average where it is the label.
    positions, _ = find_likely_wrong([[0.4, 0.6], [0.05, 0.95]], [0, 1])
    assert len(positions) == 0


def test_the_surest_comes_first_and_unlabelled_and_unpredicted_images_never():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 3000)
    probabilities = 0.7 * np.eye(3)[labels] + 0.3 * random.dirichlet(np.ones(3), 3000)
    wrong = random.choice(3000, 60, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    labels[wrong[:10]] = -1
    probabilities[wrong[10:20]] = np.nan
    positions, suggested = find_likely_wrong(probabilities, labels)
    assert set(positions) <= set(wrong[20:])
    assert len(positions) > 15
    chosen = probabilities[positions]
    images = np.arange(len(positions))
    margins = chosen[images, suggested] - chosen[images, labels[positions]]
    assert (np.diff(margins) <= 0).all() and (margins > 0).all()
    np.testing.assert_array_equal(suggested, (labels[positions] - 1) % 3)
