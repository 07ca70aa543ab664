"""The part of a page that tells how a network stands what makes faces worse."""

import pathlib
import statistics

from fer_ensemble.evaluation.corruptions import STRENGTHS
from fer_ensemble.evaluation.robustness import accuracies_of
from fer_ensemble.report.corruption_pictures import format_amounts
from fer_ensemble.report.html_page import render_page
from fer_ensemble.report.robustness_plots import draw_corruption_curves, draw_risk_curves

TEMPLATE = pathlib.Path(__file__).with_name("robustness_section.html.jinja")


def format_robustness(robustness: dict, strips: dict | None = None) -> str:
    """Writes the section: a heat map, curves, what is gained by leaving out the unsure, example faces.

    Args:
        robustness: Dict as in `robustness.json`.
        strips: Dict from the corruption to a picture, as from `draw_strips`; None shows no faces.

    Returns:
        HTML, as text, from its `<h2>` on.
    """
    name = robustness["network"]["name"]
    lines = {name: accuracies_of(robustness)}
    if "members_error" in robustness["clean"]:
        lines["its members' mean"] = accuracies_of(robustness, "members_error")
    baseline = robustness["baseline"]
    rough = f"baseline: {baseline['name']}" if baseline else ""
    if baseline:
        lines[rough] = baseline["accuracies"]
    titles = {corruption: one["title"] for corruption, one in robustness["corruptions"].items()}
    return render_page(
        TEMPLATE,
        robustness=robustness,
        accuracies=accuracies_of(robustness),
        members=lines.get("its members' mean"),
        members_error=statistics.fmean(one.get("members_error", 0) for one in robustness["by_strength"][1:]),
        strengths=(0, *STRENGTHS),
        strips=strips,
        amounts={
            corruption: format_amounts(one["amounts"]) for corruption, one in robustness["corruptions"].items()
        },
        curves=draw_corruption_curves(lines, titles, "corruptions", (rough,)),
        risk=draw_risk_curves(
            {
                f"strength {one['strength']}" if one["strength"] else "as they are": one["curve"]
                for one in robustness["by_strength"]
            },
            "risk-corrupted",
        ),
    )
