"""The members of one ensemble: finding them, and seeing that they belong together."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterable

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, Dataset
from fer_ensemble.data.fold_names import Fold
from fer_ensemble.members import directory
from fer_ensemble.members.held_out import find_held_out
from fer_ensemble.members.kept_predictions import PredictionKey, keep, read_kept
from fer_ensemble.members.predictions import PARTS, Predictions, check_predictions, predict_parts, read_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.members.views import VIEWS


@dataclasses.dataclass(frozen=True)
class Member:
    """A complete member: its run (`cnn_0`), its fold or None, its folder, and what `member.json` says of it."""

    run: str
    fold: Fold
    folder: pathlib.Path
    record: dict

    @property
    def name(self) -> str:
        """Its path under the ensemble's folder: `exp_2/cnn_0`."""
        return directory.member_name(self.fold, self.run)


def collect_members(
    experiments: str | os.PathLike, runs: Iterable[str], folds: Iterable[Fold], whole: bool = False
) -> tuple[list[Member], list[str]]:
    """Collects the complete members of the runs.

    Args:
        experiments: Folder of the ensemble.
        runs: Names of the runs that belong to it.
        folds: List of the folds of each run; `[None]` for members that were trained on all of Training.
        whole: Whether their records must have all that the report tells.

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
                members.append(Member(run, fold, folder, directory.read_record(folder, whole)))
                _check_name(members[-1])
            else:
                missing.append(directory.member_name(fold, run))
    for member in members[1:]:
        _check_together(members[0], member)
    return members, missing


def member_predictions(
    member: Member, dataset: Dataset | None = None, predictor: Predictor | None = None
) -> dict[str, Predictions]:
    """Returns a member's predictions, computing them only where they are not there yet.

    What is computed is kept beside the member, if its folder can be written.

    Args:
        member: `Member`.
        dataset: `Dataset` to predict; None for the data that it was trained on.
        predictor: The `fer_ensemble.members.predictor.Predictor` that all members share, if there is anything to
            compute; None for one of the member's own, with its own views.

    Returns:
        Dictionary from `oof` (for its own data only), `PublicTest` and `PrivateTest` to `Predictions`. What its
        training left is predicted anew, where it is damaged or lost and the data are given.

    Raises:
        UserError: If one of the member's files is damaged.
    """
    predictor = predictor or Predictor(own_views(member))
    own_data = dataset is None or dataset.fingerprint == member.record["data"]["fingerprint"]
    own = {}
    if own_data:
        try:
            own = own_predictions(member)
        except UserError as error:
            if dataset is None:
                raise UserError(
                    f"{error} Or give the data of its training, --data=...: then it predicts them anew."
                ) from error
            print(f"{member.name}: {error} Its network predicts them anew.", file=sys.stderr)
        if own and (dataset is None or predictor.views == own_views(member)):
            return own
    key = PredictionKey(
        member.record["files"].get(directory.MODEL, ""), dataset.fingerprint, predictor.views, predictor.precision
    )
    kept = read_kept(member.folder, key)
    if kept is not None:
        return kept
    print(f"{member.name}: predicting", flush=True)
    positions = {SPLITS[usage]: dataset.split(usage) for usage in (PUBLIC_TEST, PRIVATE_TEST)}
    if own:
        positions["oof"] = np.flatnonzero(np.isin(dataset.rows, own["oof"].rows))
    elif own_data:
        positions["oof"] = _find_held_out(member, dataset)
    parts = predict_parts(predictor.load(member), dataset, positions, VIEWS[predictor.views])
    for name, part in parts.items():
        try:
            check_predictions(name, part)
        except ValueError as error:
            raise UserError(f"{member.folder / directory.MODEL} must give probabilities, but {error}.") from error
    keep(member.folder, key, parts)
    return parts


def _find_held_out(member, dataset):
    try:
        return find_held_out(member.record, dataset)
    except UserError as error:
        raise UserError(f"{member.folder}: {error}") from error


def own_predictions(member: Member) -> dict[str, Predictions]:
    """Returns the predictions that a member's training left: a dictionary of all `PARTS` to `Predictions`.

    Raises:
        UserError: If they are not what the training wrote, or not of this member's data and classes.
    """
    path = member.folder / directory.PREDICTIONS
    directory.check_file(member.folder, member.record, directory.PREDICTIONS)
    parts, fingerprint = read_predictions(path)
    classes = len(member.record["class_names"])
    missing = [name for name in PARTS if name not in parts]
    if missing or fingerprint != member.record["data"]["fingerprint"]:
        reason = f"has no {missing[0]}" if missing else "is of other data"
        raise UserError(f"{path} {reason}. Train the member again with --overwrite.")
    if any(part.probabilities.shape[1] != classes for part in parts.values()):
        raise UserError(f"{path} must have {classes} classes, as {directory.RECORD} beside it. Train again.")
    return parts


def own_views(member: Member) -> str:
    """Returns the views of each face, a name of `VIEWS`, that the predictions of a member's training average."""
    return directory.recorded_views(member.record)


def shared_views(members: list[Member]) -> str:
    """Returns the views that the members' own predictions are averaged over.

    Raises:
        UserError: If they are not the same for all.
    """
    views, *others = dict.fromkeys(own_views(member) for member in members)
    if others:
        raise UserError(
            f"The members must have been trained with the same --tta to be asked with it. Received: {views} and "
            f"{others[0]}. Say which: --tta={views} --data=..."
        )
    return views


def has_own_predictions(member: Member) -> bool:
    """Whether the predictions that a member's training left are still there: results may be kept without them."""
    return (member.folder / directory.PREDICTIONS).exists()


def has_model(member: Member) -> bool:
    """Whether a member's network is still there."""
    return (member.folder / directory.MODEL).exists()


def _check_name(member):
    settings = member.record["settings"]
    run, fold = directory.run_name(settings.get("model"), settings.get("replica")), settings.get("fold")
    if (run, fold) != (member.run, member.fold):
        raise UserError(
            f"{member.folder} must hold fold {directory.fold_name(member.fold)} of {member.run}, but its record "
            f"is that of fold {directory.fold_name(fold)} of {run}. Was the folder moved?"
        )


def _check_together(first, other):
    for what, value in (
        ("classes", lambda record: record["class_names"]),
        ("data", lambda record: record["data"].get("fingerprint")),
        ("folds", lambda record: record["folds"].get("fingerprint")),
    ):
        if value(first.record) != value(other.record):
            raise UserError(
                f"The members of an ensemble must share their {what}: those of {other.folder} are not those of "
                f"{first.folder}. Keep the members of each data set, and of each split of it, in an --experiments "
                "folder of their own."
            )
