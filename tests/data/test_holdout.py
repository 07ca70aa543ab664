import numpy as np
import pytest

from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.holdout import choose_holdout


def make_images(number, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 4, 4), dtype=np.uint8)


def test_it_is_the_share_of_each_class_to_the_nearest_image():
    labels = np.repeat([0, 1, 2, -1], [10, 7, 3, 14])
    held_out = choose_holdout(make_images(34), labels, 0.2)
    assert held_out.dtype == bool
    # 2.0, 1.4, 0.6 and 2.8
    assert [held_out[labels == label].sum() for label in (0, 1, 2, -1)] == [2, 1, 1, 3]


def test_a_group_of_copies_is_held_out_together_or_not_at_all():
    images = make_images(40)
    images = np.concatenate([images, images[:5], images[:2], images[:1], images[:1]])  # 5, 3, 2, 2 and 2 alike
    labels = np.append(np.arange(40) % 2, [0, 1, 0, 1, 0, 0, 1, 0, 1])  # the last is labelled differently
    for seed in range(20):
        held_out = choose_holdout(images, labels, 0.3, seed)
        groups = find_copies(images)
        assert all(len(set(held_out[groups == group])) == 1 for group in range(40))
        # Of 20 groups of each class 6 are held out: the five with copies may be among them.
        classes = labels[:40]
        assert [len(np.unique(groups[held_out & (classes[groups] == label)])) for label in (0, 1)] == [6, 6]


def test_the_choice_is_random_by_its_seed_and_depends_on_the_contents_alone():
    images, labels = make_images(400), np.arange(400) % 3
    held_out = choose_holdout(images, labels, 0.25, seed=1)
    assert not np.array_equal(held_out, choose_holdout(images, labels, 0.25, seed=2))
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(choose_holdout(images[order], labels[order], 0.25, seed=1), held_out[order])
    # Over many seeds each image has its turn, the first as often as the last.
    often = np.mean([choose_holdout(images, labels, 0.25, seed) for seed in range(40)], axis=0)
    assert often.min() > 0 and abs(often[:200].mean() - 0.25) < 0.02


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_one_side_empty_is_told(share):
    with pytest.raises(
        ValueError,
        match=rf"`holdout` must leave at least one image of each class on either side. Received: {share} of 12 im",
    ):
        choose_holdout(make_images(12), np.zeros(12, int), share)
