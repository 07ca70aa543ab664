"""Pictures of results as PNG bytes. Same numbers, same bytes (with the same Matplotlib).

Matplotlib takes half a second to import, so that only drawing does it; its `pyplot` would take as long again
and keep every figure alive.
"""

import io
import math

import numpy as np

DOTS_PER_INCH = 100

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/, told apart by colour-blind readers too. In this order the
# sorted runs cnn_0, cnn_1, resnet_0, resnet_1 get two blues and two oranges.
RUN_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#000000")


def draw_confusion_matrix(matrix, class_names, title):
    """Draws how the images of each true class were predicted.

    Args:
        matrix: Int array of shape `(classes, classes)`, counts, rows true, columns predicted.
        class_names: One name per class, in label order.
        title: What was predicted by what, such as "PrivateTest, 16 members"; the accuracy is added.

    Returns:
        Bytes of a PNG image. Each cell has its share of its row in percent, as its colour, and its count.

    Raises:
        ValueError: If the matrix is not square, or has not as many classes as there are names.
    """
    matrix = np.asarray(matrix)
    classes = len(class_names)
    if matrix.shape != (classes, classes):
        raise ValueError(
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


def draw_training_curves(histories):
    """Draws loss and accuracy over the epochs of every member, a colour per run and a thin line per fold.

    Args:
        histories: Dict from a member's name, `exp_<fold>/<run>`, to its columns: a dict of the lists `epoch`
            (counted from 1), `loss`, `accuracy`, `val_loss` and `val_accuracy`, one value per epoch. A
            column may be missing or empty, and values may be None or NaN, where nothing was measured.
            Losses in nats per image, accuracies 0 to 1; `val_` are the held-out images of the fold.

    Returns:
        Bytes of a PNG image: loss left, accuracy right; training dashed, held out solid.

    Raises:
        ValueError: If there is no member, or a column is not as long as `epoch`.
    """
    if not histories:
        raise ValueError("`histories` must have at least one member. Received: none.")
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    runs = sorted({_run_of(member) for member in histories})
    colours = {run: RUN_COLOURS[place % len(RUN_COLOURS)] for place, run in enumerate(runs)}
    figure = Figure(figsize=(10.5, 4.4), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, column, scale in zip(panels, ("loss", "accuracy"), (1, 100), strict=True):
        for member, history in histories.items():
            for name, style in ((column, "--"), (f"val_{column}", "-")):
                epochs, values = _measured(member, history, name)
                # A single point has no line to be seen by.
                axes.plot(
                    epochs,
                    scale * values,
                    linestyle=style,
                    marker="." if len(epochs) == 1 else "",
                    linewidth=0.9,
                    alpha=0.8,
                    color=colours[_run_of(member)],
                )
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss / nats per image")
    panels[1].set_ylabel("accuracy / %")
    handles = [Line2D([], [], color=colours[run], label=run) for run in runs]
    handles += [
        Line2D([], [], color="grey", linestyle="-", label="held out"),
        Line2D([], [], color="grey", linestyle="--", label="training"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 8), frameon=False)
    return _png(figure)


def _run_of(member):
    """The run of a member's name: `cnn_0` of `exp_2/cnn_0`."""
    return member.rpartition("/")[2]


def _measured(member, history, name):
    """The epochs at which a column has a value, and these values: float64, shape `(2, measured epochs)`."""
    epochs = history["epoch"]
    values = history.get(name, [])
    if len(values) == 0:
        return np.empty((2, 0))
    if len(values) != len(epochs):
        raise ValueError(
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
