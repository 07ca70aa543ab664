"""Which members a command means: those that are named, or those that are there; none missing without a word."""

import dataclasses
import shlex

from fer_ensemble.base.errors import UserError
from fer_ensemble.members import directory
from fer_ensemble.members.collection import Member, collect_members
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings


def gather_members(
    folder: str, runs: str = "", folds: str = "auto", allow_missing: bool = False
) -> tuple[list[Member], list[str]]:
    """Collects the members of an ensemble.

    Args:
        folder: Folder of the ensemble.
        runs: Comma-separated names of runs; empty: those of the standard ensemble, and whatever others are there.
        folds: `all`, `none`, or `auto` for those that are there, as for `--folds`.
        allow_missing: Whether to go on without members that are missing or unfinished.

    Returns:
        List of `Member` by run and fold, and the names of the missing ones.

    Raises:
        FileNotFoundError: If there is no such folder.
        UserError: If members are missing, damaged, or do not belong together.
    """
    named = _parse_runs(runs)
    found = directory.find_folders(folder)
    unknown = [run for run in named if run not in {run for run, _ in found}]
    if found and unknown:
        raise UserError(
            f"`runs` must name runs that {folder} holds: {', '.join(sorted({run for run, _ in found}))}. "
            f"Received: {', '.join(unknown)}."
        )
    chosen = _choose_folds(folder, folds, {fold for run, fold in found if not named or run in named})
    if not named:
        # The standard runs are those of an ensemble over the folds.
        named = {*(() if chosen == [None] else RUNS), *(run for run, fold in found if fold in chosen)}
    members, missing = collect_members(folder, named, chosen, whole=True)
    if not members:
        raise UserError(
            f"{folder} must hold finished members, exp_<fold>/<run>/{directory.RECORD}. Received: none. "
            "`bash splitscript.sh` trains an ensemble."
        )
    if missing and not allow_missing:
        raise UserError(
            f"{len(missing)} of {len(members) + len(missing)} members are missing or unfinished: "
            f"{', '.join(missing)}. Train each, as {missing[0]} with: "
            f"{training_command(missing[0], members, folder)}, "
            "or go on without them with --allow_missing."
        )
    return members, missing


def training_command(name: str, members: list[Member], folder: str) -> str:
    """Returns the command that trains a missing member as its relatives were trained.

    Its settings are those of a finished member of the same architecture; where there is none, what all members
    share, as far as it is not the default.
    """
    fold, run = name.removeprefix("exp_").split("/")
    model, replica = run.rsplit("_", 1)
    fixed = {"model": model, "replica": replica, "fold": fold, "experiments": folder, "data": "DATA"}
    relatives = [member for member in members if member.record["settings"]["model"] == model] or members
    given = {
        setting: value
        for setting, value in relatives[0].record["settings"].items()
        if all(member.record["settings"].get(setting) == value for member in relatives)
    }
    defaults = dataclasses.asdict(TrainingSettings())
    others = {
        setting: value
        for setting, value in given.items()
        if setting in defaults and value != defaults[setting] and setting not in fixed
    }
    return shlex.join(
        ["python", "model_train.py", *(f"--{setting}={value}" for setting, value in (fixed | others).items())]
    )


def _parse_runs(text):
    names = [name.strip() for name in text.split(",") if name.strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    wrong = [name for name in names if not directory.is_run(name)]
    if wrong:
        raise UserError(f"`runs` must be names such as cnn_0. Received: {', '.join(wrong)[:200]}.")
    if twice:
        raise UserError(f"`runs` must name each run once. Received: {', '.join(twice)} twice.")
    return names


def _choose_folds(folder, folds, found):
    """Returns the folds of each run, `[None]` for members of no fold: what was asked for, or what is there."""
    if folds == "auto" and None in found and len(found) > 1:
        raise UserError(
            f"{folder} holds members of folds, exp_0/ and so on, and members of none, exp_none/, which "
            "cannot vote together. Choose with --folds=all or --folds=none."
        )
    of_none = folds == "none" or (folds == "auto" and found == {None})
    return [None] if of_none else list(range(FOLDS))
