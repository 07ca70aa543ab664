"""The weights of the runs, searched for on out-of-fold predictions."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.scoring.metrics import SMALLEST_PROBABILITY

GREEDY_ROUNDS = 25


def choose_weights(run_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Finds the weights whose weighted average of the runs has the smallest log-loss.

    The log-loss is convex in the weights, so there is nothing to tune and no start to choose. Give it
    out-of-fold predictions only: on images a run was trained on, the run that remembers most would win.

    Args:
        run_probabilities: Float array of shape `(runs, images, classes)`, the runs'
            out-of-fold predictions; each row sums to 1.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1; the predictions of images
            labelled -1 are not looked at, and may be NaN.

    Returns:
        Float64 array of shape `(runs,)`, none negative, summing to 1.

    Raises:
        UserError: If a shape or a value is not as described, or if no image is labelled.

    Source:
        SciPy's SLSQP: Kraft (1988), "A software package for sequential quadratic programming". With the exact
        gradient it takes 10 to 20 steps.

    Example: two runs, each certain of one image of two and clueless about the other.

    >>> choose_weights([[[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.0, 1.0]]], [0, 1]).round(3)
    array([0.5, 0.5])
    """
    from scipy.optimize import minimize

    run_probabilities = np.asarray(run_probabilities)
    labels = np.asarray(labels)
    if run_probabilities.ndim != 3 or labels.shape != run_probabilities.shape[1:2]:
        raise UserError(
            "`run_probabilities` must have shape (runs, images, classes) and `labels` shape (images,). "
            f"Received: shapes {run_probabilities.shape} and {labels.shape}."
        )
    runs, _, classes = run_probabilities.shape
    labelled = np.flatnonzero(labels != UNLABELLED)
    if runs == 0 or len(labelled) == 0:
        raise UserError(
            "Weights need at least one run and one labelled image to be chosen on. "
            f"Received: {runs} runs, {len(labelled)} labelled images."
        )
    true_classes = labels[labelled].astype(np.int64)
    if true_classes.min() < 0 or true_classes.max() >= classes:
        raise UserError(
            f"`labels` must lie between 0 and {classes - 1}, or be {UNLABELLED}. "
            f"Received: {true_classes.min()} to {true_classes.max()}."
        )
    likelihoods = run_probabilities[:, labelled, true_classes].astype(np.float64)
    if not (np.isfinite(likelihoods).all() and likelihoods.min() >= 0 and likelihoods.max() <= 1 + 1e-3):
        raise UserError(
            "`run_probabilities` of labelled images must lie between 0 and 1. "
            f"Received: {likelihoods.min():g} to {likelihoods.max():g}. "
            "Label the images that a run has not predicted -1."
        )

    likelihoods = np.maximum(likelihoods, SMALLEST_PROBABILITY)

    def loss_and_gradient(weights):
        mixed = weights @ likelihoods
        return -np.log(mixed).mean(), -(likelihoods / mixed).mean(axis=1)

    found = minimize(
        loss_and_gradient,
        np.full(runs, 1 / runs),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * runs,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    if not found.success:
        raise RuntimeError(f"no weights were found: {found.message}")
    return found.x / found.x.sum()


def choose_greedily(run_probabilities: np.ndarray, labels: np.ndarray, rounds: int = GREEDY_ROUNDS) -> np.ndarray:
    """Builds a mean of runs by adding, again and again, the one that helps most.

    Args:
        run_probabilities: Float array of shape `(runs, images, classes)`, the runs' out-of-fold predictions.
        labels: Int array of shape `(images,)`, as for `choose_weights`.
        rounds: How many runs are added. A run may be added several times.

    Returns:
        Float64 array of shape `(runs,)`, multiples of 1 / `rounds` that sum to 1. What is maximised is the
        accuracy, and of equals the mean log-probability of the true classes.

    Source:
        Caruana et al. (2004), https://doi.org/10.1145/1015330.1015432: selection with replacement.

    Example: only together are these two right about both images.

    >>> choose_greedily([[[0.9, 0.1], [0.6, 0.4]], [[0.4, 0.6], [0.1, 0.9]]], [0, 1], rounds=4)
    array([0.5, 0.5])
    """
    labelled = np.flatnonzero(np.asarray(labels) != UNLABELLED)
    if len(labelled) == 0:
        raise UserError("Weights need at least one labelled image to be chosen on. Received: none.")
    true_classes = np.asarray(labels)[labelled].astype(np.int64)
    runs = np.asarray(run_probabilities)[:, labelled].astype(np.float32)
    counts = np.zeros(len(runs))
    total = np.zeros(runs.shape[1:], np.float32)
    for _ in range(rounds):
        gains = []
        for run in runs:
            summed = total + run
            likelihoods = summed[np.arange(len(labelled)), true_classes] / (counts.sum() + 1)
            right = np.count_nonzero(summed.argmax(axis=1) == true_classes)
            gains.append((right, float(np.log(np.maximum(likelihoods, SMALLEST_PROBABILITY)).mean())))
        best = max(range(len(runs)), key=gains.__getitem__)
        counts[best] += 1
        total += runs[best]
    return counts / rounds
