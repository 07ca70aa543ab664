"""The study that several processes share: an Optuna study in one file, and who works on which of its trials.

A trial belongs to the process that holds its folder's lock. One that runs, as the journal has it, but that nobody
holds, was left by a process that was stopped or killed: the next process takes it up, with the same values.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import filelock
import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend

from fer_ensemble.base.errors import UserError
from fer_ensemble.members.directory import find_folders
from fer_ensemble.members.lock import held, is_held
from fer_ensemble.sweep.search_ranges import Range
from fer_ensemble.training.settings import TrainingSettings

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what becomes of a trial, we say

JOURNAL = "journal.log"
LOCK = "lock"
FLAGS = "flags"  # the study's attribute: what it was begun with
# A high learning rate looks worse early on and better at the end: no trial is judged before.
UNJUDGED_PERCENT, UNJUDGED_TRIALS = 25, 5


class NoTrialLeft(Exception):
    """There are as many trials as there are to be, and each has ended or is being worked on."""


class SharedStudy(optuna.Study):
    """An Optuna study whose `ask`, and so its `optimize`, gives this process a trial that no other works on.

    Args:
        folder: Where it lives. Its journal is there, with a study in it.
        limit: How many trials it is to have in all.
        ranges: What each trial tries.
        storage, pruner: As for `optuna.Study`.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        limit: int,
        ranges: Sequence[Range],
        storage: optuna.storages.BaseStorage,
        pruner: optuna.pruners.BasePruner,
    ):
        super().__init__("sweep", storage, pruner=pruner)
        self.folder, self.limit, self.names = folder, limit, [one.name for one in ranges]
        self._distributions = {one.name: one.distribution() for one in ranges}
        self._claim = contextlib.ExitStack()

    def ask(self, fixed_distributions: dict | None = None) -> optuna.Trial:
        """Returns a trial that was left, or else a new one, with a value of each range. It lets go of the last.

        Raises:
            NoTrialLeft: If there is nothing to do for this process.
        """
        self.let_go()
        with locked(self.folder):
            known = self.get_trials(deepcopy=False)
            open_trials = [one for one in known if not one.state.is_finished()]
            left = next((one for one in open_trials if not is_taken(self.folder, one.number)), None)
            if left is None and len(known) >= self.limit:
                raise NoTrialLeft
            if left and left.state != optuna.trial.TrialState.WAITING:
                self._storage.set_trial_state_values(left._trial_id, optuna.trial.TrialState.WAITING)
            # Seeded by the trial: processes of one seed would all draw the same values.
            seed = np.random.SeedSequence(left.number if left else len(known)).generate_state(1)
            self.sampler = optuna.samplers.TPESampler(seed=int(seed[0]))
            trial = super().ask(fixed_distributions or self._distributions)
            self._claim.enter_context(held(trial_folder(self.folder, trial.number)))
        return trial

    def optimize(self, *arguments: Any, **options: Any) -> None:
        """As Optuna's; but where the journal cannot take a trial's end, it raises that `OSError`.

        Optuna 5.0 then stumbles over a trial that has not ended.
        """
        try:
            super().optimize(*arguments, **options)
        except (AssertionError, UnboundLocalError) as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    def let_go(self) -> None:
        """Lets other processes take up this process's trial, if it has not ended."""
        self._claim.close()


def open_study(
    folder: pathlib.Path, flags: dict, maximize: bool, prune: bool, limit: int, ranges: Sequence[Range]
) -> SharedStudy:
    """Opens the study in a folder, or begins it.

    Args:
        folder: Path of the folder.
        flags: What makes its trials comparable: a dictionary of JSON values.
        maximize: Whether more of the objective is better.
        prune: Whether bad trials are stopped early.
        limit, ranges: As for `SharedStudy`.

    Raises:
        UserError: If it was begun with other flags, or is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pruner = (
        optuna.pruners.MedianPruner(UNJUDGED_TRIALS, UNJUDGED_PERCENT) if prune else optuna.pruners.NopPruner()
    )
    path = folder / JOURNAL
    with locked(folder):
        try:
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path), _JournalLock(path)))
            direction = "maximize" if maximize else "minimize"
            optuna.create_study(storage=storage, study_name="sweep", direction=direction, load_if_exists=True)
            study = SharedStudy(folder, limit, ranges, storage, pruner)
            begun_with = dict(study.user_attrs.get(FLAGS, {}))
            study.get_trials(deepcopy=False)
        except (OSError, MemoryError):
            raise
        except (
            Exception
        ) as error:  # Optuna takes what it reads at its word: lines of a wrong shape end in any error
            raise UserError(
                f"{path} must be the journal of a study, but cannot be read ({type(error).__name__}: {error}). "
                "Give another --study folder."
            ) from error
        if not begun_with:
            study.set_user_attr(FLAGS, flags)
            return study
    defaults = dataclasses.asdict(TrainingSettings())  # of a setting that is newer than the study
    pairs = [(name, value, begun_with.get(name, defaults.get(name, ""))) for name, value in flags.items()]
    differences = [f"{name}: {_quote(value)}, not {_quote(old)}" for name, value, old in pairs if value != old]
    if differences:
        raise UserError(
            f"{folder} was begun with other flags ({'; '.join(differences)}). Give the same ones, or another "
            "--study folder."
        )
    return study


def _quote(value):
    return value if value != "" else "nothing"


def locked(folder: pathlib.Path) -> filelock.BaseFileLock:
    """Holds a study while its trials are given out or its results are written: a context, for moments only."""
    return filelock.FileLock(folder / LOCK)


def trial_folder(folder: pathlib.Path, number: int) -> pathlib.Path:
    """Returns the folder of a trial's members: `<study>/trial_<number>`."""
    return folder / f"trial_{number}"


def is_taken(folder: pathlib.Path, number: int) -> bool:
    """Whether a process works on a trial, or one of its members' processes has outlived it."""
    own = trial_folder(folder, number)
    return is_held(own) or any(map(is_held, find_folders(own).values()))


class _JournalLock:
    """Optuna's lock of the journal, which would outlive a process that is killed, as the kernel's, which does not.

    With it in hand, half a line of such a process is taken off the end: no other could be written after it.
    """

    def __init__(self, path):
        self._path = path
        self._lock = filelock.FileLock(path.with_name(path.name + ".lock"))

    def acquire(self):
        self._lock.acquire()
        with self._path.open("rb+") as file:
            if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self):
        self._lock.release()
