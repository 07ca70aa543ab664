"""From the members' predictions to the ensemble's."""

import numpy as np

from fer_ensemble.members.predictions import ROW_SUM_TOLERANCE


def combine_probabilities(member_probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Averages the class probabilities of the members.

    Args:
        member_probabilities: Float array of shape `(members, images, classes)`,
            each row over `classes` summing to 1. All members saw the same
            images in the same order.
        weights: Float array of shape `(members,)`, none negative, not all 0;
            rescaled to sum to 1. Defaults to equal weights.

    Returns:
        Float64 array of shape `(images, classes)`; each row sums to 1.

    Raises:
        ValueError: If a shape, a row sum or a weight is not as described.

    Source:
        Lakshminarayanan et al. (2017), https://arxiv.org/abs/1612.01474, for equal weights.

    Example:

    >>> one_image = [[[0.8, 0.2]], [[0.4, 0.6]]]
    >>> combine_probabilities(one_image, weights=[1, 3]).round(2)
    array([[0.5, 0.5]])
    """
    probabilities = np.asarray(member_probabilities, np.float64)
    if probabilities.ndim != 3 or len(probabilities) == 0:
        raise ValueError(
            "`member_probabilities` must have shape (members, images, classes) and at least one member. "
            f"Received: shape {probabilities.shape}."
        )
    _check_rows(probabilities)
    weights = _shares(weights, len(probabilities))
    combined = np.tensordot(weights, probabilities, axes=1)
    # The members' rows sum to 1 only as far as float32 goes.
    return combined / combined.sum(axis=1, keepdims=True)


def _check_rows(probabilities):
    """Raises ValueError unless the rows over the last axis are probabilities."""
    if not np.isfinite(probabilities).all():
        raise ValueError("`member_probabilities` must be finite. Received: NaN or infinite values.")
    if probabilities.size and probabilities.min() < 0:
        raise ValueError(
            f"`member_probabilities` must not be negative. Received: {probabilities.min():g}. Are these logits?"
        )
    sums = probabilities.sum(axis=-1)
    if sums.size and np.abs(sums - 1).max() > ROW_SUM_TOLERANCE:
        member, image = np.unravel_index(np.abs(sums - 1).argmax(), sums.shape)
        raise ValueError(
            f"Each row of `member_probabilities` must sum to 1 within {ROW_SUM_TOLERANCE:g}. "
            f"Received: {sums[member, image]:g} for member {member}, image {image}."
        )


def _shares(weights, members):
    """Checks the weights and rescales them to sum to 1; None gives equal weights."""
    if weights is None:
        return np.full(members, 1 / members)
    weights = np.asarray(weights, np.float64)
    if weights.shape != (members,):
        raise ValueError(
            f"`weights` must have one value per member ({members}). "
            f"Received: shape {weights.shape}. Pass None for equal weights."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not (weights > 0).any():
        raise ValueError(
            "`weights` must be finite, none negative and not all 0. "
            f"Received: {weights.tolist()}. Pass None for equal weights."
        )
    return weights / weights.sum()
