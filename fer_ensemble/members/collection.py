"""The members of one ensemble: finding them, and seeing that they belong together."""

import dataclasses
import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import predict_parts, read_predictions, write_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.members.views import VIEWS


@dataclasses.dataclass(frozen=True)
class Member:
    """A complete member: its run (`cnn_0`), its fold or None, its folder, and what `member.json` says of it."""

    run: str
    fold: int | None
    folder: pathlib.Path
    record: dict

    @property
    def name(self):
        """Its place under the ensemble's folder: `exp_2/cnn_0`."""
        return directory.member_name(self.fold, self.run)


def collect_members(experiments, runs, folds):
    """Collects the complete members of the runs.

    Args:
        experiments: Folder of the ensemble.
        runs: Names of the runs that belong to it.
        folds: List of the folds of each run; `[None]` for members that were trained on all of Training.

    Returns:
        The complete members, a list of `Member` by run and fold; and the names (`exp_2/cnn_0`) of those that
        are missing or unfinished.

    Raises:
        FileNotFoundError: If there is no such folder.
        UserError: If a member is damaged or does not belong to the others.
    """
    if not pathlib.Path(experiments).is_dir():
        raise FileNotFoundError(f"There is no folder {experiments}. `bash splitscript.sh` trains an ensemble.")
    members, missing = [], []
    for run in sorted(runs):
        for fold in folds:
            folder = directory.member_folder(experiments, fold, run)
            if directory.is_complete(folder):
                members.append(Member(run, fold, folder, directory.read_record(folder)))
                _check_place(members[-1])
            else:
                missing.append(directory.member_name(fold, run))
    for member in members[1:]:
        _check_together(members[0], member)
    return members, missing


def member_predictions(member, dataset=None, predictor=None):
    """Returns a member's predictions, computing them only where they are not there yet.

    Args:
        member: `Member`.
        dataset: `Dataset` to predict; None for the data that it was trained on.
        predictor: The `fer_ensemble.members.predictor.Predictor` that all members share, if there is anything to
            compute; None for one of the member's own.

    Returns:
        Dictionary from `oof` (for its own data only), `PublicTest` and `PrivateTest` to `Predictions`.

    Raises:
        UserError: If one of the member's files is damaged.
    """
    predictor = predictor or Predictor()
    own = {}
    if dataset is None or dataset.fingerprint == member.record["data"]["fingerprint"]:
        directory.check_file(member.folder, member.record, directory.PREDICTIONS)
        own = read_predictions(member.folder / directory.PREDICTIONS)[0]
        if dataset is None or predictor.views == "none":
            return own
    how = [value for value in (predictor.views, predictor.precision) if value not in ("none", "float32")]
    path = member.folder / f"{'-'.join(['predictions', dataset.fingerprint[:12], *how])}.h5"
    if path.is_file():
        parts, fingerprint = read_predictions(path)
        if fingerprint == dataset.fingerprint:
            return parts
    print(f"{member.name}: predicting", flush=True)
    positions = {SPLITS[usage]: dataset.split(usage) for usage in (PUBLIC_TEST, PRIVATE_TEST)}
    if own:
        positions["oof"] = np.flatnonzero(np.isin(dataset.rows, own["oof"].rows))
    parts = predict_parts(predictor.load(member), dataset, positions, VIEWS[predictor.views])
    write_predictions(path, parts, dataset.fingerprint)
    return parts


def _check_place(member):
    settings = member.record["settings"]
    if (f"{settings['model']}_{settings['replica']}", settings["fold"]) != (member.run, member.fold):
        raise UserError(
            f"{member.folder} must hold fold {directory.fold_name(member.fold)} of {member.run}, but its record "
            f"is that of fold {directory.fold_name(settings['fold'])} of "
            f"{settings['model']}_{settings['replica']}. Was the folder moved?"
        )


def _check_together(first, other):
    for what, value in (
        ("classes", lambda record: record["class_names"]),
        ("data", lambda record: record["data"]["fingerprint"]),
        ("folds", lambda record: record["folds"]["fingerprint"]),
    ):
        if value(first.record) != value(other.record):
            raise UserError(
                f"The members of an ensemble must share their {what}: those of {other.folder} are not those of "
                f"{first.folder}. Keep the members of each data set, and of each split of it, in an --experiments "
                "folder of their own."
            )
