"""What was found out about networks, as the tables that `fer-ensemble evaluate` and `compare` print."""

from fer_ensemble.base.words import percent, percent_interval
from fer_ensemble.evaluation.corruptions import STRENGTHS
from fer_ensemble.report.text_tables import format_table


def format_scores(scores: list[dict]) -> str:
    """Writes a line for each network, from what stands in its `evaluation.json`."""
    header = ["network", "images", "accuracy", "95 % interval", "macro-F1", "log-loss", "ECE", "unsure"]
    header += ["of the sure", "sure without a face"]
    rows = [
        [
            one["network"]["name"],
            f"{one['images']:,}",
            percent(one["accuracy"]),
            percent_interval(one["interval"]),
            f"{one['macro_f1']:.4f}",
            f"{one['log_loss']:.4f}",
            percent(one["calibration"]["ece"]),
            percent(one["risk"]["unsure"]),
            percent(one["risk"]["sure_accuracy"]),
            percent(one["faceless"]["sure"]),
        ]
        for one in scores
    ]
    return format_table(header, rows)


def format_robustness_table(robustness: dict) -> str:
    """Writes the errors of a `robustness.json`: a line for each corruption, a column for each strength."""
    members, baseline = "members_error" in robustness["clean"], robustness["baseline"]
    header = ["error, %", *map(str, (0, *STRENGTHS)), "mean"]
    header += ["members' mean"] if members else []
    header += [f"of {baseline['name']}'s, %"] if baseline else []
    rows = []
    for one in robustness["corruptions"].values():
        errors = [values["error"] for values in (robustness["clean"], *one["strengths"])]
        by_members = [values.get("members_error", 0) for values in one["strengths"]]
        rows.append(_row(one["title"], [*errors, one["error"]], members and by_members, one["corruption_error"]))
    errors = [one["error"] for one in robustness["by_strength"]]
    by_members = [one.get("members_error", 0) for one in robustness["by_strength"][1:]]
    rows.append(
        _row(
            "all",
            [*errors, robustness["mean_error"]],
            members and by_members,
            robustness["mean_corruption_error"],
        )
    )
    text = format_table(header, rows)
    title = f"{robustness['network']['name']} on FER2013-C ({robustness['faces']})"
    if robustness["relative_drop"] is not None:  # no accuracy, nothing to lose
        title += f": {percent(robustness['relative_drop'])} of the accuracy is lost on average"
    return f"{title}\n\n{text}"


def _row(title, errors, by_members, ratio):
    cells = [title, *(f"{100 * error:.1f}" for error in errors)]
    cells += [f"{100 * sum(by_members) / len(by_members):.1f}"] if by_members else []
    return cells + ([f"{100 * ratio:.0f}"] if ratio is not None else [])


def format_overview(comparison: dict) -> str:
    """Writes a line for each network, from what stands in `comparison.json`."""
    header = ["network", "accuracy", "95 % interval", "macro-F1", "log-loss", "ECE", "corrupted", "MB", "ms for 1"]
    rows = []
    for name, one in comparison["networks"].items():
        scores, robustness, latency = one["scores"], one["robustness"], comparison["latency"][name]
        size = scores["network"]["bytes"]
        rows.append(
            [
                name,
                percent(scores["accuracy"]),
                percent_interval(scores["interval"]),
                f"{scores['macro_f1']:.4f}",
                f"{scores['log_loss']:.4f}",
                percent(scores["calibration"]["ece"]),
                percent(1 - robustness["mean_error"]) if robustness else "-",
                f"{size / 1e6:.2f}" if size else "-",
                f"{latency['one']:.2f}",
                f"{latency['each_of_64']:.2f}",
            ]
        )
    return format_table([*header, "each of 64"], rows)


def format_pairs(pairs: list[dict]) -> str:
    """Writes a line for each pair of networks, as from `compare_pairs`."""
    rows = [
        [
            pair["first"],
            pair["second"],
            pair["first_only"],
            pair["second_only"],
            f"{100 * pair['difference']:+.2f}",
            percent_interval(pair["interval"]),
            f"{pair['p']:.3g}",
        ]
        for pair in pairs
    ]
    header = ["first", "second", "first only", "second only", "difference, points", "95 % interval", "p"]
    return format_table(header, rows)
