"""The study that several processes share: an Optuna study in one file, and who works on which of its trials.

A trial belongs to the process that holds its folder's lock. One that runs, as the journal has it, but that nobody
holds, was left by a process that was stopped or killed: the next process takes it up, with the same values.
"""

import contextlib
import dataclasses
import os

import filelock
import numpy as np

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.members.directory import find_folders, held, is_held
from fer_ensemble.training.settings import TrainingSettings

JOURNAL = "journal.log"
LOCK = "lock"
FLAGS = "flags"  # the study's attribute: what it was begun with
# A high learning rate looks worse early on and better at the end: no trial is judged before.
UNJUDGED_PERCENT, UNJUDGED_TRIALS = 25, 5


def import_optuna():
    """Imports Optuna, which only sweeps take.

    Raises:
        MissingPackageError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingPackageError(
            f"A sweep takes the package optuna ({error}): python -m pip install --requirement requirements.txt"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def open_study(folder, flags, maximize, prune):
    """Opens the study in a folder, or begins it.

    Args:
        folder: `pathlib.Path`.
        flags: What makes its trials comparable: a dictionary of JSON values.
        maximize: Whether more of the objective is better.
        prune: Whether bad trials are stopped early.

    Returns:
        `optuna.Study`.

    Raises:
        UserError: If it was begun with other flags, or is damaged.
    """
    optuna = import_optuna()
    folder.mkdir(parents=True, exist_ok=True)
    pruner = (
        optuna.pruners.MedianPruner(UNJUDGED_TRIALS, UNJUDGED_PERCENT) if prune else optuna.pruners.NopPruner()
    )
    path = folder / JOURNAL
    with locked(folder):
        try:
            backend = optuna.storages.journal.JournalFileBackend(str(path), _JournalLock(path))
            study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                study_name="sweep",
                direction="maximize" if maximize else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
            begun_with = study.user_attrs.get(FLAGS)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} must be the journal of a study, but cannot be read ({type(error).__name__}: {error}). "
                "Give another --study folder."
            ) from error
        if begun_with is None:
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


def locked(folder):
    """Holds a study while its trials are given out or its results are written: a context, for moments only."""
    return filelock.FileLock(folder / LOCK)


def trial_folder(folder, number):
    """Returns the folder of a trial's members: `<study>/trial_<number>`."""
    return folder / f"trial_{number}"


def is_taken(folder, number):
    """Whether a process works on a trial, or one of its members' processes has outlived it."""
    place = trial_folder(folder, number)
    return is_held(place) or any(map(is_held, find_folders(place).values()))


@contextlib.contextmanager
def claimed_trial(study, folder, trials, ranges):
    """Gives this process a trial to work on: one that was left, or else a new one.

    Args:
        study: `optuna.Study`.
        folder: Its folder.
        trials: How many trials the study is to have in all.
        ranges: List of `fer_ensemble.sweep.search_ranges.Range`.

    Yields:
        `optuna.trial.Trial`, which no other process is given within the block, with a value of each range; None
        if there are as many trials as there are to be, and each has ended or is being worked on.
    """
    import optuna

    with contextlib.ExitStack() as claim:
        with locked(folder):
            known = study.get_trials(deepcopy=False)
            running = [trial for trial in known if not trial.state.is_finished()]
            left = next((trial for trial in running if not is_taken(folder, trial.number)), None)
            # Seeded by the trial: processes of one seed would all draw the same values.
            seed = np.random.SeedSequence(left.number if left else len(known)).generate_state(1)
            study.sampler = optuna.samplers.TPESampler(seed=int(seed[0]))
            trial = None
            if left:
                trial = optuna.trial.Trial(study, left._trial_id)
            elif len(known) < trials:
                trial = study.ask()
            if trial:
                claim.enter_context(held(trial_folder(folder, trial.number)))
                for one in ranges:  # of a trial that was left in between: those that it has not yet
                    one.suggest(trial)
        yield trial


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
