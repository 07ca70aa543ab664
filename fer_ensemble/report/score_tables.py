"""The results as the tables that `predict.py` prints."""

from fer_ensemble.base.words import percent, percent_interval
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble.parts import OOF
from fer_ensemble.report.text_tables import format_table

TITLES = {OOF: "OOF", SPLITS[PUBLIC_TEST]: "PublicUse", SPLITS[PRIVATE_TEST]: "PrivateUse"}


def format_report(report: dict) -> str:
    """Writes a report, as in `scores.json`, as the tables that people read."""
    parts = report["splits"]
    names = [name for name in TITLES if name in parts]
    lines = []
    for name in [*report["members"], *report["runs"]]:
        cells = [parts[split]["scores"].get(name) for split in names]
        lines.append([name, *(percent(cell["accuracy"]) if cell else "-" for cell in cells)])
        if name == report["members"][-1]:
            lines.append(["members' mean", *(_describe_spread(parts[split]["members"]) for split in names)])
    networks = list(report.get("networks", ()))  # beside the ensemble; or, without members, one alone
    subject = "ensemble" if report["members"] else networks.pop()
    for name in networks:
        cells = [parts[split]["scores"].get(name) for split in names]
        lines.append([name, *(percent(cell["accuracy"]) if cell else "-" for cell in cells)])
    scored = [parts[split]["ensemble"] for split in names]
    lines.append([subject, *(percent(cell["accuracy"]) if cell else "-" for cell in scored)])
    text = [format_table(["accuracy", *(TITLES[split] for split in names)], lines), ""]
    rows = []
    for split in names:
        for label, scores in (("", "ensemble"), (" without copies", "ensemble_without_copies")):
            values = parts[split][scores]
            if values:
                rows.append(_score_row(TITLES[split] + label, values))
        if not parts[split]["ensemble"]:
            rows.append([TITLES[split], f"{parts[split]['images']:,}", "no labels", None, None, None, None])
    header = [subject, "images", "accuracy", "95 % interval", "macro-F1", "log-loss", "top-2"]
    text.append(format_table(header, rows))
    if report["weightings"]:
        text += ["", _format_weightings(report)]
    if report["members"]:
        weights = ", ".join(f"{run} {weight:.3f}" for run, weight in report["weights"].items())
        text += [
            "",
            f"{len(report['members'])} members; weights of the runs ({report['weights_from']}): {weights}",
        ]
    if report["calibration"]:
        text += _describe_calibration(report, names)
    if report["tta"] != "none":
        text.append(f"views: {report['tta']} (out of fold: {report['oof_tta']})")
    if report["missing"]:
        text.append(f"MISSING, and not in these results: {', '.join(report['missing'])}")
    for run, settings in report["differing_settings"].items():
        differences = ", ".join(f"{name} ({format_folds_by_value(folds)})" for name, folds in settings.items())
        text.append(f"NOT TRAINED ALIKE: members of {run} differ in {differences}")
    return "\n".join(text)


def format_folds_by_value(folds: dict) -> str:
    """Writes a setting in which folds differ.

    >>> format_folds_by_value({"0": 5, "1": 5, "2": 8})
    '5 in folds 0, 1; 8 in fold 2'
    """
    values = {}
    for fold, value in folds.items():
        values.setdefault(value, []).append(fold)
    return "; ".join(
        f"{value} in {'folds' if len(names) > 1 else 'fold'} {', '.join(names)}" for value, names in values.items()
    )


def _format_weightings(report):
    splits = [OOF, SPLITS[PUBLIC_TEST]]
    rows = []
    for weighting, values in report["weightings"].items():
        cells = [values.get(split) for split in splits]
        numbers = [
            (percent(cell["accuracy"]), f"{cell['log_loss']:.4f}") if cell else ("-", "-") for cell in cells
        ]
        rows.append([weighting, *(number for pair in numbers for number in pair)])
    header = [f"{TITLES[split]}{what}" for split in splits for what in ("", " log-loss")]
    return format_table(["weights", *header], rows)


def _score_row(name, values):
    return [
        name,
        f"{values['images']:,}",
        percent(values["accuracy"]),
        percent_interval(values["interval"]),
        f"{values['macro_f1']:.4f}",
        f"{values['log_loss']:.4f}",
        percent(values["top2"]),
    ]


def _describe_calibration(report, splits):
    oof, test = report["calibration"]["oof"], report["calibration"]["test"]
    lines = [
        f"calibration, chosen out of fold: label smoothing {oof['smoothing']:.3f} undone, then temperature "
        f"{oof['temperature']:.3f}"
    ]
    if test != oof:
        lines[0] += f"; {test['temperature']:.3f} for test images, as more members predict them"
    for split in splits:
        after = report["splits"][split].get("calibration", {}).get("after")
        if after:
            lines.append(
                f"calibrated, {TITLES[split]}: log-loss {after['log_loss']:.4f}, calibration error "
                f"{percent(after['ece'])} (by chance {percent(after['chance_ece'])})"
            )
    return lines


def _describe_spread(spread):
    return f"{percent(spread['mean'])} ± {100 * spread['sd']:.2f}" if spread else "-"
