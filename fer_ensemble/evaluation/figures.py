"""Everything that is found out about an ensemble, as the plain numbers of `scores.json`."""

import numpy as np

from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, UNLABELLED
from fer_ensemble.ensemble.parts import OOF, combine_part, leave_one_run_out, run_of, score_all
from fer_ensemble.ensemble.weighting import WAYS, weigh_members
from fer_ensemble.evaluation.voters import agreement_scores, majority_labels
from fer_ensemble.scoring.calibration import (
    Calibration,
    calibration_bins,
    calibration_error,
    chance_calibration_error,
    choose_temperature,
    effective_size,
    extrapolate_temperature,
    fit_calibration,
    undo_smoothing,
)
from fer_ensemble.scoring.comparisons import compare_pairs, disagreement
from fer_ensemble.scoring.confusion import bootstrap_intervals, class_scores, confusion_matrix
from fer_ensemble.scoring.metrics import brier_score, log_loss, predicted_labels, score

ENSEMBLE = "ensemble"
TEST = "test"


def calibrate_out_of_fold(oof, weights):
    """Chooses the ensemble's calibration out of fold.

    There an image is predicted by one member of each run, a test image by all: its temperature is extrapolated.

    Args:
        oof: The out-of-fold `Part` with the ensemble's predictions.
        weights: Float64 array of shape `(members,)`.

    Returns:
        Dict with two `Calibration`s: `oof` for images that were held out, `test` for all others. None if no image
        that was held out is labelled.
    """
    known = _known(oof)
    if not known.any():
        return None
    labels = oof.labels[known]
    held_out = fit_calibration(oof.ensemble[known], labels)
    shares = sum_by_run(oof, weights)
    by_run = np.array([shares[run] for run in sorted(shares)])  # in the order of `oof.runs`
    alone = [choose_temperature(undo_smoothing(run[known], held_out.smoothing), labels) for run in oof.runs]
    temperature = extrapolate_temperature(
        float(np.average(alone, weights=by_run)),
        held_out.temperature,
        effective_size(by_run),
        effective_size(weights),
    )
    return {OOF: held_out, TEST: Calibration(held_out.smoothing, temperature)}


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
            correct = _correct(combined, combined.ensemble)
            equal.setdefault(name, correct)  # `equal` comes first
            found[way][name] = {
                "accuracy": scores["accuracy"],
                "log_loss": scores["log_loss"],
                "versus_equal": None if way == "equal" else _compare(correct, equal[name]),
            }
    return found


def sum_by_run(part, weights):
    """Returns the weights of the runs: a dict of the sums over their members."""
    sums = {}
    for member, weight in zip(part.members, weights.tolist(), strict=True):
        sums[run_of(member)] = sums.get(run_of(member), 0.0) + weight
    return sums


def describe_part(part, run_names, weights, calibration, class_names, votes=None):
    """Describes what an ensemble does on one set of images.

    Args:
        part: `Part` with the ensemble's predictions.
        run_names: Names of the runs.
        weights: Float64 array of shape `(members,)`.
        calibration: The `Calibration` for these images, or None.
        class_names: Names of the classes.
        votes: The FER+ votes for the images, uint8, shape `(images, 10)`, or None.

    Returns:
        Dict as in `scores.json`; where no image is labelled, what takes labels is None.
    """
    scores = score_all(part, run_names)
    accuracies = [values["accuracy"] for name, values in scores.items() if name in part.members]
    spread = {"mean": float(np.mean(accuracies)), "sd": float(np.std(accuracies))} if accuracies else None
    described = {
        "images": len(part.rows),
        ENSEMBLE: part.scores(),
        "ensemble_without_copies": part.scores(without_copies=True) if part.copies.any() else None,
        "members": spread,
        "best_member": max(accuracies, default=None),
        "scores": scores,
        "disagreement": _disagreement(part),
    }
    if described[ENSEMBLE]:
        known = _known(part)
        chances, labels = part.ensemble[known], part.labels[known]
        matrix = confusion_matrix(labels, predicted_labels(chances), len(class_names))
        described |= {
            "bootstrap": bootstrap_intervals(matrix),
            "confusion": matrix.tolist(),
            "classes": _describe_classes(matrix, class_names),
            "calibration": {
                "before": _describe_calibration(chances, labels),
                "after": calibration and _describe_calibration(calibration.apply(chances), labels),
            },
            "comparisons": compare_pairs(correctness(part, run_names, members=False)),
            "leave_one_run_out": leave_one_run_out(part, run_names, weights),
        }
    return described | {"ferplus": None if votes is None else _describe_votes(part, votes, class_names)}


def correctness(part, run_names, members=True):
    """Returns a dict from the ensemble, the runs and, if asked for, the members to what `compare_pairs` takes."""
    named = {ENSEMBLE: part.ensemble, **dict(zip(run_names, part.runs, strict=True))}
    return {name: _correct(part, chances) for name, chances in (named | (part.members if members else {})).items()}


def _known(part):
    """Which images have a label and a prediction of the ensemble: bool, shape `(images,)`."""
    return (part.labels != UNLABELLED) & ~np.isnan(part.ensemble[:, 0])


def _correct(part, probabilities):
    known = (part.labels != UNLABELLED) & ~np.isnan(probabilities[:, 0])
    correct = np.full(len(known), np.nan)
    correct[known] = predicted_labels(probabilities[known]) == part.labels[known]
    return correct


def _compare(first, second):
    pairs = compare_pairs({"first": first, "second": second})
    return {name: pairs[0][name] for name in ("difference", "interval", "p")} if pairs else None


def _describe_classes(matrix, class_names):
    scores = {name: values.tolist() for name, values in class_scores(matrix).items()}
    return [
        {
            "name": name,
            "images": int(matrix[place].sum()),
            **{key: None if np.isnan(values[place]) else values[place] for key, values in scores.items()},
        }
        for place, name in enumerate(class_names)
    ]


def _describe_calibration(probabilities, labels):
    bins = calibration_bins(probabilities, labels)
    return {
        "log_loss": log_loss(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": calibration_error(bins),
        "chance_ece": chance_calibration_error(bins),
        "adaptive_ece": calibration_error(calibration_bins(probabilities, labels, adaptive=True)),
        "bins": bins,
    }


def _disagreement(part):
    predicted = [
        np.where(np.isnan(chances[:, 0]), -1, np.nan_to_num(chances).argmax(axis=1))
        for chances in part.members.values()
    ]
    return disagreement(predicted, [run_of(member) for member in part.members])


def _describe_votes(part, votes, class_names):
    """The ensemble against the majority of the FER+ voters, and their labels against FER2013's."""
    predicts = ~np.isnan(part.ensemble[:, 0])
    labels = np.where(predicts, majority_labels(votes, class_names), UNLABELLED)
    scores = score(part.ensemble, labels)
    if scores is None:
        return None
    both = (labels != UNLABELLED) & (part.labels != UNLABELLED)
    same = int(np.count_nonzero(labels[both] == part.labels[both]))
    return {
        **scores,
        "same_as_label": same / int(np.count_nonzero(both)) if both.any() else None,
        "agreement": agreement_scores(predicted_labels(part.ensemble[predicts]), votes[predicts], class_names),
    }
