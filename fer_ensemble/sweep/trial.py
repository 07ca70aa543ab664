"""One trial: members are trained with the values that it tries, in processes of their own, and scored."""

import dataclasses
import pathlib
import signal
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import optuna

from fer_ensemble.base.errors import EXIT_HELD, EXIT_SIGNAL
from fer_ensemble.base.stop_signals import STOP_SIGNALS
from fer_ensemble.launch.local import Job, Run, run_jobs
from fer_ensemble.launch.plan import PlannedMember, plan_members, training_command
from fer_ensemble.launch.workers import find_gpus, worker_environments
from fer_ensemble.members import directory, notes
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.scoring.metrics import score
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from fer_ensemble.training.variations import vary_settings

_SPARE_BYTES = 1 << 20  # a disk that has not even that is full
ERROR = "error"  # a failed trial's attribute
# Of a member that someone stopped, or that another process trains: it is to go on, not to be told as failed.
GOES_ON = (EXIT_HELD, *(EXIT_SIGNAL + number for number in STOP_SIGNALS), *(-number for number in STOP_SIGNALS))


class TrialFailed(Exception):
    """A trial has come to nothing; says why."""


class TrialInterrupted(BaseException):
    """A trial is to go on later. As a stop signal it is no `Exception`: Optuna leaves the trial as it is.

    Args:
        error: The `OSError` that ends the sweep until it is mended, as of a full disk; None: others go on with it.
    """

    def __init__(self, error: OSError | None = None):
        super().__init__(error)
        self.error = error


def choose_settings(settings: TrainingSettings, variations: Sequence[str], params: dict) -> TrainingSettings:
    """Returns the `TrainingSettings` of a trial.

    Args:
        settings: Those that all trials share.
        variations: What differs in some of the runs, as `vary_settings` takes it.
        params: Dictionary of the values that the trial tries; they go before all else.
    """
    tried = dataclasses.replace(settings, **params)
    return dataclasses.replace(vary_settings(tried, variations), **params)


def plan_trial(
    folder: pathlib.Path, settings: TrainingSettings, folds: Sequence[int | None], options: TrainingOptions
) -> tuple[list[PlannedMember], TrainingOptions]:
    """Lists a trial's members, and the options to train them with.

    Args:
        folder: The trial's folder.
        settings: Its `TrainingSettings`.
        folds: List of the folds that are held out, one for each member.
        options: `TrainingOptions` of the sweep.

    Returns:
        List of `fer_ensemble.launch.plan.PlannedMember`, and `TrainingOptions`.
    """
    options = dataclasses.replace(options, experiments=str(folder))
    return plan_members([(settings.model, settings.replica)], folds, settings, options), options


def train_trial(members: list[PlannedMember], options: TrainingOptions, watchers: Sequence[Callable]) -> None:
    """Trains the members that are not complete.

    Args:
        members, options: What `plan_trial` returned.
        watchers: Each as for `run_jobs`. What one raises ends the trial; the members' states are saved.

    Raises:
        TrialFailed: If one of them came to nothing.
        TrialInterrupted: If somebody else stopped one.
        OSError: If one ended while its folder could not be written: then it is not the trial that has failed.
        fer_ensemble.base.stop_signals.Stopped: After a stop signal.
    """
    jobs = [
        Job(member.name, training_command(member.settings, options), member.folder / "train.log")
        for member in members
        if not member.complete
    ]
    folders = {member.name: member.folder for member in members}

    def watch_all(runs):
        for run in runs:  # with one of the members, the whole trial
            if run.exit_code in GOES_ON:
                raise TrialInterrupted
            if run.exit_code is not None and not directory.is_complete(folders[run.job.name]):
                _check_disk(folders[run.job.name])
                raise TrialFailed(_explain(run, folders[run.job.name]))
        for watch in watchers:
            watch(runs)

    run_jobs(jobs, _choose_workers(len(jobs)), watch_all)


def measure_trial(members: list[PlannedMember], objective: str) -> float:
    """Returns the objective of complete members: on the images of all of them together.

    Args:
        members: List of `PlannedMember`.
        objective: Key of `OBJECTIVES`.

    Raises:
        TrialFailed: If no image has a label.
    """
    name, metric = OBJECTIVES[objective].part, OBJECTIVES[objective].metric
    parts = [read_predictions(member.folder / directory.PREDICTIONS)[0].get(name) for member in members]
    if all(parts):
        labels = np.concatenate([part.labels for part in parts])
        scores = score(np.concatenate([part.probabilities for part in parts]), labels)
        if scores:
            return scores[metric]
    raise TrialFailed(f"{objective}: no image of {name} has a label")


class Pruner:
    """Stops a trial that goes badly, by the learning curve of its first member. It is a `watch` of `run_jobs`.

    Epochs count as shares of the training, in percent: as the learning rate falls to 0 at the end, short and long
    trainings are alike at the same share, not after as many epochs.

    Args:
        trial: `optuna.trial.Trial`.
        member: `PlannedMember`.
        objective: Key of `OBJECTIVES`. One that is not out of fold is judged by the accuracy out of fold.
    """

    def __init__(self, trial: optuna.Trial, member: PlannedMember, objective: str):
        self._trial = trial
        self._folder = member.folder
        self._epochs = member.settings.epochs
        self._column = "val_loss" if OBJECTIVES[objective].metric == "log_loss" else "val_accuracy"
        self._seen = None
        # By the process that had the trial before.
        self._reported = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def __call__(self, runs: list[Run]) -> None:
        path = self._folder / directory.HISTORY
        changed = path.stat().st_mtime_ns if path.exists() else None
        if changed in (None, self._seen):
            return
        self._seen = changed
        history = directory.read_history(self._folder)
        epochs = history.get("epoch", ())
        if max(filter(None, epochs), default=self._epochs) >= self._epochs:
            return
        for epoch, value in zip(epochs, history.get(self._column, ()), strict=False):
            percent = round(100 * (epoch or 0) / self._epochs)
            if value is not None and percent not in self._reported:
                self._reported.add(percent)
                self._trial.report(value, percent)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def forget_state(members: list[PlannedMember]) -> None:
    """Removes what the members of a pruned trial could have gone on from: it is most of their bytes."""
    for member in members:
        (member.folder / directory.STATE).unlink(missing_ok=True)


def count_seconds(folder: pathlib.Path) -> float:
    """Returns the seconds that the members in a trial's folder have been trained, in all their turns."""
    histories = [directory.read_history(path.parent) for path in folder.glob(f"exp_*/*/{directory.HISTORY}")]
    return sum(sum(filter(None, history.get("seconds", ()))) for history in histories)


def _check_disk(folder):
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_SPARE_BYTES))


def _choose_workers(members):
    gpus = find_gpus()
    workers = worker_environments(gpus, 0)
    # The threads of the CPU are shared out among those that are there.
    return workers if gpus or len(workers) <= members else worker_environments(gpus, 0, members)


def _explain(run, folder):
    failure = notes.read_failure(folder)
    if failure and "error" in failure:
        return failure["error"]
    if run.exit_code == -signal.SIGKILL:
        return f"{run.job.name} was killed by SIGKILL: out of memory?"
    return " ".join([f"{run.job.name} ended with exit code {run.exit_code}:", *run.read_last_lines(1)])
