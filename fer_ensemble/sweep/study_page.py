"""A study as one page that needs nothing else: `report.html`."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from fer_ensemble.report.html_page import render_page
from fer_ensemble.sweep.search_ranges import Range
from fer_ensemble.sweep.shared_study import SharedStudy
from fer_ensemble.sweep.study_plots import draw_progress, draw_setting
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial_table import find_best, format_brief, format_cells
from fer_ensemble.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

TEMPLATE = pathlib.Path(__file__).with_name("study_page.html.jinja")
# With fewer trials, which setting matters is anybody's guess.
TRIALS_FOR_IMPORTANCE = 10


def format_page(
    study: SharedStudy,
    table: "pandas.DataFrame",
    objective: str,
    ranges: Sequence[Range],
    settings: TrainingSettings,
) -> str:
    """Writes the page of a study with at least one complete trial.

    Args:
        study: The study.
        table: Its trials, as from `tabulate_trials`.
        objective: Key of `OBJECTIVES`.
        ranges: What is tried.
        settings: What the trials share.

    Returns:
        HTML, as text.
    """
    best = find_best(study)  # first: another process may complete a better one meanwhile
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    scale, unit = (100, "%") if OBJECTIVES[objective].metric == "accuracy" else (1, "nats per image")
    values, label = [scale * one.value for one in complete], f"{objective} / {unit}"
    plots = [draw_progress([one.number for one in complete], values, OBJECTIVES[objective].maximize, label)]
    for one in ranges:
        tried = [trial.params[one.name] for trial in complete]
        plots.append(draw_setting(one, tried, values, complete.index(best), label))
    importances = {}
    if len(complete) >= TRIALS_FOR_IMPORTANCE and len(set(values)) > 1:  # else there is nothing to explain
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        importances = {name: found.get(name, 0.0) for name in study.names}  # 0 if the same in all trials
    shared = {name: value for name, value in dataclasses.asdict(settings).items() if name not in study.names}
    del shared["fold"]
    return render_page(
        TEMPLATE,
        objective=objective,
        best=best,
        headline=OBJECTIVES[objective].write(best.value),
        columns=list(table.columns),
        rows=format_cells(table, objective),
        names=study.names,
        ranges=ranges,
        importances=importances,
        plots=plots,
        shared=shared,
        seconds=table["seconds"].sum(),
        write=format_brief,
    )
