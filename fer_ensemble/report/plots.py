"""Pictures of results: PNG bytes, and SVG for the page. Same numbers, same bytes (with the same Matplotlib).

Matplotlib takes half a second to import, so that only drawing does it; its `pyplot` would take as long again
and keep every figure alive.
"""

import io
import math
import re

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble.parts import run_of

DOTS_PER_INCH = 100

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/, told apart by colour-blind readers too. In this order the
# sorted runs cnn_0, cnn_1, resnet_0, resnet_1 get two blues and two oranges.
RUN_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#999999")
INK = "#010203"  # stands for the colour of the text around an SVG, light or dark


def draw_confusion_matrix(matrix, class_names, title):
    """Draws how the images of each true class were predicted.

    Args:
        matrix: Int array of shape `(classes, classes)`, counts, rows true, columns predicted.
        class_names: One name per class, in label order.
        title: What was predicted by what, such as "PrivateTest, 16 members"; the accuracy is added.

    Returns:
        Bytes of a PNG image. Each cell has its share of its row in percent, as its colour, and its count.

    Raises:
        UserError: If the matrix is not square, or has not as many classes as there are names.
    """
    matrix = np.asarray(matrix)
    classes = len(class_names)
    if matrix.shape != (classes, classes):
        raise UserError(
            f"`matrix` must have one row and one column per class name ({classes}). "
            f"Received: shape {matrix.shape}."
        )
    from matplotlib.figure import Figure

    side = max(0.75 * classes, 3)  # inches; a cell holds "100.0 %"
    longest = 0.08 * max(map(len, class_names))
    slanted = longest > 0.75
    figure = Figure(
        figsize=(side + longest + 1.6, side + 1.2 + slanted * longest / 2),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    axes = figure.add_subplot()
    of_true_class = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(of_true_class, 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(classes, classes):
        if of_true_class[true, 0] == 0:
            continue  # no image, no share
        share = shares[true, predicted]
        text = axes.text(
            predicted,
            true,
            f"{100 * share:.1f} %\n{matrix[true, predicted]:,}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.5 else "black",
        )
        text.set_in_layout(False)  # inside its cell, whatever the layout; measuring it takes time
    axes.set_xticks(range(classes), class_names)
    if slanted:
        axes.tick_params(axis="x", labelrotation=30)
        for name in axes.get_xticklabels():
            name.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), class_names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    images = int(matrix.sum())
    accuracy = f"accuracy {100 * np.trace(matrix) / images:.2f} % of {images:,} images" if images else "no image"
    axes.set_title(f"{title}\n{accuracy}", fontsize=11)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class / %")
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    return _png(figure)


def draw_training_curves(histories, column):
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
    colours = {run: RUN_COLOURS[place % len(RUN_COLOURS)] for place, run in enumerate(runs)}
    figure, axes = make_figure(5.4, 3.7)
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


def draw_reliability(before, after, name):
    """Draws how often predictions were right against how sure they were, before and after calibration.

    Args:
        before: List of bins, as from `calibration_bins`.
        after: The same after calibration, or None.
        name: What tells the picture's parts from those of others on the page.

    Returns:
        SVG, as text. A dot's area is its bin's share of the images; bins of fewer than 10 images are left out.
    """
    figure, axes = make_figure(4.4, 4.1)
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


def draw_range_test(rates, losses, smoothed, suggested, title):
    """Draws the loss of each step of a range test over its learning rate.

    Args:
        rates: Float array of shape `(steps,)`, ascending.
        losses: Float array of shape `(steps,)`, in nats.
        smoothed: The same, smoothed.
        suggested: Tuple of the rates at which the loss falls fastest and is lowest, or None.
        title: What was trained.

    Returns:
        Bytes of a PNG image.
    """
    figure, axes = make_figure(6.4, 4.2)
    figure.set_dpi(DOTS_PER_INCH)
    axes.plot(rates, losses, ".", color="#56B4E9", markersize=3, label="each step")
    axes.plot(rates, smoothed, color="#0072B2", label="smoothed")
    names = ("falls fastest: {:.2g}", "lowest: {:.2g}")
    for name, rate, colour in zip(names, suggested or (), ("#D55E00", "#E69F00"), strict=False):
        axes.axvline(rate, color=colour, linestyle=":", label=name.format(rate))
    first, lowest = smoothed[: max(1, len(smoothed) // 10)].max(), smoothed.min()
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss / nats", title=title)
    axes.set_ylim(lowest - 0.2 * (first - lowest) - 0.05, first + (first - lowest) + 0.05)
    axes.legend(frameon=False)
    return _png(figure)


def make_figure(width, height):
    """A figure of one panel, sizes in inches, whose ink is `INK`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.25, color=INK)
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    return figure, axes


def format_svg(figure, name):
    """The figure as an SVG element: transparent, its ink that of the text around it, its ids its own."""
    import matplotlib

    buffer = io.StringIO()
    # Text as text: readers can select it, and the page's font applies.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{name}"', text, count=1)
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", text)


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


def _png(figure):
    """The figure as PNG, without the name and version of the software, which would change the bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # inches around each part
    buffer = io.BytesIO()
    # `Figure.savefig` would do the same, but draw everything once more for the layout.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
