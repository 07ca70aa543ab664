"""A random part of the training images that is held out, where there are no folds."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.folds import order_groups


def choose_holdout(images, labels, share, seed=0):
    """Chooses the images to hold out, the same share of each class.

    Copies of an image are held out together or not at all. As in `assign_folds` the largest groups of copies come
    first, the many single images last, and only the contents decide, not their order. Each group goes where it
    brings the numbers of held-out images nearer to their share of those that came so far.

    Args:
        images: uint8 array of shape `(images, height, width)`.
        labels: Integer array of shape `(images,)`. Unlabelled images (-1) are held out like one more class.
        share: Share of the images, above 0 and below 1.
        seed: Any integer; another seed gives another choice.

    Returns:
        bool array of shape `(images,)`, True for what is held out. Of each class that has enough single images,
        as each class of FER2013 has, that is its share to the nearest image.

    Raises:
        UserError: If no image, or each, would be held out.
    """
    groups, counts, order = order_groups(images, labels, seed)
    held_out = np.zeros(len(order), bool)
    chosen = seen = np.zeros(counts.shape[1])
    for group in order:
        seen = seen + counts[group]
        with_it, without = chosen + counts[group] - share * seen, chosen - share * seen
        if with_it @ with_it < without @ without:
            held_out[group] = True
            chosen = chosen + counts[group]
    if held_out.all() or not held_out.any():
        raise UserError(
            f"`holdout` must leave images on either side. Received: {share:g} of {len(images)} images."
        )
    return held_out[groups]
