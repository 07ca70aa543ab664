"""A study as one page that needs nothing else: `report.html`."""

import dataclasses
import pathlib
from collections.abc import Sequence

from fer_ensemble.report.html_page import render_page
from fer_ensemble.sweep.search_ranges import Range
from fer_ensemble.sweep.shared_study import SharedStudy
from fer_ensemble.sweep.study_plots import draw_progress, draw_setting
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial_results import (
    COMPLETE,
    TrialResult,
    find_best,
    format_brief,
    rank_results,
)
from fer_ensemble.training.settings import TrainingSettings

TEMPLATE = pathlib.Path(__file__).with_name("study_page.html.jinja")
# With fewer trials, which setting matters is anybody's guess.
TRIALS_FOR_IMPORTANCE = 10


def format_page(
    study: SharedStudy,
    results: Sequence[TrialResult],
    objective: str,
    ranges: Sequence[Range],
    settings: TrainingSettings,
) -> str:
    """Writes the page of a study with at least one complete trial.

    Args:
        study: The study.
        results: Its trials, by number.
        objective: Key of `OBJECTIVES`.
        ranges: What is tried.
        settings: What the trials share.

    Returns:
        HTML, as text.
    """
    complete = [one for one in results if one.state == COMPLETE]
    best = find_best(results, objective)
    is_share = OBJECTIVES[objective].metric == "accuracy"
    values = [100 * one.value if is_share else one.value for one in complete]
    label = f"{objective} / {'%' if is_share else 'nats per image'}"
    plots = [draw_progress([one.number for one in complete], values, OBJECTIVES[objective].maximize, label)]
    for one in ranges:
        tried = [result.params[one.name] for result in complete]
        plots.append(draw_setting(one, tried, values, complete.index(best), label))
    names = [one.name for one in ranges]
    return render_page(
        TEMPLATE,
        objective=objective,
        best=best,
        results=rank_results(results, objective),
        names=names,
        ranges=ranges,
        importances=_measure_importances(study, names) if len(complete) >= TRIALS_FOR_IMPORTANCE else {},
        plots=plots,
        shared={
            name: value for name, value in dataclasses.asdict(settings).items() if name not in (*names, "fold")
        },
        seconds=sum(one.seconds for one in results),
        write_objective=OBJECTIVES[objective].write,
        write=format_brief,
    )


def _measure_importances(study, names):
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: found.get(name, 0.0) for name in names}  # one that was the same in all trials is left out
