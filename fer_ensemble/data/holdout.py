"""A random part of the images that is held out, where there are no folds or no splits."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.data.folds import order_groups

SPLITTER = "scikit-learn's StratifiedShuffleSplit of the groups of copies"
TEST_SHARE = 0.1  # of the images, for each of the two test splits


def choose_holdout(images: np.ndarray, labels: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Chooses the images to hold out, the same share of each class.

    Copies of an image are held out together or not at all: what is split is the groups of copies, each of the
    class that most of its images have. Only the contents decide, not their order.

    Args:
        images: uint8 array of shape `(images, height, width)`.
        labels: Integer array of shape `(images,)`. Unlabelled images (-1) are held out like one more class.
        share: Share of the groups, above 0 and below 1.
        seed: Any integer; another seed gives another choice.

    Returns:
        bool array of shape `(images,)`, True for what is held out.

    Raises:
        UserError: If either side would have fewer groups than there are classes.
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    groups, counts, order = order_groups(images, labels, seed)
    classes = counts.argmax(axis=1)
    sizes = np.bincount(classes)
    classes[sizes[classes] == 1] = sizes.argmax()  # one group cannot be on both sides
    number = round(share * len(order))
    if not len(set(classes.tolist())) <= number <= len(order) - len(set(classes.tolist())):
        raise UserError(
            "`holdout` must leave at least one image of each class on either side. "
            f"Received: {share:g} of {len(images)} images of {len(set(classes.tolist()))} classes."
        )
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=number, random_state=seed % 2**32)
    order = np.array(order)
    [(_, chosen)] = splitter.split(order, classes[order])
    held_out = np.zeros(len(order), bool)
    held_out[order[chosen]] = True
    return held_out[groups]


def make_splits(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, str]:
    """Makes the splits of a data set that has none: 80 % Training, 10 % PublicTest, 10 % PrivateTest.

    Args:
        images: uint8 array of shape `(images, height, width)`.
        labels: Integer array of shape `(images,)`, -1 where there is no label.

    Returns:
        `(usage, description)`: uint8 positions in `SPLITS`, all Training if there are too few images; and a
        sentence that says how they were made.
    """
    usage = np.full(len(images), TRAINING, np.uint8)
    try:
        tests = np.flatnonzero(choose_holdout(images, labels, 2 * TEST_SHARE))
        is_public = choose_holdout(images[tests], labels[tests], 0.5)
    except UserError:
        return usage, "The data name no splits, and are too few to make test splits: all images are Training."
    usage[tests] = np.where(is_public, PUBLIC_TEST, PRIVATE_TEST)
    return usage, (
        f"The data name no splits. Made by {SPLITTER}, seed 0: {1 - 2 * TEST_SHARE:.0%} Training, "
        f"{TEST_SHARE:.0%} PublicTest, {TEST_SHARE:.0%} PrivateTest, the same of each class."
    )
