"""The results as one page that needs nothing else: `report.html`."""

import dataclasses
import itertools
import pathlib

from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble.parts import OOF, run_of
from fer_ensemble.ensemble.weighting import WAYS
from fer_ensemble.members.directory import fold_name
from fer_ensemble.report.html_page import render_page
from fer_ensemble.report.result_plots import draw_reliability, draw_training_curves
from fer_ensemble.report.score_tables import TITLES
from fer_ensemble.training.settings import TrainingSettings

TEMPLATE = pathlib.Path(__file__).with_name("result_page.html.jinja")
MEANINGS = {
    OOF: "each training image that was held out, by the members that never saw it",
    SPLITS[PUBLIC_TEST]: "the contest's PublicTest: a second opinion",
    SPLITS[PRIVATE_TEST]: "the contest's PrivateTest: looked at only at the end",
}
# What a member is, not how its settings read: they stand in the other columns of the table.
IDENTITY = ("model", "fold", "replica")


def format_html(report, galleries, records, histories):
    """Writes the page.

    Args:
        report: Dict as in `scores.json`.
        galleries: List of `fer_ensemble.report.galleries.Gallery`.
        records: The members' records, in the order of `report["members"]`.
        histories: The members' histories, as `draw_training_curves` takes them.

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
    curves = [draw_training_curves(histories, column) for column in ("accuracy", "loss")]
    return render_page(
        TEMPLATE,
        report=report,
        titles=TITLES,
        meanings=MEANINGS,
        ways=WAYS,
        splits=splits,
        scored=scored,
        # The last that has labels: PrivateUse, where there are any.
        headline=next(reversed(scored), None),
        folds=sorted({fold_name(record["settings"]["fold"]) for record in records}),
        run_of=run_of,
        reliability=reliability,
        curves=curves,
        galleries=galleries,
        **describe_provenance(records),
        seconds=sum(report["training_seconds"].values()),
    )


def describe_provenance(records):
    """Gathers the settings and circumstances of all members from their records.

    Returns:
        Dict: `shared`, the settings that are the same in all runs; `varied`, a dict from each other setting to its
        value in each run; `versions` and `devices`; `began` and `ended`, in UTC. What a record does not know yet
        had its default.
    """
    settings = {}
    for record in records:
        for name, value in (dataclasses.asdict(TrainingSettings()) | record["settings"]).items():
            if name not in IDENTITY:
                settings.setdefault(name, {})[f"{record['settings']['model']}_{record['settings']['replica']}"] = (
                    value
                )
    shared = {
        name: next(iter(values.values())) for name, values in settings.items() if len(set(values.values())) == 1
    }
    return {
        "shared": shared,
        "varied": {name: values for name, values in settings.items() if name not in shared},
        "versions": _distinct([record["versions"] for record in records]),
        "devices": sorted({f"{record['device']}, {record['precision']}" for record in records}),
        "began": min(record["started"] for record in records)[:16].replace("T", " "),
        "ended": max(record["finished"] for record in records)[:16].replace("T", " "),
    }


def _distinct(dicts):
    """One dict from each key to its values in all of them, each once."""
    keys = dict.fromkeys(itertools.chain.from_iterable(dicts))
    return {key: ", ".join(sorted({str(one[key]) for one in dicts if key in one})) for key in keys}
