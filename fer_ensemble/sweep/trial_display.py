"""How far a sweep is: a line when a trial begins or ends and, on a terminal, one live line besides."""

import pathlib
import statistics
from collections.abc import Callable, Sequence

from fer_ensemble.base.words import format_seconds
from fer_ensemble.launch.display import LiveLine, read_report
from fer_ensemble.launch.plan import PlannedMember
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial_results import (
    COMPLETE,
    RUNNING,
    TrialResult,
    find_best,
    format_params,
)


def estimate_seconds_left(results: Sequence[TrialResult], trials: int, own: int) -> float | None:
    """Estimates when a study will have all its trials.

    Args:
        results: What is known of its trials.
        trials: How many it is to have.
        own: Number of this process's present or last trial.

    Returns:
        Seconds: the median duration of a trial times the trials that are left, shared out over the processes at
        work; None before the first has ended.
    """
    durations = [one.duration for one in results if one.ended and one.duration]
    if not durations:
        return None
    left = max(trials, len(results)) - sum(one.ended for one in results)
    others = sum(one.state == RUNNING and one.number != own for one in results)
    return left * statistics.median(durations) / (others + 1)


class TrialDisplay(LiveLine):
    """Tells what becomes of the trials of this process. Use it as a context.

    Args:
        trials: How many trials the study is to have.
        objective: Key of `OBJECTIVES`.
    """

    def __init__(self, trials: int, objective: str):
        super().__init__(trials)
        self._trials = trials
        self._objective, self._write = objective, OBJECTIVES[objective].write
        self._overall = ""
        self._ended = 0

    def begin(self, number: int, params: dict, folder: pathlib.Path, results: Sequence[TrialResult]) -> None:
        """Tells that a trial begins, or goes on, in its folder."""
        self._sum_up(results, number)
        turn = "goes on" if any(folder.glob("exp_*")) else "begins"
        self._say(f"trial {number} {turn}: {format_params(params)}: {folder}")

    def end(self, number: int, results: Sequence[TrialResult]) -> None:
        """Tells what became of a trial; `results` has those of the whole study."""
        self._sum_up(results, number)
        result = results[number]
        what = self._write(result.value) if result.state == COMPLETE else result.state
        why = f" ({result.error})" if result.error else ""
        after = f"after {format_seconds(result.seconds)} of training" if result.ended else "and is to go on"
        self._say(f"trial {number}: {what}{why} {after}; {self._overall}")

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

    def _sum_up(self, results, own):
        self._ended = sum(one.ended for one in results)
        best = find_best(results, self._objective)
        left = estimate_seconds_left(results, self._trials, own)
        facts = [f"{self._ended} of {self._trials} trials"]
        if best:
            facts.append(f"best {self._write(best.value)} (trial {best.number})")
        if left:
            facts.append(f"about {format_seconds(left)} left")
        self._overall = ", ".join(facts)
