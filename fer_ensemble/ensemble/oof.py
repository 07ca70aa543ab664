"""What an ensemble says of the training images that its members did not see: a teacher's targets."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import TRAINING
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.ensemble.ensemble_file import EnsembleRecord
from fer_ensemble.ensemble.parts import OOF, combine_part, join_parts
from fer_ensemble.ensemble.prediction_tables import OOF_TABLE, find_calibration, read_scores, read_table
from fer_ensemble.members import directory
from fer_ensemble.members.collection import Member, has_own_predictions, own_predictions, own_views


def load_oof(
    folder: str | os.PathLike, rows: np.ndarray, class_names: Sequence[str], fingerprint: str
) -> tuple[np.ndarray, dict]:
    """Reads the calibrated out-of-fold probabilities of an ensemble.

    They come from the saved ensemble and its members' predictions; where these are not kept, as in a folder of
    committed results, from `oof.csv`, whose probabilities have six decimals.

    Args:
        folder: Folder of the ensemble.
        rows: Int array of shape `(images,)`: the rows, in their source, of the images that are asked for.
        class_names: Names of the classes, in the order of the result.
        fingerprint: Fingerprint of the data set.

    Returns:
        `(probabilities, facts)`: float64, shape `(images, classes)`, each row summing to 1; and what a record may
        say of the ensemble, JSON values.

    Raises:
        FileNotFoundError: If the folder is not that of a scored ensemble.
        UserError: If it is one of other data or classes, is damaged, or does not know one of the images.
    """
    folder = pathlib.Path(folder)
    rows = np.asarray(rows, np.int64)
    found = _from_members(folder, class_names, fingerprint) or _from_table(folder, class_names, fingerprint)
    known, probabilities, facts = found
    position_of = {row: position for position, row in enumerate(known.tolist())}
    missing = [row for row in rows.tolist() if row not in position_of]
    if missing:
        others = f" and {len(missing) - 1:,} others" if len(missing) > 1 else ""
        raise UserError(
            f"The ensemble {folder} must have predicted all images out of fold, but has not row {missing[0]}"
            f"{others}. Give one whose folds are complete."
        )
    return probabilities[[position_of[row] for row in rows.tolist()]], facts


def _from_members(folder, class_names, fingerprint):
    """Returns rows, calibrated probabilities and facts; None where there is no saved ensemble with predictions."""
    if not (folder / ensemble_file.NAME).is_file():
        return None
    record = ensemble_file.read_record(folder)
    members = [_member(folder, record, name) for name in record.models]
    # With other views than those that training left predictions of, there is the table only.
    if not all(own_views(member) == record.views and has_own_predictions(member) for member in members):
        return None
    _check(folder, record.data.get("fingerprint"), record.class_names, fingerprint, class_names)
    if record.calibrations is None:
        raise UserError(f"The ensemble {folder} must have held images out to teach with, but has not.")
    oof = join_parts(OOF, members, [own_predictions(member)[OOF] for member in members])
    combined = combine_part(oof, np.array(list(record.weights.values())))
    known = ~np.isnan(combined.ensemble[:, 0])
    calibration = record.calibrations.held_out
    facts = {"ensemble_sha256": hash_file(folder / ensemble_file.NAME), "calibration": dict(vars(calibration))}
    return combined.rows[known], calibration.apply(combined.ensemble[known]), facts


def _member(folder, record: EnsembleRecord, name):
    path = folder / name
    member = Member(path.name, None, path, directory.read_record(path))
    if member.record["files"].get(directory.MODEL) != record.models[name]:
        raise UserError(
            f"{path} is not the member that {ensemble_file.NAME} names (SHA-256). Choose weights anew: "
            f"python predict.py --ensemble {folder}"
        )
    return Member(path.name, member.record["settings"].get("fold"), path, member.record)


def _from_table(folder, class_names, fingerprint):
    path = folder / OOF_TABLE
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}. Score the ensemble first: python predict.py --ensemble {folder}"
        )
    scores = read_scores(folder)
    trained_on = scores.get("trained_on", scores["data"])
    _check(folder, trained_on.get("fingerprint"), scores["class_names"], fingerprint, class_names)
    table = read_table(path, class_names)
    if (table.usage != TRAINING).any():
        raise UserError(f"{path} must hold images of Training alone. Score the ensemble again with predict.py.")
    calibration = find_calibration(scores, OOF, table)
    facts = {"oof_sha256": hash_file(path), "calibration": dict(vars(calibration)) if calibration else None}
    return table.rows, calibration.apply(table.probabilities) if calibration else table.probabilities, facts


def _check(folder, own_fingerprint, own_classes, fingerprint, class_names):
    for what, own, wanted in (
        ("data", own_fingerprint, fingerprint),
        ("classes", list(own_classes), list(class_names)),
    ):
        if own != wanted:
            raise UserError(f"The ensemble {folder} must be one of the same {what}, but is of others.")
