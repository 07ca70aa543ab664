import numpy as np

from fer_ensemble.data.copies import find_copies


def test_identical_images_share_a_number_given_by_first_appearance():
    images = np.zeros((5, 48, 48), np.uint8)
    images[1, 0, 0] = images[3, 0, 0] = 1
    images[4, 47, 47] = 1  # one pixel apart from the first
    groups = find_copies(images)
    np.testing.assert_array_equal(groups, [0, 1, 0, 1, 2])
    assert groups.dtype == np.int64


def test_an_array_that_is_not_contiguous_gives_the_same_groups():
    images = np.random.default_rng(0).integers(0, 2, (20, 2, 2), np.uint8)
    np.testing.assert_array_equal(find_copies(images[::-1].copy()), find_copies(images[::-1]))


def test_no_images_make_no_groups():
    assert find_copies(np.zeros((0, 48, 48), np.uint8)).shape == (0,)
