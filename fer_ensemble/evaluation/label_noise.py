"""Labels that are likely wrong, by what the ensemble says of images that it was not trained on."""

import numpy as np

from fer_ensemble.data.dataset import UNLABELLED


def find_likely_wrong(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds images whose label the out-of-fold predictions speak against.

    An image is found if some other class gets at least the probability that it gets, on average, on the images
    that are labelled so, and more than the image's own label.

    Args:
        probabilities: Float array of shape `(images, classes)`, out-of-fold; NaN rows are left out.
        labels: Int array of shape `(images,)`, -1 for images without a label, which are left out.

    Returns:
        positions: Int64 array, the images found, the surest first: by the probability of the suggested class minus
            that of the label.
        suggested: Int64 array of the same shape, the class each of them seems to be.

    Source:
        Northcutt, Jiang & Chuang (2021), https://arxiv.org/abs/1911.00068: confident learning, ordered by the
        margin.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    used = np.flatnonzero((labels != UNLABELLED) & ~np.isnan(probabilities[:, 0]))
    probabilities, given = probabilities[used], labels[used]
    images = np.arange(len(used))
    classes = probabilities.shape[1]
    # A class that nobody is labelled with cannot be suggested.
    thresholds = [
        probabilities[given == label, label].mean() if (given == label).any() else 2 for label in range(classes)
    ]
    eligible = np.where(probabilities >= thresholds, probabilities, -1)
    suggested = eligible.argmax(axis=1)
    margins = eligible.max(axis=1, initial=-1) - probabilities[images, given]
    found = np.flatnonzero((suggested != given) & (margins > 0))
    found = found[np.argsort(-margins[found], kind="stable")]
    return used[found], suggested[found]
