"""All keys of a report's numbers, which `scores.json` holds, in one place."""

from collections.abc import Sequence

from fer_ensemble import __version__
from fer_ensemble.evaluation.provenance import differing_settings
from fer_ensemble.members.collection import Member
from fer_ensemble.members.directory import MODEL


def make_report(class_names: Sequence[str], data: dict, members: Sequence[Member], **found: object) -> dict:
    """Makes the dictionary of a report's numbers.

    Args:
        class_names: Names of the classes.
        data: What is said of the images' data set: `name`, `images`, `fingerprint`.
        members: The members that are reported; none for a single network, which `networks` describes.
        found: What else was found out, by its key. What is not given is empty.

    Returns:
        Dict as in `scores.json`.

    Raises:
        TypeError: If a key is none of a report's.
    """
    records = [member.record for member in members]
    report = {
        "version": __version__,
        "class_names": list(class_names),
        "data": data,
        "trained_on": records[0]["data"] if records else {},
        "folds": records[0]["folds"] if records else None,
        "tta": "none",
        "oof_tta": "none",
        "missing": [],
        "runs": [],
        "members": [member.name for member in members],
        "differing_settings": differing_settings(records),
        "training_seconds": {member.name: member.record["training_seconds"] for member in members},
        "model_hashes": {member.name: member.record["files"].get(MODEL) for member in members},
        "weights_from": "unknown",
        "weights": {},
        "member_weights": {member.name: 0.0 for member in members},
        "weightings": {},
        "calibration": None,
        "unsure_below": None,
        "copies": None,
        "splits": {},
        "calibrated": False,
        "networks": {},
    }
    unknown = set(found) - set(report)
    if unknown:
        raise TypeError(f"a report has no {', '.join(sorted(unknown))}")
    return report | found
