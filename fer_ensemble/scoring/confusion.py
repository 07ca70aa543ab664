"""The confusion matrix, and what can be counted from it.

scikit-learn scores one list of labels at a time; the bootstrap scores thousands of matrices at once.
"""

import numpy as np


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts the images of each true class that were predicted as each class.

    Args:
        labels: Int array of shape `(images,)`, 0 to `classes` - 1.
        predicted: Int array of shape `(images,)`, 0 to `classes` - 1.
        classes: Number of classes.

    Returns:
        Int64 array of shape `(classes, classes)`, rows true, columns predicted; sums to `images`.

    Raises:
        ValueError: If the shapes differ or a label is not a class.

    Example:

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2)
    array([[1, 1],
           [0, 1]])
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.ndim != 1 or labels.shape != predicted.shape:
        raise ValueError(
            "`labels` and `predicted` must both have shape (images,). "
            f"Received: shapes {labels.shape} and {predicted.shape}."
        )
    check_labels("labels", labels, classes)
    check_labels("predicted", predicted, classes)
    from sklearn import metrics

    return metrics.confusion_matrix(labels, predicted, labels=range(classes))


def class_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Counts how well each class is told from the others.

    Args:
        matrix: Int array of shape `(..., classes, classes)`, confusion matrices.

    Returns:
        Dict of float64 arrays of shape `(..., classes)`, 0 to 1: `precision` (NaN where nothing was predicted as
        the class), `recall` (NaN where no image has the class) and `f1` (NaN where neither).

    Example:

    >>> class_scores([[3, 1], [2, 2]])["recall"]
    array([0.75, 0.5 ])
    """
    matrix = np.asarray(matrix)
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    images, guesses = matrix.sum(axis=-1), matrix.sum(axis=-2)
    return {
        "precision": _ratio(right, guesses),
        "recall": _ratio(right, images),
        "f1": _ratio(2 * right, images + guesses),
    }


def summary_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Counts what a confusion matrix says of all classes together.

    Args:
        matrix: Int array of shape `(..., classes, classes)`, at least one image in each matrix.

    Returns:
        Dict of float64 arrays of shape `(...)`, 0 to 1: `accuracy`; `balanced_accuracy`, the mean recall of the
        classes that have images; `macro_f1`, the mean F1 of the classes that have images or predictions.

    Source:
        scikit-learn's `balanced_accuracy_score` and `f1_score(average="macro", zero_division=0)`.
    """
    matrix = np.asarray(matrix)
    scores = class_scores(matrix)
    right = np.trace(matrix, axis1=-2, axis2=-1)
    return {
        "accuracy": right / matrix.sum(axis=(-2, -1)),
        "balanced_accuracy": np.nanmean(scores["recall"], axis=-1),
        "macro_f1": np.nanmean(scores["f1"], axis=-1),
    }


def bootstrap_intervals(
    matrix: np.ndarray, draws: int = 2000, confidence: float = 0.95, seed: int = 0
) -> dict[str, list[float]]:
    """Bounds the summary scores by drawing the images anew, with replacement.

    Images that count alike are drawn together: how often each cell of the matrix is drawn is multinomial.

    Args:
        matrix: Int array of shape `(classes, classes)`, at least one image.
        draws: How many sets of images are drawn.
        confidence: Share of the sets that lie within the interval.
        seed: Seed of the draws.

    Returns:
        Dict from the names of `summary_scores` to [low, high], 0 to 1.

    Source:
        Efron (1979), https://doi.org/10.1214/aos/1176344552; the percentile interval.
    """
    matrix = np.asarray(matrix)
    images = int(matrix.sum())
    cells = np.random.default_rng(seed).multinomial(images, matrix.ravel() / images, size=draws)
    drawn = summary_scores(cells.reshape(draws, *matrix.shape))
    bounds = [(1 - confidence) / 2, (1 + confidence) / 2]
    return {name: np.quantile(values, bounds).tolist() for name, values in drawn.items()}


def check_labels(name: str, labels: np.ndarray, classes: int) -> None:
    """Raises ValueError unless the labels are integers from 0 to `classes` - 1."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"`{name}` must be integers. Received: dtype {labels.dtype}.")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"`{name}` must lie between 0 and {classes - 1}. Received: {labels.min()} to {labels.max()}."
        )


def _ratio(counts, totals):
    return np.divide(counts, totals, out=np.full(np.shape(totals), np.nan), where=totals > 0)
