"""What is chosen to make members an ensemble: weights, calibration, threshold; and finding it saved."""

import dataclasses
import os

import numpy as np

from fer_ensemble import __version__
from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.ensemble.ensemble_file import Calibrations, EnsembleRecord
from fer_ensemble.ensemble.held_out_calibration import TEST, calibrate_out_of_fold
from fer_ensemble.ensemble.member_weights import resolve_weighting, weigh_members
from fer_ensemble.ensemble.parts import OOF, Part, combine_part, predicted_and_labelled, run_of
from fer_ensemble.members.collection import Member
from fer_ensemble.members.directory import MODEL
from fer_ensemble.scoring.calibration import fit_calibration
from fer_ensemble.scoring.selective import choose_unsure_below

AUTO = "auto"
# Where no image was held out: an answer that is more likely wrong than right, if its probability can be believed.
UNSURE_BELOW = 0.5


@dataclasses.dataclass(frozen=True)
class Choice:
    """What makes members an ensemble.

    Attributes:
        weights_from: How the weights were chosen, as `--weights` names it.
        weights: float64, shape `(members,)`, summing to 1.
        calibrations: `Calibrations`, None where no image was held out.
        unsure_below: Probability of the predicted class below which an answer is called unsure.
        chosen_on: In words, the images that it was chosen on.
    """

    weights_from: str
    weights: np.ndarray
    calibrations: Calibrations | None
    unsure_below: float
    chosen_on: str

    @property
    def by_part(self) -> dict | None:
        """The `Calibration` of held-out images, `oof`, and of all others, `test`."""
        return self.calibrations and {OOF: self.calibrations.held_out, TEST: self.calibrations.all}


def choose(weighting: str, oof: Part, public: Part | None) -> Choice:
    """Chooses weights, then on the out-of-fold predictions a calibration and the threshold of the unsure.

    Args:
        weighting: As for `weigh_members`, or `auto`.
        oof: The out-of-fold `Part`.
        public: The `Part` of PublicTest, if any; only the weighting `public` looks at it.

    Raises: as `weigh_members`.
    """
    weighting = resolve_weighting(weighting, oof)
    weights = weigh_members(weighting, oof, public)
    combined = combine_part(oof, weights)
    found = calibrate_out_of_fold(combined, weights)
    if found is None:
        return Choice(weighting, weights, None, UNSURE_BELOW, "nothing: no member held images out")
    known = predicted_and_labelled(combined, combined.ensemble)
    labels = oof.labels[known]
    unsure_below = choose_unsure_below(found[OOF].apply(combined.ensemble[known]), labels)
    single = {}
    runs = sorted({run_of(name) for name in oof.members})
    for run, probabilities in zip(runs, oof.runs, strict=True):
        alone = predicted_and_labelled(oof, probabilities)
        single[run] = fit_calibration(probabilities[alone], oof.labels[alone])
    return Choice(
        weighting,
        weights,
        Calibrations(single, found[OOF], found[TEST]),
        unsure_below,
        f"{int(known.sum()):,} images of Training, each predicted by members that did not see it"
        + (", weights on PublicTest" if weighting == "public" else ""),
    )


def find_saved(folder: str | os.PathLike, members: list[Member], views: str) -> Choice | None:
    """Returns what was chosen once, if `ensemble.json` is of these very members and views; else None.

    Args:
        folder: Folder of the ensemble.
        members: List of `fer_ensemble.members.collection.Member`.
        views: The views of each face that the members' predictions are made with.
    """
    record = _read_saved(folder, members)
    if record is None or record.views != views:
        return None
    weights = np.array(list(record.weights.values()))
    return Choice(record.weights_from, weights, record.calibrations, record.unsure_below, record.chosen_on)


def is_saved(folder: str | os.PathLike, members: list[Member]) -> bool:
    """Whether `ensemble.json` is of these very members."""
    return _read_saved(folder, members) is not None


def _read_saved(folder, members):
    try:
        record = ensemble_file.read_record(folder)
    except (OSError, UserError):  # none yet, or damaged: chosen anew
        return None
    models = {member.name: member.record["files"].get(MODEL) for member in members}
    return record if list(record.models.items()) == list(models.items()) else None


def make_record(choice: Choice, members: list[Member], views: str) -> EnsembleRecord:
    """Makes of members and what was chosen for them an ensemble, as `ensemble.json` has it.

    Args:
        choice: `Choice`.
        members: List of `fer_ensemble.members.collection.Member`.
        views: The views of each face that it was chosen with.
    """
    first = members[0].record
    versions = {}
    for member in members:
        for name, version in member.record.get("versions", {}).items():
            versions.setdefault(name, set()).add(str(version))
    return EnsembleRecord(
        class_names=tuple(first["class_names"]),
        data=first["data"],
        folds=first["folds"],
        models={member.name: member.record["files"][MODEL] for member in members},
        weights=dict(zip((member.name for member in members), choice.weights.tolist(), strict=True)),
        weights_from=choice.weights_from,
        chosen_on=choice.chosen_on,
        calibrations=choice.calibrations,
        unsure_below=choice.unsure_below,
        views=views,
        versions={name: ", ".join(sorted(found)) for name, found in versions.items()},
        version=__version__,
    )
