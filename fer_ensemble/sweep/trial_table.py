"""What a study has found: its trials as a table, best first."""

from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from fer_ensemble.report.text_tables import format_table
from fer_ensemble.sweep.search_ranges import format_value
from fer_ensemble.sweep.shared_study import SharedStudy, is_taken, trial_folder
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial import ERROR, count_seconds

if TYPE_CHECKING:
    import pandas

# In the order of the table. Who is pruned went badly; who is interrupted goes on when a process takes it up.
STATES = COMPLETE, PRUNED, FAILED, RUNNING, INTERRUPTED = "complete", "pruned", "failed", "running", "interrupted"
ENDED = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}
SHOWN_TRIALS = 20


def describe_state(study: SharedStudy, trial: FrozenTrial) -> str:
    """Returns one of `STATES`."""
    return ENDED.get(trial.state) or (RUNNING if is_taken(study.folder, trial.number) else INTERRUPTED)


def find_best(study: SharedStudy) -> FrozenTrial | None:
    """Returns the best complete trial, the first of equals; None if none is complete."""
    return study.best_trial if study.get_trials(False, (TrialState.COMPLETE,)) else None


def tabulate_trials(study: SharedStudy, objective: str) -> "pandas.DataFrame":
    """Lists the trials of a study, best first; those that are not complete follow, by state.

    Returns:
        `pandas.DataFrame` of Python objects: `trial` (its number), `state`, a column named as the objective (None
        where a trial is not complete) and one for each setting that is tried, `seconds` (how long the trial's
        members have been trained) and `error` (why it failed).
    """
    import pandas

    sign = -1 if OBJECTIVES[objective].maximize else 1
    rows = []
    for trial in study.get_trials(deepcopy=False):
        state = describe_state(study, trial)
        value = trial.value if state == COMPLETE else None
        seconds = count_seconds(trial_folder(study.folder, trial.number))
        error = str(trial.user_attrs.get(ERROR, ""))
        tried = [trial.params.get(name) for name in study.names]
        rows.append([trial.number, state, value, *tried, round(seconds, 1), error])
    rows.sort(key=lambda row: (STATES.index(row[1]), sign * (row[2] or 0), row[0]))
    columns = ["trial", "state", objective, *study.names, "seconds", "error"]
    return pandas.DataFrame(rows, columns=columns, dtype=object)


def format_cells(table: "pandas.DataFrame", objective: str) -> list[list[str]]:
    """Writes the rows of `tabulate_trials` for people."""
    shown = table.map(format_brief)
    shown[objective] = table[objective].map(OBJECTIVES[objective].write)
    shown["seconds"] = table["seconds"].map("{:.0f}".format)
    return shown.values.tolist()


def format_trials(table: "pandas.DataFrame", objective: str) -> str:
    """Writes the best trials of `tabulate_trials` as a table for people."""
    rows = [[*cells[:-1], cells[-1][:80]] for cells in format_cells(table, objective)[:SHOWN_TRIALS]]
    text = format_table([*table.columns[:-1], ""], rows)
    return text if len(table) <= SHOWN_TRIALS else f"{text}\n... {len(table) - SHOWN_TRIALS} more in trials.csv"


def format_params(params: dict) -> str:
    """Writes the values that a trial tries: `learning_rate 0.0123, model cnn`."""
    return ", ".join(f"{name} {format_brief(value)}" for name, value in params.items())


def format_brief(value: object) -> str:
    """Writes a setting's value for people, in 4 digits, and a dash where there is none."""
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else format_value(value)


def flag_value(value: object) -> object:
    """Returns a setting's value as a flag takes it, to the last digit."""
    return str(value).lower() if isinstance(value, bool) else value
