"""The ways to weigh an ensemble's members, each scored beside the others."""

from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, UNLABELLED
from fer_ensemble.ensemble.parts import OOF, combine_part, correct_images, sum_by_run
from fer_ensemble.ensemble.weighting import WAYS, weigh_members
from fer_ensemble.scoring.comparisons import compare_pairs


def compare_weightings(oof, public, chosen, weights):
    """Scores each way to weigh the members, out of fold and on PublicTest.

    Args:
        oof: The out-of-fold `Part`.
        public: The `Part` of PublicTest, or None.
        chosen: The way that the ensemble is weighed: one of `WAYS`, or the path of a file.
        weights: Its weights, float64, shape `(members,)`.

    Returns:
        Dict from the way to `weights` (by run) and, for `oof` and `PublicTest` if labelled, `accuracy`,
        `log_loss` and `versus_equal`, the paired difference of the accuracy (see `compare_pairs`).
    """
    parts = {OOF: oof, SPLITS[PUBLIC_TEST]: public}
    parts = {name: part for name, part in parts.items() if part is not None and (part.labels != UNLABELLED).any()}
    ways = [way for way in WAYS if way == "equal" or (SPLITS[PUBLIC_TEST] if way == "public" else OOF) in parts]
    found, equal = {}, {}
    for way in [*ways, *({chosen} - set(ways))]:
        shares = weights if way == chosen else weigh_members(way, oof, public)
        found[way] = {"weights": sum_by_run(oof, shares)}
        for name, part in parts.items():
            combined = combine_part(part, shares)
            scores = combined.scores()
            if scores is None:
                continue
            correct = correct_images(combined, combined.ensemble)
            equal.setdefault(name, correct)  # `equal` comes first
            found[way][name] = {
                "accuracy": scores["accuracy"],
                "log_loss": scores["log_loss"],
                "versus_equal": None if way == "equal" else _compare(correct, equal[name]),
            }
    return found


def _compare(first, second):
    pairs = compare_pairs({"first": first, "second": second})
    return {name: pairs[0][name] for name in ("difference", "interval", "p")} if pairs else None
