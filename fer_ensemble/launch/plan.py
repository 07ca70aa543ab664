"""Which members an ensemble needs, which of them are there, and the command that trains each of the others.

Nothing here knows how the commands are run: on this machine (`local`) or elsewhere.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import sys
from collections.abc import Sequence

from fer_ensemble.base.errors import HeldError, UserError
from fer_ensemble.data.dataset import Dataset
from fer_ensemble.data.fold_names import Fold, parse_fold
from fer_ensemble.members import directory, lock, replacement
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings, check_start, list_differences
from fer_ensemble.training.targets import NO_VOTES
from fer_ensemble.training.training_options import TrainingOptions
from fer_ensemble.training.variations import vary_settings

_ABOVE = pathlib.Path(__file__).resolve().parents[2]
CHECKOUT = _ABOVE if (_ABOVE / "splitscript.sh").is_file() else None  # None: the package is installed
MODULE = "fer_ensemble"


@dataclasses.dataclass(frozen=True)
class PlannedMember:
    """A member that the ensemble needs.

    Attributes:
        settings: Its `TrainingSettings`.
        folder: Its folder.
        seconds: What its training took, or None while it is not complete.
    """

    settings: TrainingSettings
    folder: pathlib.Path
    seconds: float | None

    @property
    def name(self) -> str:
        """Name for people, the end of the folder's path: `exp_2/cnn_0`."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to train."""
        return self.seconds is not None


def parse_runs(text: str) -> list[tuple[str, int]]:
    """Reads a list of runs: `cnn_0,resnet_1` gives `[("cnn", 0), ("resnet", 1)]`.

    Raises:
        UserError: If a name is no run, or comes twice.
    """
    names = _split("runs", text)
    models = TrainingSettings.__dataclass_fields__["model"].metadata["choices"]
    matches = [re.fullmatch(rf"({'|'.join(models)})_(0|[1-9]\d*)", name) for name in names]
    if not all(matches):
        wrong = names[matches.index(None)]
        raise UserError(
            f"`runs` must be names such as {', '.join(f'{model}_0' for model in models)}: "
            f"an architecture and the number of the run. Received: {wrong!r}."
        )
    return [(match[1], int(match[2])) for match in matches]


def parse_folds(text: str) -> list[Fold]:
    """Reads what the members of each run are to hold out.

    Args:
        text: Folds with commas between them; `none`; `0+1` for members that hold out both of these; or `pairs`
            for those of every two folds.

    Raises:
        UserError: If something is no fold, or comes twice.

    Example:

    >>> parse_folds("0,3"), parse_folds("0+1,0+2"), parse_folds("none")
    ([0, 3], [(0, 1), (0, 2)], [None])
    """
    if text == "pairs":
        return list(itertools.combinations(range(FOLDS), 2))
    folds = [parse_fold(name) for name in _split("folds", text)]
    if len({type(fold) for fold in folds}) > 1:
        raise UserError(f"`folds` must be all single ones, all pairs such as 0+1, or none. Received: {text!r}.")
    return folds


def _split(flag, text):
    values = [value.strip() for value in text.split(",")]
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise UserError(f"`{flag}` must name each one once. Received: {text!r}.")
    return values


def plan_members(
    runs: list[tuple[str, int]],
    folds: list[Fold],
    settings: TrainingSettings,
    options: TrainingOptions,
    variations: Sequence[str] = (),
) -> list[PlannedMember]:
    """Lists the members that an ensemble needs, and sees which of them are complete.

    They come fold by fold, so that every architecture is met early and the time left is soon known.

    Args:
        runs: List of `(model, replica)`.
        folds: List of fold numbers, or `[None]`.
        settings: `TrainingSettings` that all of them share; its model, replica and fold count for nothing.
        options: `TrainingOptions`.
        variations: What differs in some of the runs, as `vary_settings` takes it.

    Returns:
        List of `PlannedMember`.

    Raises:
        UserError: If a fold or a setting is out of its range, or a complete member was trained with other
            settings.
    """
    if pathlib.Path(options.experiments).exists() and not pathlib.Path(options.experiments).is_dir():
        raise UserError(f"`experiments` must be a folder. Received: {options.experiments}, which is none.")
    _check_variations(variations, runs)
    members = []
    for fold in folds:
        for model, replica in runs:
            own = vary_settings(dataclasses.replace(settings, model=model, replica=replica, fold=fold), variations)
            folder = directory.member_folder(options.experiments, fold, own.run)
            check_start(own, folder)
            seconds = None
            if is_current(folder) and not options.overwrite:
                record = directory.read_record(folder)
                _check_settings(folder, own, record["settings"])
                if directory.is_answered(folder, record, own.tta):  # else it is to be asked again
                    seconds = record["training_seconds"]
            members.append(PlannedMember(own, folder, seconds))
    return members


