"""How far a sweep is: a line when a trial begins or ends and, on a terminal, one live line besides."""

import statistics
from collections.abc import Callable, Sequence

import optuna

from fer_ensemble.base.words import format_seconds
from fer_ensemble.launch.display import LiveLine, read_report
from fer_ensemble.launch.plan import PlannedMember
from fer_ensemble.sweep.shared_study import SharedStudy, trial_folder
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial import ERROR, count_seconds
from fer_ensemble.sweep.trial_table import COMPLETE, ENDED, RUNNING, describe_state, find_best, format_params


def estimate_seconds_left(study: SharedStudy, own: int) -> float | None:
    """Estimates when a study will have all its trials.

    Args:
        study: The study.
        own: Number of this process's present or last trial.

    Returns:
        Seconds: the median duration of a trial, from when a process last took it up, times the trials that are
        left, shared out over the processes at work; None before the first has ended.
    """
    trials = study.get_trials(deepcopy=False)
    durations = [one.duration.total_seconds() for one in trials if one.state.is_finished() and one.duration]
    if not durations:
        return None
    left = max(study.limit, len(trials)) - sum(one.state.is_finished() for one in trials)
    others = sum(describe_state(study, one) == RUNNING and one.number != own for one in trials)
    return left * statistics.median(durations) / (others + 1)


class TrialDisplay(LiveLine):
    """Tells what becomes of the trials of this process. Use it as a context.

    Args:
        study: The study.
        objective: Key of `OBJECTIVES`.
    """

    def __init__(self, study: SharedStudy, objective: str):
        super().__init__(study.limit)
        self._study, self._write = study, OBJECTIVES[objective].write
        self._overall, self._ended = "", 0

    def begin(self, trial: optuna.Trial) -> None:
        """Tells that a trial begins, or goes on."""
        self._sum_up(trial.number)
        folder = trial_folder(self._study.folder, trial.number)
        turn = "goes on" if any(folder.glob("exp_*")) else "begins"
        self._say(f"trial {trial.number} {turn}: {format_params(trial.params)}: {folder}")

    def end(self, trial: optuna.trial.FrozenTrial) -> None:
        """Tells what became of a trial."""
        self._sum_up(trial.number)
        state = describe_state(self._study, trial)
        what = self._write(trial.value) if state == COMPLETE else state
        why = f" ({trial.user_attrs[ERROR]})" if ERROR in trial.user_attrs else ""
        seconds = count_seconds(trial_folder(self._study.folder, trial.number))
        after = f"after {format_seconds(seconds)} of training" if state in ENDED.values() else "and is to go on"
        self._say(f"trial {trial.number}: {what}{why} {after}; {self._overall}")

    def watch(self, members: Sequence[PlannedMember]) -> Callable:
        """Returns a `watch` of `run_jobs` that shows how far a trial's members are."""

        def show(runs):
            reports = [report for run in runs if run.exit_code is None and (report := read_report(run))]
            facts = [f"epoch {report['epoch']:.1f}/{report['epochs']}" for report in reports[:1]]
            if len(members) > 1:
                complete = sum(run.exit_code == 0 for run in runs) + sum(one.complete for one in members)
                facts.insert(0, f"{complete}/{len(members)} folds")
            self._show(self._ended, "  ".join([self._overall, *facts]))

        return show

    def _sum_up(self, own):
        self._ended = sum(one.state.is_finished() for one in self._study.get_trials(deepcopy=False))
        best, left = find_best(self._study), estimate_seconds_left(self._study, own)
        facts = [f"{self._ended} of {self._study.limit} trials"]
        if best:
            facts.append(f"best {self._write(best.value)} (trial {best.number})")
        if left:
            facts.append(f"about {format_seconds(left)} left")
        self._overall = ", ".join(facts)
