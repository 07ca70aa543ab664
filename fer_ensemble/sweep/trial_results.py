"""What a study has found: its trials, best first, as a table for people and as `trials.csv`."""

import dataclasses
import pathlib
from collections.abc import Sequence

from optuna.trial import TrialState

from fer_ensemble.report.csv_tables import write_csv
from fer_ensemble.report.text_tables import format_table
from fer_ensemble.sweep.search_ranges import format_value
from fer_ensemble.sweep.shared_study import SharedStudy, is_taken, trial_folder
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial import ERROR, count_seconds

COMPLETE, PRUNED, FAILED, RUNNING, INTERRUPTED = "complete", "pruned", "failed", "running", "interrupted"
STATES = (COMPLETE, PRUNED, FAILED, RUNNING, INTERRUPTED)
ENDED = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}
SHOWN_TRIALS = 20


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What is known of a trial.

    Attributes:
        number: Its number, from 0.
        state: `complete`, `pruned` (stopped because it went badly), `failed`, `running` or `interrupted` (it
            goes on when a process takes it up).
        value: The objective, None where it is not complete.
        params: Dictionary of the values that it tries.
        seconds: How long its members have been trained, in all.
        error: Why it failed.
        duration: Seconds from when a process last took it up to its end, None before.
    """

    number: int
    state: str
    value: float | None
    params: dict
    seconds: float
    error: str = ""
    duration: float | None = None

    @property
    def ended(self) -> bool:
        """Whether it is finished with."""
        return self.state in ENDED.values()


def list_results(study: SharedStudy) -> list[TrialResult]:
    """Lists the trials of a study in the order of their beginning."""
    return [
        TrialResult(
            number=trial.number,
            state=ENDED.get(trial.state) or (RUNNING if is_taken(study.folder, trial.number) else INTERRUPTED),
            value=trial.value if trial.state == TrialState.COMPLETE else None,
            params=dict(trial.params),
            seconds=count_seconds(trial_folder(study.folder, trial.number)),
            error=trial.user_attrs.get(ERROR, ""),
            duration=trial.duration.total_seconds() if trial.state.is_finished() and trial.duration else None,
        )
        for trial in study.get_trials(deepcopy=False)
    ]


def rank_results(results: Sequence[TrialResult], objective: str) -> list[TrialResult]:
    """Sorts results, best first; those without a value follow, by state."""
    sign = -1 if OBJECTIVES[objective].maximize else 1
    return sorted(results, key=lambda one: (STATES.index(one.state), sign * (one.value or 0), one.number))


def find_best(results: Sequence[TrialResult], objective: str) -> TrialResult | None:
    """Returns the best complete result, the first of equals; None if none is complete."""
    ranked = rank_results(results, objective)
    return ranked[0] if ranked and ranked[0].value is not None else None


def format_brief(value: object) -> str:
    """Writes a setting's value for people, in 4 digits."""
    return f"{value:.4g}" if isinstance(value, float) else format_value(value)


def format_params(params: dict) -> str:
    """Writes the values that a trial tries: `learning_rate 0.0123, model cnn`."""
    return ", ".join(f"{name} {format_brief(value)}" for name, value in params.items())


def format_results(results: Sequence[TrialResult], objective: str, names: Sequence[str]) -> str:
    """Writes the best trials as a table for people.

    Args:
        results: All of them.
        objective: Key of `OBJECTIVES`.
        names: The settings that are tried.
    """
    rows = [
        [one.number, one.state, OBJECTIVES[objective].write(one.value)]
        + [format_brief(one.params[name]) if name in one.params else "-" for name in names]
        + [f"{one.seconds:.0f}", one.error[:80]]
        for one in rank_results(results, objective)
    ]
    table = format_table(["trial", "state", objective, *names, "seconds", ""], rows[:SHOWN_TRIALS])
    return table if len(rows) <= SHOWN_TRIALS else f"{table}\n... {len(rows) - SHOWN_TRIALS} more in trials.csv"


def write_trials(path: pathlib.Path, results: Sequence[TrialResult], objective: str, names: Sequence[str]) -> None:
    """Writes all trials as CSV, best first, the values as flags take them; arguments as for `format_results`."""
    columns = ["trial", "state", objective, *names, "seconds", "error"]
    rows = []
    for one in rank_results(results, objective):
        values = [flag_value(one.params.get(name)) for name in names]
        rows.append([one.number, one.state, one.value, *values, f"{one.seconds:.1f}", one.error])
    write_csv(path, columns, rows)


def flag_value(value: object) -> object:
    """Returns a setting's value as a flag takes it, to the last digit."""
    return str(value).lower() if isinstance(value, bool) else value