def _check_variations(variations, runs):
    # A set of flags for the whole ensemble also serves to train a part of it.
    names = {name for model, replica in runs for name in (model, directory.run_name(model, replica))}
    names |= {name for run in RUNS for name in (run, run.rpartition("_")[0])}
    for text in variations:
        run = text.partition(" ")[0]
        if run and run not in names:
            raise UserError(
                f"`vary` must name a run, or an architecture, that there is: {', '.join(sorted(names))}. "
                f"Received: {text!r}. Correct it, or name its run in --runs."
            )


def _check_settings(folder, settings, recorded):
    # Skipped as complete, it would otherwise join the ensemble unnoticed.
    differences = list_differences(settings, recorded)
    if differences:
        raise UserError(
            f"{folder} was trained with other settings ({'; '.join(differences)}). "
            "Give the same ones, another --experiments folder, or --overwrite to train all members afresh."
        )


def check_data(members: list[PlannedMember], dataset: Dataset) -> None:
    """Raises UserError if a complete member was trained on another data set, or on other classes of it, or if an
    unfinished one is to learn from votes that the data set has not.

    Args:
        members: List of `PlannedMember`.
        dataset: The `Dataset` that the others are to be trained on.
    """
    for member in members:
        if member.settings.labels == "ferplus" and dataset.votes is None:
            raise UserError(NO_VOTES)
        if member.complete:
            data = directory.read_record(member.folder)["data"]
            if data["fingerprint"] != dataset.fingerprint:
                raise UserError(
                    f"{member.folder} was trained on other data ({data['name']}, {data['images']:,} images). "
                    "Give the same --data and --classes, another --experiments folder, or --overwrite."
                )


def discard_members(members: list[PlannedMember]) -> None:
    """Has members trained afresh; complete ones stay until they are replaced.

    With --overwrite this comes before the first training: after an interruption the same command without
    --overwrite then goes on, and takes none of the old members for a new one. What another process trains at this
    moment stays its own.
    """
    for member in members:
        with contextlib.suppress(HeldError), lock.held(member.folder):
            replacement.begin_afresh(member.folder)


def is_current(folder: pathlib.Path) -> bool:
    """Whether a member is complete, and no training is to replace it."""
    return directory.is_complete(folder) and not replacement.is_replaced(folder)


def training_command(settings: TrainingSettings, options: TrainingOptions) -> list[str]:
    """Returns the command that trains one member, as a list: only what differs from the defaults is spelt out."""
    names = {"model", "fold", "replica"}
    flags = [
        f"--model={settings.model}", f"--fold={directory.fold_name(settings.fold)}",
        f"--replica={settings.replica}",
    ]  # fmt: skip
    for values in (settings, options):
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            if field.name not in names and value != field.default:
                flags.append(f"--{field.name}={value}")
    return [sys.executable, "-m", MODULE, "train", *flags]


def module_path() -> str | None:
    """Returns what PYTHONPATH must be for these commands; None where the package is installed."""
    before = os.environ.get("PYTHONPATH")
    return None if CHECKOUT is None else os.pathsep.join([str(CHECKOUT), *([before] if before else [])])


def module_environment() -> dict[str, str]:
    """Returns our environment, as these commands need it."""
    path = module_path()
    return dict(os.environ) if path is None else {**os.environ, "PYTHONPATH": path}


def ensemble_folds(folds: list[Fold]) -> list[int | None]:
    """Returns the folds of each run that a prediction takes: all, whichever are trained; `[None]`; or, of members
    that hold out several folds and are teachers only, nothing."""
    if any(isinstance(fold, tuple) for fold in folds):
        return []
    return [None] if None in folds else list(range(FOLDS))


def prediction_command(runs: list[tuple[str, int]], folds: list[Fold], options: TrainingOptions) -> list[str]:
    """Returns the command that combines the members of some runs, a list of `(model, replica)`, as a list."""
    flags = [f"--ensemble={options.experiments}", f"--data={options.data}"]  # the data for their faces
    names = [directory.run_name(model, replica) for model, replica in runs]
    if names != list(RUNS):  # which predict takes by itself
        flags += [f"--runs={','.join(names)}", "--save"]
    flags.append("--folds=none" if None in folds else "--folds=all")  # there may be members of both
    return [sys.executable, "-m", MODULE, "predict", *flags]
