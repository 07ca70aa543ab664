"""What a study has found: the list of its trials, best first, and its files."""

import dataclasses

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.words import percent
from fer_ensemble.report.result_files import write_csv
from fer_ensemble.report.text_tables import format_table
from fer_ensemble.sweep.search_ranges import format_value
from fer_ensemble.sweep.study import is_taken, trial_folder
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial import count_seconds

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
RUNNING, INTERRUPTED = "running", "interrupted"
ERROR = "error"  # a failed trial's attribute
SHOWN_TRIALS = 20
BEST = "best.flags"


@dataclasses.dataclass(frozen=True)
class Result:
    """What is known of a trial.

    Attributes:
        number: Its number, from 0.
        state: `complete`, `pruned` (stopped because it went badly), `failed`, `running` or `interrupted` (it
            goes on when a process takes it up).
        value: The objective, None where it is not complete.
        params: Dictionary of the values that it tries.
        seconds: How long its members have been trained, in all.
        error: Why it failed.
        ended: Whether it is finished with.
        duration: Seconds from its beginning to its end, None before; long where it was interrupted in between.
    """

    number: int
    state: str
    value: float | None
    params: dict
    seconds: float
    error: str
    ended: bool
    duration: float | None


def list_results(study, folder):
    """Lists the trials of a study, an `optuna.Study`, in the order of their beginning, as `Result`."""
    from optuna.trial import TrialState

    words = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}
    results = []
    for trial in study.get_trials(deepcopy=False):
        ended = trial.state.is_finished()
        results.append(
            Result(
                number=trial.number,
                state=words.get(trial.state) or (RUNNING if is_taken(folder, trial.number) else INTERRUPTED),
                value=trial.value if trial.state == TrialState.COMPLETE else None,
                params=dict(trial.params),
                seconds=count_seconds(trial_folder(folder, trial.number)),
                error=trial.user_attrs.get(ERROR, ""),
                ended=ended,
                duration=trial.duration.total_seconds() if ended else None,
            )
        )
    return results


def rank_results(results, objective):
    """Sorts results, best first; those without a value follow, by state."""
    sign = -1 if OBJECTIVES[objective][2] else 1
    states = (COMPLETE, PRUNED, FAILED, RUNNING, INTERRUPTED)
    return sorted(results, key=lambda one: (states.index(one.state), sign * (one.value or 0), one.number))


def find_best(results, objective):
    """Returns the best complete `Result`, the first of equals; None if none is complete."""
    ranked = rank_results(results, objective)
    return ranked[0] if ranked and ranked[0].value is not None else None


def format_objective(value, objective):
    """Writes an objective's value for people: `45.02 %` or `1.4321`."""
    if value is None:
        return "-"
    return percent(value) if OBJECTIVES[objective][1] == "accuracy" else f"{value:.4f}"


def format_params(params):
    """Writes the values that a trial tries: `learning_rate 0.0123, model cnn`."""
    return ", ".join(f"{name} {format_brief(value)}" for name, value in params.items())


def format_results(results, objective, names):
    """Writes the best trials as a table for people.

    Args:
        results: List of `Result`.
        objective: Key of `OBJECTIVES`.
        names: The settings that are tried.
    """
    rows = [
        [one.number, one.state, format_objective(one.value, objective)]
        + [format_brief(one.params[name]) if name in one.params else "-" for name in names]
        + [f"{one.seconds:.0f}", one.error[:80]]
        for one in rank_results(results, objective)
    ]
    header = ["trial", "state", objective, *names, "seconds", ""]
    table = format_table(header, rows[:SHOWN_TRIALS])
    return table if len(rows) <= SHOWN_TRIALS else f"{table}\n... {len(rows) - SHOWN_TRIALS} more in trials.csv"


def write_trials(path, results, objective, names):
    """Writes all trials as CSV, best first; arguments as for `format_results`."""
    rows = [["trial", "state", objective, *names, "seconds", "error"]]
    for one in rank_results(results, objective):
        values = [_exact(one.params[name]) if name in one.params else "" for name in names]
        rows.append([one.number, one.state, "" if one.value is None else one.value, *values])
        rows[-1] += [f"{one.seconds:.1f}", one.error]
    write_csv(path, rows)


def write_best_flags(path, best, settings, options, fold, objective, trials):
    """Writes the best trial's settings as a flag file for `model_train.py` and `splitscript.sh`.

    Args:
        path: Path of the file.
        best: `Result`.
        settings: Its `TrainingSettings`.
        options: `TrainingOptions` of the sweep.
        fold: The first fold that it was trained on, as a flag takes it.
        objective: Key of `OBJECTIVES`.
        trials: How many trials the study has by now.
    """
    options = dataclasses.replace(options, experiments=str(path.with_name("best")))
    run = settings.model
    lines = [
        f"# Trial {best.number} of {path.parent}, the best of {trials}: {objective} "
        f"{format_objective(best.value, objective)}.",
        f"#   python model_train.py --flagfile={path}",
        f"#   bash splitscript.sh --flagfile={path}",
        "# Each of the two knows some flags that the other does not:",
        "--undefok=model,replica,fold,runs,folds",
        f"--runs={run}_0,{run}_1",
        f"--fold={fold}",
        f"--data={options.data}",
        *(["--folds=none"] if fold == "none" else []),  # splitscript.sh takes all four otherwise
    ]
    for values in (options, settings):
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            named = value != field.default or field.name in ("model", *best.params)
            if named and field.name not in ("fold", "data"):
                lines.append(f"--{field.name}={_exact(value)}")
    write_text(path, "\n".join(lines) + "\n")


def _exact(value):
    return str(value).lower() if isinstance(value, bool) else value


def format_brief(value):
    """Writes a setting's value for people, in 4 digits."""
    return f"{value:.4g}" if isinstance(value, float) else format_value(value)
