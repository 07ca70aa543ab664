"""The ways to weigh an ensemble's members, each scored beside the others."""

import numpy as np

from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, UNLABELLED
from fer_ensemble.ensemble.member_weights import WEIGHTINGS, can_choose_on, weigh_members
from fer_ensemble.ensemble.parts import OOF, Part, combine_part, correct_images, sum_by_run
from fer_ensemble.scoring.comparisons import compare_pairs


def compare_weightings(oof: Part, public: Part | None, chosen: str, weights: np.ndarray) -> dict[str, dict]:
    """Scores each way to weigh the members, out of fold and on PublicTest.

    Args:
        oof: The out-of-fold `Part`.
        public: The `Part` of PublicTest, or None.
        chosen: How the ensemble is weighed: one of `WEIGHTINGS`, or the path of a file.
        weights: Its weights, float64, shape `(members,)`.

    Returns:
        Dict from a weighting to `weights` (by run) and, for `oof` and `PublicTest` if labelled, `accuracy`,
        `log_loss` and `versus_equal`, the paired difference of the accuracy (see `compare_pairs`).
    """
    parts = {OOF: oof, SPLITS[PUBLIC_TEST]: public}
    parts = {name: part for name, part in parts.items() if part is not None and (part.labels != UNLABELLED).any()}
    held_out = can_choose_on(oof)
    possible = {"equal": True, "oof": held_out, "greedy": held_out, "public": SPLITS[PUBLIC_TEST] in parts}
    weightings = [name for name in WEIGHTINGS if possible[name]]
    found, equal = {}, {}
    for weighting in [*weightings, *({chosen} - set(weightings))]:
        shares = weights if weighting == chosen else weigh_members(weighting, oof, public)
        found[weighting] = {"weights": sum_by_run(oof, shares)}
        for name, part in parts.items():
            combined = combine_part(part, shares)
            scores = combined.scores()
            if scores is None:
                continue
            correct = correct_images(combined, combined.ensemble)
            equal.setdefault(name, correct)  # `equal` comes first
            found[weighting][name] = {
                "accuracy": scores["accuracy"],
                "log_loss": scores["log_loss"],
                "versus_equal": None if weighting == "equal" else _compare(correct, equal[name]),
            }
    return found


def _compare(first, second):
    pairs = compare_pairs({"first": first, "second": second})
    return {name: pairs[0][name] for name in ("difference", "interval", "p")} if pairs else None
