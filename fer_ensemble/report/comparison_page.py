"""Networks side by side, as a page that needs nothing else: `comparison.html`."""

import pathlib

from fer_ensemble.evaluation.robustness import accuracies_of
from fer_ensemble.report.html_page import render_page
from fer_ensemble.report.robustness_plots import draw_corruption_curves, draw_reliabilities, draw_risk_curves

TEMPLATE = pathlib.Path(__file__).with_name("comparison_page.html.jinja")


def format_comparison(comparison: dict) -> str:
    """Writes the page.

    Args:
        comparison: Dict as in `comparison.json`.

    Returns:
        HTML, as text.
    """
    scores = {name: one["scores"] for name, one in comparison["networks"].items()}
    robustness = {name: one["robustness"] for name, one in comparison["networks"].items() if one["robustness"]}
    titles = {}
    if robustness:
        corruptions = next(iter(robustness.values()))["corruptions"]
        titles = {corruption: one["title"] for corruption, one in corruptions.items()}
    lines = {name: accuracies_of(one) for name, one in robustness.items()}
    return render_page(
        TEMPLATE,
        comparison=comparison,
        scores=scores,
        class_names=next(iter(scores.values()))["class_names"],
        label_agreement=next(iter(scores.values()))["label_agreement"],
        robustness=robustness,
        titles=titles,
        best=max(one["accuracy"] for one in scores.values()),
        reliability=draw_reliabilities(
            {name: one["calibration"]["bins"] for name, one in scores.items()}, "reliability-compared"
        ),
        risk=draw_risk_curves({name: one["risk"]["curve"] for name, one in scores.items()}, "risk-compared"),
        curves=draw_corruption_curves(lines, titles, "corruptions-compared") if robustness else None,
    )
