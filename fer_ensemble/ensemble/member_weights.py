"""The weights of an ensemble's members, by one of several rules."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.ensemble.parts import Part, run_of
from fer_ensemble.ensemble.weight_search import choose_greedily, choose_weights
from fer_ensemble.ensemble.weights_file import read_weights
from fer_ensemble.scoring.calibration import fit_calibration

WEIGHTINGS = {
    "equal": "every member counts the same",
    "oof": "the weights of the runs, each calibrated, with the smallest log-loss out of fold",
    "greedy": "25 runs, each the one that helps the out-of-fold accuracy most",
    "public": "the members' weights with the smallest log-loss on PublicTest, which is then no test",
}


def resolve_weighting(weighting: str, oof: Part) -> str:
    """Returns `weighting`, and for `auto` what it stands for: `oof` if all runs held an image out, else `equal`.

    Args:
        weighting: As for `weigh_members`, or `auto`.
        oof: The out-of-fold `Part`.
    """
    if weighting != "auto":
        return weighting
    return "oof" if can_choose_on(oof) else "equal"


def weigh_members(weighting: str, oof: Part, public: Part | None) -> np.ndarray:
    """Returns the weight of each member.

    Args:
        weighting: One of `WEIGHTINGS`, or the path of a JSON file with a weight for each run.
        oof: The out-of-fold `Part`.
        public: The `Part` of PublicTest; only `public` looks at it.

    Returns:
        Float64 array of shape `(members,)`, in the order of `oof.members`, summing to 1. The members of a run
        weigh the same, except with `public`.

    Raises:
        FileNotFoundError: If `weighting` is neither, nor a file.
        UserError: If there is nothing to choose on, or the file is not as it should be.
    """
    members = list(oof.members)
    if weighting == "equal":
        return np.full(len(members), 1 / len(members))
    if weighting == "public":
        if public is None or not (public.labels != UNLABELLED).any():
            raise UserError("`weights` public needs labelled images in PublicTest. Received: none.")
        return choose_weights(np.stack([public.members[member] for member in members]), public.labels)
    runs = sorted({run_of(member) for member in members})
    if weighting in WEIGHTINGS:
        if not (oof.labels != UNLABELLED).any():
            raise UserError(
                f"`weights` {weighting} needs images that were held out, but no member held any out: they were "
                "trained with --fold=none and without --holdout. Take --weights=equal."
            )
        if not can_choose_on(oof):
            raise UserError(
                f"`weights` {weighting} needs images that all runs held out, but there are none: the runs have "
                "members of other folds. Take --weights=equal, or some of the runs (--runs)."
            )
        choose = _choose_on_calibrated if weighting == "oof" else choose_greedily
        weights = choose(oof.runs, _labels_held_out_by_all(oof))
    else:
        weights = read_weights(weighting, runs)
    shares = np.array([weights[runs.index(run_of(member))] for member in members])
    return shares / shares.sum()


def can_choose_on(oof: Part) -> bool:
    """Returns whether all runs held out a labelled image, the same one."""
    return bool((_labels_held_out_by_all(oof) != UNLABELLED).any())


def _labels_held_out_by_all(oof):
    return np.where(np.isnan(oof.runs).any(axis=(0, 2)), UNLABELLED, oof.labels)


def _choose_on_calibrated(probabilities, labels):
    # As they are, networks that learnt smoothed labels would count less, only for being too modest.
    known = labels != UNLABELLED
    calibrated = [fit_calibration(one[known], labels[known]).apply(one[known]) for one in probabilities]
    return choose_weights(np.stack(calibrated), labels[known])
