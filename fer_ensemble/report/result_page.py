"""The results as one page that needs nothing else: `report.html`."""

import pathlib
from collections.abc import Sequence

from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble.member_weights import WEIGHTINGS
from fer_ensemble.ensemble.parts import OOF, run_of
from fer_ensemble.evaluation.provenance import describe_provenance
from fer_ensemble.members.directory import fold_name
from fer_ensemble.report.galleries import Gallery
from fer_ensemble.report.html_page import render_page
from fer_ensemble.report.result_plots import draw_reliability, draw_training_curves
from fer_ensemble.report.score_tables import TITLES

TEMPLATE = pathlib.Path(__file__).with_name("result_page.html.jinja")
MEANINGS = {
    OOF: "each training image that was held out, by the members that never saw it",
    SPLITS[PUBLIC_TEST]: "the contest's PublicTest: a second opinion",
    SPLITS[PRIVATE_TEST]: "the contest's PrivateTest: looked at only at the end",
}


def format_html(
    report: dict,
    galleries: Sequence[Gallery],
    records: Sequence[dict],
    histories: dict[str, dict],
    robustness: str | None = None,
) -> str:
    """Writes the page.

    Args:
        report: Dict as in `scores.json`.
        galleries: Faces to show.
        records: The members' records, in the order of `report["members"]`.
        histories: The members' histories, as `draw_training_curves` takes them.
        robustness: The section of `format_robustness`, if there is one.

    Returns:
        HTML, as text.
    """
    splits = {name: report["splits"][name] for name in TITLES if name in report["splits"]}
    scored = {name: values for name, values in splits.items() if values["ensemble"]}
    reliability = {
        name: draw_reliability(
            values["calibration"]["before"]["bins"], (values["calibration"]["after"] or {}).get("bins"), name
        )
        for name, values in scored.items()
    }
    curves = [draw_training_curves(histories, column) for column in ("accuracy", "loss")] if histories else []
    return render_page(
        TEMPLATE,
        report={"networks": {}, **report},
        titles=TITLES,
        meanings=MEANINGS,
        weightings=WEIGHTINGS,
        splits=splits,
        scored=scored,
        # The last that has labels: PrivateUse, where there are any.
        headline=next(reversed(scored), None),
        folds=sorted({fold_name(record["settings"]["fold"]) for record in records}),
        run_of=run_of,
        reliability=reliability,
        curves=curves,
        galleries=galleries,
        robustness=robustness,
        **(describe_provenance(records) if records else {}),
        seconds=sum(report["training_seconds"].values()),
    )
