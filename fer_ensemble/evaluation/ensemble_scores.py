"""All that is found out about an ensemble: the plain numbers of `scores.json`."""

import dataclasses

from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, Dataset
from fer_ensemble.ensemble.choice import Choice
from fer_ensemble.ensemble.held_out_calibration import TEST
from fer_ensemble.ensemble.parts import OOF, sum_by_run
from fer_ensemble.evaluation.part_scores import describe_part
from fer_ensemble.evaluation.predicted_images import describe_copies, votes_of
from fer_ensemble.evaluation.report_numbers import make_report
from fer_ensemble.evaluation.weightings import compare_weightings
from fer_ensemble.members.collection import Member, shared_views


def describe_ensemble(
    members: list[Member],
    missing: list[str],
    parts: dict,
    shown: list[str],
    choice: Choice,
    dataset: Dataset | None,
    data: dict,
    views: str,
) -> dict:
    """Describes an ensemble, and what it does on the images that are to be shown.

    Args:
        members: List of `Member`, in the order of the parts' members.
        missing: Names of those that should be there, but are not.
        parts: Dictionary from `oof`, `PublicTest` and `PrivateTest` to `Part` with the ensemble's predictions.
        shown: Which of them are described.
        choice: What makes the members an ensemble.
        dataset: The `Dataset` that the images are of, None where it is not at hand.
        data: What is said of the images' data set: `name`, `images`, `fingerprint`.
        views: Views of each face, as for `--tta`.

    Returns:
        Dict as in `scores.json`.
    """
    oof, public = parts[OOF], parts.get(SPLITS[PUBLIC_TEST])
    runs = sorted({member.run for member in members})
    class_names = members[0].record["class_names"]
    calibrations = choice.by_part
    own_data = data["fingerprint"] == members[0].record["data"]["fingerprint"]
    known = known_images(shown, dataset, own_data)
    return make_report(
        class_names,
        data,
        members,
        tta=views,
        oof_tta=views if own_data else shared_views(members),
        missing=missing,
        runs=runs,
        weights_from=choice.weights_from,
        weights=sum_by_run(oof, choice.weights),
        member_weights=dict(zip(oof.members, choice.weights.tolist(), strict=True)),
        weightings=compare_weightings(oof, public, choice.weights_from, choice.weights),
        calibration=calibrations and {name: dataclasses.asdict(one) for name, one in calibrations.items()},
        unsure_below=choice.unsure_below,
        copies=None if dataset is None else describe_copies(dataset),
        splits={
            name: describe_part(
                parts[name],
                runs,
                choice.weights,
                calibrations and calibrations[OOF if name == OOF else TEST],
                class_names,
                votes_of(parts[name], known.get(name)),
            )
            for name in shown
        },
    )


def known_images(shown: list[str], dataset: Dataset | None, own_data: bool) -> dict:
    """Returns a dictionary from each part whose images are at hand to the `Dataset` that has them."""
    return {name: dataset for name in shown if dataset is not None and (own_data or name != OOF)}
