"""Plots of the results' page, as SVG: learning curves, reliability."""

import math

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble.parts import run_of
from fer_ensemble.report.drawing import INK, RUN_COLOURS, format_svg, make_panel


def draw_training_curves(histories: dict[str, dict[str, list]], column: str) -> str:
    """Draws loss or accuracy over the epochs of every member, a colour per run and a thin line per fold.

    Args:
        histories: Dict from a member's name, `exp_<fold>/<run>`, to its columns: a dict of the lists `epoch`
            (counted from 1), `loss`, `accuracy`, `val_loss` and `val_accuracy`, one value per epoch. A
            column may be missing or empty, and values may be None or NaN, where nothing was measured.
            Losses in nats per image, accuracies 0 to 1; `val_` are the held-out images of the fold.
        column: `loss` or `accuracy`.

    Returns:
        SVG, as text; training dashed, held out solid.

    Raises:
        UserError: If there is no member, or a column is not as long as `epoch`.
    """
    if not histories:
        raise UserError("`histories` must have at least one member. Received: none.")
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    runs = sorted({run_of(member) for member in histories})
    colours = {run: RUN_COLOURS[number % len(RUN_COLOURS)] for number, run in enumerate(runs)}
    figure, axes = make_panel(5.4, 3.7)
    scale, label = {"loss": (1, "loss / nats per image"), "accuracy": (100, "accuracy / %")}[column]
    for member, history in histories.items():
        for name, style in ((column, "--"), (f"val_{column}", "-")):
            epochs, values = _measured(member, history, name)
            # A single point has no line to be seen by.
            axes.plot(
                epochs,
                scale * values,
                linestyle=style,
                marker="." if len(epochs) == 1 else "",
                linewidth=1,
                alpha=0.8,
                color=colours[run_of(member)],
            )
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    if max(map(len, (history["epoch"] for history in histories.values()))) == 1:
        axes.set_xticks([1])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [Line2D([], [], color=colours[run], label=run) for run in runs]
    handles += [
        Line2D([], [], color=INK, linestyle="-", label="held out"),
        Line2D([], [], color=INK, linestyle="--", label="training"),
    ]
    columns = min(len(handles), 3)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False, labelcolor=INK)
    return format_svg(figure, f"curves-{column}")


def draw_reliability(before: list[dict], after: list[dict] | None, name: str) -> str:
    """Draws how often predictions were right against how sure they were, before and after calibration.

    Args:
        before: List of bins, as from `calibration_bins`.
        after: The same after calibration, or None.
        name: What tells the picture's parts from those of others on the page.

    Returns:
        SVG, as text. A dot's area is its bin's share of the images; bins of fewer than 10 images are left out.
    """
    figure, axes = make_panel(4.4, 4.1)
    axes.plot([0, 100], [0, 100], color=INK, linewidth=1, linestyle=":")
    for bins, label, colour in ((before, "as averaged", "#D55E00"), (after, "calibrated", "#0072B2")):
        bins = [one for one in bins or () if one["images"] >= 10]
        if not bins:
            continue
        confidence, accuracy, images = ([one[key] for one in bins] for key in ("confidence", "accuracy", "images"))
        x, y = 100 * np.array(confidence), 100 * np.array(accuracy)
        axes.plot(x, y, color=colour, linewidth=1.2, label=label)
        axes.scatter(x, y, s=500 * np.array(images) / sum(images), color=colour, alpha=0.5, linewidths=0)
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes.set_xlabel("probability of the predicted class / %")
    axes.set_ylabel("share that is right / %")
    axes.legend(loc="upper left", frameon=False, labelcolor=INK)
    return format_svg(figure, f"reliability-{name}")


def _measured(member, history, name):
    """The epochs at which a column has a value, and these values: float64, shape `(2, measured epochs)`."""
    epochs = history["epoch"]
    values = history.get(name, [])
    if len(values) == 0:
        return np.empty((2, 0))
    if len(values) != len(epochs):
        raise UserError(
            f"Column {name} of {member} must have one value per epoch ({len(epochs)}). "
            f"Received: {len(values)} values."
        )
    pairs = [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None and math.isfinite(v)]
    return np.array(pairs, np.float64).reshape(-1, 2).T
