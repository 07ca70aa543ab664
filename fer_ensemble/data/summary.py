"""What is in a data set, as a few lines of text."""

import numpy as np

from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import SPLITS, UNLABELLED, Dataset


def count_images(dataset: Dataset) -> np.ndarray:
    """Returns int64 of shape `(splits, classes + 1)`: images per split and class, those without a label last."""
    counts = np.zeros((len(SPLITS), len(dataset.class_names) + 1), np.int64)
    np.add.at(counts, (dataset.usage, dataset.labels), 1)  # label -1 is the last place
    return counts


def count_copies(dataset: Dataset) -> tuple[int, np.ndarray]:
    """Counts exact copies.

    Returns:
        redundant: Images that repeat an earlier one, int.
        shared: int64 of shape `(splits, splits)`: off the diagonal, images of the first split that also occur in
            the second; on it, images that repeat an earlier one of the same split.
    """
    groups = find_copies(dataset.images)
    members = [groups[dataset.split(usage)] for usage in range(len(SPLITS))]
    shared = [[np.isin(one, other).sum() for other in members] for one in members]
    for usage, one in enumerate(members):
        shared[usage][usage] = len(one) - len(np.unique(one))
    return len(groups) - len(np.unique(groups)), np.array(shared, np.int64)


def describe_dataset(dataset: Dataset) -> str:
    """Returns the summary that `python -m fer_ensemble.data` prints: several lines, without the last line end."""
    counts = count_images(dataset)
    columns = [*dataset.class_names, "unlabelled", "total"]
    widths = [max(12, len(column) + 1) for column in columns]
    rows = [*zip(SPLITS, counts, strict=True), ("all", counts.sum(0))]
    lines = [
        f"{'images':<12}" + "".join(f"{column:>{width}}" for column, width in zip(columns, widths, strict=True))
    ]
    for name, row in rows:
        cells = zip([*row, row.sum()], widths, strict=True)
        lines.append(f"{name:<12}" + "".join(f"{count:>{width},}" for count, width in cells))
    if dataset.made_splits:
        lines += ["", dataset.made_splits]
    redundant, shared = count_copies(dataset)
    lines += ["", f"exact copies: {redundant:,} images repeat an earlier one"]
    for one, name in enumerate(SPLITS):
        lines.append(f"  within {name}: {shared[one, one]:,}")
        for other in range(one):
            lines.append(f"  {name} images that are also in {SPLITS[other]}: {shared[one, other]:,}")
    if dataset.votes is not None:
        lines.append(f"\nFER+ votes: {np.count_nonzero(dataset.votes.any(1)):,} images")
    if np.all(dataset.labels == UNLABELLED):
        lines.append("\nno image has a label")
    lines.append(f"\nfingerprint: {dataset.fingerprint}")
    return "\n".join(lines)
