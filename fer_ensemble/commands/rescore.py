"""Scoring an ensemble again from its tables, where its members' predictions are not kept."""

import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.result_folder import write_result_folder
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING
from fer_ensemble.ensemble.parts import OOF, Part
from fer_ensemble.ensemble.prediction_tables import (
    OOF_TABLE,
    SCORES,
    TEST_TABLE,
    find_calibration,
    read_scores,
    read_table,
)
from fer_ensemble.evaluation.part_scores import describe_part
from fer_ensemble.evaluation.predicted_images import check_labels, describe_copies, find_data, votes_of
from fer_ensemble.evaluation.report_numbers import make_report
from fer_ensemble.members.collection import Member
from fer_ensemble.report.score_tables import format_report

USAGES = {OOF: TRAINING, SPLITS[PUBLIC_TEST]: PUBLIC_TEST, SPLITS[PRIVATE_TEST]: PRIVATE_TEST}


def report_tables(
    folder: pathlib.Path, members: list[Member], histories: dict, splits: list[str], data: str, output: str
) -> None:
    """Scores what `oof.csv` and `predictions.csv` hold, prints it, and writes results if they go elsewhere.

    The tables hold the ensemble's averages: members cannot be weighed anew, and their own scores are those that
    their trainings noted.

    Args:
        folder: Folder of the ensemble.
        members: List of `Member`.
        histories: Dict from their names to their histories.
        splits: Names of the splits that are scored.
        data: What `load_dataset` takes, the data of the training, or nothing.
        output: Folder for the results; nothing is written without one, for the tables are not to be replaced by
            what is made of them.

    Raises:
        FileNotFoundError: If a table or `scores.json` is missing.
        UserError: If they are damaged, or `data` are others.
    """
    scores = read_scores(folder)
    class_names, records = scores["class_names"], [member.record for member in members]
    dataset, own_data = find_data(data, {"class_names": class_names, "data": scores["data"]})
    if data and not own_data:
        raise UserError(
            f"{data} must be the data of the training, as {folder} holds no networks to predict others with."
        )
    parts, calibrations = _read_parts(folder, scores, splits)
    if not parts:
        raise UserError(f"`splits` must name images that are in the tables of {folder}. Received: none of them.")
    if own_data:
        for name, part in parts.items():
            check_labels(part, dataset, name)
    told = ("tta", "oof_tta", "weights_from", "weights", "calibration", "unsure_below", "calibrated")
    weights = scores.get("member_weights", {})
    known = dict.fromkeys(parts, dataset) if own_data else {}
    report = make_report(
        class_names,
        {**records[0]["data"], "fingerprint": scores["data"]["fingerprint"]},
        members,
        version=scores.get("version", ""),
        **{name: scores[name] for name in told if name in scores},
        member_weights={member.name: weights.get(member.name, 0.0) for member in members},
        copies=describe_copies(dataset) if own_data else None,
        splits={
            name: describe_part(
                part, [], np.zeros(0), calibrations[name], class_names, votes_of(part, known.get(name))
            )
            | _noted_scores(members, name)
            for name, part in parts.items()
        },
    )
    if output:
        by_part = scores.get("calibration") and {"oof": calibrations.get(OOF), "test": _first(calibrations)}
        write_result_folder(pathlib.Path(output), report, parts, known, by_part, False, records, histories)
    print(format_report(report))
    print(
        f"From {OOF_TABLE} and {TEST_TABLE}: {folder} holds no predictions of single members. They are not "
        "weighed anew, and their own scores are those that their trainings noted."
    )
    print(f"written to {output}" if output else "nothing is written: --output names a folder for the results")


def _noted_scores(members, name):
    """What `describe_part` says of single members, as far as their trainings noted it."""
    noted = {member.name: member.record["metrics"].get(name) for member in members}
    accuracies = [accuracy for accuracy in noted.values() if accuracy is not None]
    if not accuracies:
        return {}
    return {
        "scores": {name: {"accuracy": accuracy} for name, accuracy in noted.items() if accuracy is not None},
        "members": {"mean": float(np.mean(accuracies)), "sd": float(np.std(accuracies))},
        "best_member": max(accuracies),
    }


def _read_parts(folder, scores, splits):
    """Returns a dict from the splits to `Part`, and one to the `Calibration` that each still needs, or None."""
    class_names = scores["class_names"]
    parts, calibrations = {}, {}
    for path in dict.fromkeys(folder / (OOF_TABLE if name == OOF else TEST_TABLE) for name in splits):
        if not path.is_file():
            raise FileNotFoundError(
                f"There is neither {path} nor any member's predictions beside {SCORES}. Train the members again "
                "with --overwrite, or fetch the files that belong to it."
            )
        table = read_table(path, class_names)
        for name in splits:
            chosen = table.usage == USAGES[name]
            if (path.name == OOF_TABLE) != (name == OOF) or not chosen.any():
                continue
            images = int(chosen.sum())
            parts[name] = Part(
                rows=table.rows[chosen],
                labels=table.labels[chosen],
                copies=np.zeros(images, bool),
                members={},
                runs=np.empty((0, images, len(class_names))),
                ensemble=table.probabilities[chosen],
            )
            calibrations[name] = find_calibration(scores, name, table.select(chosen))
    return parts, calibrations


def _first(calibrations):
    return next((one for name, one in calibrations.items() if name != OOF), None)
