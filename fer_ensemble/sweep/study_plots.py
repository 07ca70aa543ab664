"""Pictures of a study, as SVG for its page."""

from collections.abc import Sequence

import numpy as np

from fer_ensemble.report.drawing import INK, format_svg, make_panel
from fer_ensemble.sweep.search_ranges import Range, format_value

# Both are seen on light and on dark paper.
COLOUR, BEST_COLOUR = "#2F93D0", "#D55E00"


def draw_progress(numbers: Sequence[int], values: Sequence[float], maximize: bool, label: str) -> str:
    """Draws the objective of each trial, and the best so far.

    Args:
        numbers: The complete trials' numbers, in rising order.
        values: Their objectives.
        maximize: Whether more of it is better.
        label: Name of the objective, with its unit.

    Returns:
        SVG, as text.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = make_panel(4.4, 3.4)
    best = (np.maximum if maximize else np.minimum).accumulate(values)
    axes.plot(numbers, values, "o", color=COLOUR, markersize=5, label="trial")
    axes.step(numbers, best, where="post", color=BEST_COLOUR, linewidth=1.5, label="best so far")
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(label)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, labelcolor=INK)
    return format_svg(figure, "progress")


def draw_setting(one: Range, tried: Sequence, values: Sequence[float], best: int, label: str) -> str:
    """Draws the objective over the values of one setting.

    Args:
        one: The setting's `fer_ensemble.sweep.search_ranges.Range`.
        tried: Its value in each complete trial.
        values: The trials' objectives.
        best: Position of the best trial.
        label: Name of the objective, with its unit.

    Returns:
        SVG, as text; the best trial stands out.
    """
    figure, axes = make_panel(4.4, 3.4)
    if one.kind == "choice":
        tried = [one.values.index(value) for value in tried]
        axes.set_xticks(range(len(one.values)), map(format_value, one.values))
        axes.set_xlim(-0.5, len(one.values) - 0.5)
    elif one.kind == "log":
        axes.set_xscale("log")
        axes.tick_params(axis="x", which="minor", labelcolor=INK, color=INK)
    axes.plot(tried, values, "o", color=COLOUR, markersize=5)
    axes.plot(tried[best], values[best], "o", color=BEST_COLOUR, markersize=8)
    axes.set_xlabel(one.name)
    axes.set_ylabel(label)
    return format_svg(figure, f"setting-{one.name}")
