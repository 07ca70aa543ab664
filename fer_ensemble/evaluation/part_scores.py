"""What is found out about an ensemble's predictions of one set of images: plain numbers for `scores.json`."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.ensemble.parts import (
    Part,
    correct_images,
    leave_one_run_out,
    predicted_and_labelled,
    run_of,
    score_all,
)
from fer_ensemble.evaluation.voters import agreement_scores, majority_labels
from fer_ensemble.scoring.calibration import (
    Calibration,
    calibration_bins,
    calibration_error,
    chance_calibration_error,
)
from fer_ensemble.scoring.comparisons import compare_pairs, disagreement
from fer_ensemble.scoring.confusion import bootstrap_intervals, class_scores, confusion_matrix
from fer_ensemble.scoring.metrics import brier_score, log_loss, predicted_labels, score

ENSEMBLE = "ensemble"


def describe_part(
    part: Part,
    run_names: Sequence[str],
    weights: np.ndarray,
    calibration: Calibration | None,
    class_names: Sequence[str],
    votes: np.ndarray | None = None,
) -> dict:
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
        known = predicted_and_labelled(part, part.ensemble)
        probabilities, labels = part.ensemble[known], part.labels[known]
        matrix = confusion_matrix(labels, predicted_labels(probabilities), len(class_names))
        described |= {
            "bootstrap": bootstrap_intervals(matrix),
            "confusion": matrix.tolist(),
            "classes": describe_classes(matrix, class_names),
            "calibration": {
                "before": describe_calibration(probabilities, labels),
                "after": calibration and describe_calibration(calibration.apply(probabilities), labels),
            },
            "comparisons": compare_pairs(correctness(part, run_names, members=False)),
            "leave_one_run_out": leave_one_run_out(part, run_names, weights),
        }
    return described | {"ferplus": None if votes is None else _describe_votes(part, votes, class_names)}


def correctness(part: Part, run_names: Sequence[str], members: bool = True) -> dict[str, np.ndarray]:
    """Returns a dict from the ensemble, the runs and, if asked for, the members to what `compare_pairs` takes."""
    named = {ENSEMBLE: part.ensemble, **dict(zip(run_names, part.runs, strict=True)), **part.others}
    return {
        name: correct_images(part, probabilities)
        for name, probabilities in (named | (part.members if members else {})).items()
    }


def describe_classes(matrix: np.ndarray, class_names: Sequence[str]) -> list[dict]:
    """Returns a dict for each class: `name`, `images`, `precision`, `recall` and `f1`, None where undefined."""
    scores = {name: values.tolist() for name, values in class_scores(matrix).items()}
    return [
        {
            "name": name,
            "images": int(matrix[number].sum()),
            **{key: None if np.isnan(values[number]) else values[number] for key, values in scores.items()},
        }
        for number, name in enumerate(class_names)
    ]


def describe_calibration(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """Returns what tells whether probabilities mean what they say: scores, errors and the bins of the plot."""
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
        np.where(np.isnan(probabilities[:, 0]), -1, np.nan_to_num(probabilities).argmax(axis=1))
        for probabilities in part.members.values()
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
