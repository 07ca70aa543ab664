"""From the members' predictions to those of the runs and of the ensemble, and their scores."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import UNLABELLED
from fer_ensemble.ensemble.combine import combine_probabilities
from fer_ensemble.members.collection import Member
from fer_ensemble.members.predictions import Predictions
from fer_ensemble.scoring.metrics import predicted_labels, score

OOF = "oof"


@dataclasses.dataclass(frozen=True)
class Part:
    """One set of images with the predictions of everything for it.

    Attributes:
        rows: int64, shape `(images,)`, the images' rows in their source.
        labels: int8, shape `(images,)`, -1 where there is none.
        copies: bool, shape `(images,)`, whether an exact copy of the image was there to train on.
        members: Dictionary from a member's name to float32 probabilities, shape `(images, classes)`; for the
            out-of-fold part, NaN for images that it was trained on.
        runs: float64, shape `(runs, images, classes)`, NaN where none of a run's members may predict.
        ensemble: float64, shape `(images, classes)`; NaN where a run is.
        others: Dictionary from the name of a network that stands beside the ensemble, and is no part of it, to
            probabilities, shape `(images, classes)`; NaN where it may not predict.
    """

    rows: np.ndarray
    labels: np.ndarray
    copies: np.ndarray
    members: dict
    runs: np.ndarray
    ensemble: np.ndarray | None = None
    others: dict = dataclasses.field(default_factory=dict)

    def scores(self, without_copies: bool = False) -> dict | None:
        """Scores the ensemble on this part; None if no image is labelled."""
        return _score(self, self.ensemble, without_copies)


def join_parts(name: str, members: Sequence[Member], predictions: Sequence[Predictions]) -> Part:
    """Puts the members' predictions of one part side by side.

    Args:
        name: `oof`, `PublicTest` or `PrivateTest`.
        members: List of `fer_ensemble.members.collection.Member`, by run and fold.
        predictions: For each member, its `Predictions` of this part.

    Returns:
        `Part` without the ensemble's predictions.

    Raises:
        UserError: If the members did not predict the same images, or held one out twice, or do not agree on an
            image's label.
    """
    # Test splits are the same rows for all; out of fold, each member adds its own.
    rows = np.unique(np.concatenate([part.rows for part in predictions]))
    labels = np.full(len(rows), UNLABELLED, np.int8)
    copies = np.zeros(len(rows), bool)
    known = np.zeros(len(rows), bool)
    spread = {}
    for member, part in zip(members, predictions, strict=True):
        if name != OOF and len(part.rows) != len(predictions[0].rows):
            raise UserError(
                f"{member.folder} predicted {len(part.rows)} images of {name}, the members before it "
                f"{len(predictions[0].rows)}. Train it again with --overwrite."
            )
        if name != OOF and len(part.rows) != np.isin(part.rows, predictions[0].rows).sum():
            raise UserError(
                f"{member.folder} predicted other images of {name} than the members before it. "
                "Train it again with --overwrite."
            )
        positions = np.searchsorted(rows, part.rows)
        differs = (labels[positions] != part.labels) | (copies[positions] != part.copies)
        if (differs & known[positions]).any():
            raise UserError(
                f"{member.folder} has other labels of {name} than the members before it, of the same data. "
                "Train it again with --overwrite."
            )
        labels[positions], copies[positions], known[positions] = part.labels, part.copies, True
        spread[member.name] = np.full((len(rows), part.probabilities.shape[1]), np.nan, np.float32)
        spread[member.name][positions] = part.probabilities
    runs = sorted({member.run for member in members})
    joined = [
        _average_run(name, run, [spread[member.name] for member in members if member.run == run]) for run in runs
    ]
    return Part(rows, labels, copies, spread, np.stack(joined))


def combine_part(part: Part, weights: np.ndarray) -> Part:
    """Adds the ensemble's predictions to a part.

    Each image is predicted by those of the members that may predict it, which out of fold is one member of each
    run; their weights are rescaled to sum to 1.

    Args:
        part: `Part`.
        weights: Float array of shape `(members,)`, in the order of `part.members`; none negative.

    Returns:
        `Part`; NaN stays where a run has no prediction, or all that have one weigh 0.
    """
    members = np.stack(list(part.members.values()))
    predicts = ~np.isnan(members[..., 0])
    ensemble = np.full(members.shape[1:], np.nan)
    covered = ~np.isnan(part.runs).any(axis=(0, 2))
    # The images of one fold share their members, and so do all images of a test split.
    patterns, pattern = np.unique(np.packbits(predicts, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        images = np.flatnonzero((pattern.ravel() == number) & covered)
        if len(images):
            able = predicts[:, images[0]]
            if weights[able].any():
                ensemble[images] = combine_probabilities(members[able][:, images], weights[able])
    return dataclasses.replace(part, ensemble=ensemble)


def leave_one_run_out(part: Part, run_names: Sequence[str], weights: np.ndarray) -> dict[str, dict]:
    """Scores the ensemble without each run, on the images that the whole ensemble predicts.

    Returns:
        Dictionary from a run to what `metrics.score` returns; empty if there is only one run.
    """
    scores = {}
    for run in run_names:
        others = np.where([run_of(member) == run for member in part.members], 0, weights)
        if others.any():
            scores[run] = _score(part, combine_part(part, others).ensemble)
    return scores


def score_all(part: Part, run_names: Sequence[str]) -> dict[str, dict]:
    """Scores every member, every run and every other network on a part.

    Returns:
        Dictionary from the names of members and runs to what `metrics.score` returns, without those that have
        nothing to be scored on.
    """
    named = {**part.members, **dict(zip(run_names, part.runs, strict=True)), **part.others}
    scores = {name: _score(part, probabilities) for name, probabilities in named.items()}
    return {name: values for name, values in scores.items() if values}


def run_of(member: str) -> str:
    """Returns the run of a member's name: `cnn_0` of `exp_2/cnn_0`."""
    return member.rpartition("/")[2]


def sum_by_run(part: Part, weights: np.ndarray) -> dict[str, float]:
    """Returns the weights of the runs: a dict of the sums over their members."""
    sums = {}
    for member, weight in zip(part.members, weights.tolist(), strict=True):
        sums[run_of(member)] = sums.get(run_of(member), 0.0) + weight
    return sums


def predicted_and_labelled(part: Part, probabilities: np.ndarray) -> np.ndarray:
    """Tells which images of a part have a label and are predicted: bool, shape `(images,)`."""
    return (part.labels != UNLABELLED) & ~np.isnan(probabilities[:, 0])


def correct_images(part: Part, probabilities: np.ndarray) -> np.ndarray:
    """Tells which images are predicted right: float64, shape `(images,)`, 1 or 0, NaN where that is not known."""
    known = predicted_and_labelled(part, probabilities)
    correct = np.full(len(known), np.nan)
    correct[known] = predicted_labels(probabilities[known]) == part.labels[known]
    return correct


def _average_run(name, run, members):
    stacked = np.stack(members)
    predicted = ~np.isnan(stacked[..., 0])
    if name == OOF and (predicted.sum(axis=0) > 1).any():
        raise UserError(f"Each training image must be held out once in {run}. Received: images held out twice.")
    # Where several folds predict, they count alike; out of fold there is one.
    counts = predicted.sum(axis=0)[:, None]
    total = np.where(predicted[..., None], stacked, 0).sum(axis=0, dtype=np.float64)
    return np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)


def _score(part, probabilities, without_copies=False):
    keep = ~np.isnan(probabilities[:, 0])
    if without_copies:
        keep &= ~part.copies
    return score(probabilities, part.labels, keep)
