"""Paired comparisons: two predictors on the same images."""

import itertools
import math

import numpy as np


def compare_pairs(correct: dict[str, np.ndarray]) -> list[dict]:
    """Compares every two predictors on the images that both predicted.

    Args:
        correct: Dict from a predictor's name to a float array of shape `(images,)`: 1 where it is right, 0
            where it is wrong, NaN where it did not predict.

    Returns:
        List of dicts, one for each pair that shares an image: `first`, `second` (names), `images`, `first_only`
        and `second_only` (images that only this one has right), `difference` (accuracy of the first minus that
        of the second, -1 to 1), `interval` (its 95 % interval) and `p` (see `mcnemar_p`).

    Source:
        The interval is Wald's for paired proportions: Agresti, Categorical Data Analysis, section 11.1.
    """
    names = list(correct)
    values = np.stack([correct[name] for name in names])
    # Counts of images for all pairs at once; exact, as float64 holds integers to 2^53.
    right, wrong = (values == 1).astype(np.float64), (values == 0).astype(np.float64)
    shared, only = (right + wrong) @ (right + wrong).T, right @ wrong.T
    pairs = []
    for first, second in itertools.combinations(range(len(names)), 2):
        images, gained, lost = (int(count[first, second]) for count in (shared, only, only.T))
        if images:
            difference = (gained - lost) / images
            spread = 1.959964 * math.sqrt(max(gained + lost - images * difference**2, 0)) / images
            pairs.append(
                {
                    "first": names[first],
                    "second": names[second],
                    "images": images,
                    "first_only": gained,
                    "second_only": lost,
                    "difference": difference,
                    "interval": [difference - spread, difference + spread],
                    "p": mcnemar_p(gained, lost),
                }
            )
    return pairs


def mcnemar_p(gained: int, lost: int) -> float:
    """Tests whether two predictors are equally often right, by the images that only one of them has right.

    Args:
        gained: Number of images that only the first has right.
        lost: Number of images that only the second has right.

    Returns:
        Float, 0 to 1: how likely so uneven a split is if each of these images falls to either alike.

    Source:
        McNemar (1947), https://doi.org/10.1007/BF02295996; the exact two-sided test.

    >>> round(mcnemar_p(4, 0), 6)  # 2 / 2^4
    0.125
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def disagreement(predicted: np.ndarray, runs: list[str]) -> dict[str, dict[str, float | None]]:
    """Averages how often two members predict different classes.

    Args:
        predicted: Int array of shape `(members, images)`, -1 where a member did not predict.
        runs: Name of the run of each member.

    Returns:
        Dict from a run to a dict from a run to the mean share of images, 0 to 1, over the pairs of different
        members that share images; None where there is no such pair.
    """
    predicted = np.asarray(predicted)
    names = sorted(set(runs))
    sums = {first: dict.fromkeys(names, (0.0, 0)) for first in names}
    for one, other in itertools.combinations(range(len(runs)), 2):
        both = (predicted[one] >= 0) & (predicted[other] >= 0)
        if both.any():
            share = np.count_nonzero((predicted[one] != predicted[other]) & both) / np.count_nonzero(both)
            for first, second in {(runs[one], runs[other]), (runs[other], runs[one])}:
                total, pairs = sums[first][second]
                sums[first][second] = total + share, pairs + 1
    return {
        first: {second: total / pairs if pairs else None for second, (total, pairs) in row.items()}
        for first, row in sums.items()
    }
