"""Plots of how networks stand what makes faces worse, as SVG: a panel per corruption, and risk over coverage."""

from fer_ensemble.report.drawing import INK, format_svg, make_panel

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/, neighbours far apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
COLUMNS = 5
LINES = ("-", "-", "-", "-", "--", "--", "--")  # seven networks by colour, more by the style of the line
STRENGTHS = (0, 1, 2, 3, 4, 5)


def draw_corruption_curves(lines: dict, titles: dict, name: str, rough: tuple = ()) -> str:
    """Draws the accuracy over the strength, a small panel for each corruption.

    Args:
        lines: Dict from what is compared to a dict from the corruption to six accuracies, 0 to 1, the first of
            clean faces.
        titles: Dict from the corruption to what stands above its panel.
        name: What tells the picture's parts from those of others on the page.
        rough: What among `lines` is drawn dotted, in the colour of the text: a baseline.

    Returns:
        SVG, as text.
    """
    from matplotlib.figure import Figure

    rows = -(-len(titles) // COLUMNS)
    figure = Figure(figsize=(1.75 * COLUMNS, 1.5 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for index, panel in enumerate(panels.flat):
        if index >= len(titles):
            panel.set_axis_off()
            continue
        corruption, title = list(titles.items())[index]
        _style(panel, title)
        if index + COLUMNS >= len(titles):  # nothing is below, and so nothing that has the numbers
            panel.tick_params(labelbottom=True)
        for label, style in _styles(lines, rough).items():
            panel.plot(STRENGTHS, [100 * value for value in lines[label][corruption]], **style, label=label)
        panel.set(ylim=(0, 100), xticks=STRENGTHS, yticks=(0, 25, 50, 75, 100))
    figure.supxlabel("strength", color=INK, fontsize=9)
    figure.supylabel("accuracy / %", color=INK, fontsize=9)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    if len(labels) > 1:
        columns = min(len(labels), 4)
        figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False, labelcolor=INK)
    return format_svg(figure, name)


def draw_risk_curves(curves: dict, name: str) -> str:
    """Draws the error over the share of faces that are answered, the surest first.

    Args:
        curves: Dict from what is compared to a list of pairs of coverage and risk, 0 to 1.
        name: As for `draw_corruption_curves`.

    Returns:
        SVG, as text.
    """
    figure, axes = make_panel(5.0, 4.1)
    for label, style in _styles(curves).items():
        coverage, risk = zip(*curves[label], strict=True)
        axes.plot([100 * one for one in coverage], [100 * one for one in risk], **style, label=label)
    axes.set(xlim=(0, 100), xlabel="faces that are answered, the surest first / %", ylabel="error on these / %")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=min(len(curves), 3), frameon=False, labelcolor=INK)
    return format_svg(figure, name)


def draw_reliabilities(bins: dict, name: str) -> str:
    """Draws how often answers were right against how sure they were, a line for each network.

    Args:
        bins: Dict from the network to a list as from `calibration_bins`; those of fewer than 10 images are left
            out.
        name: As for `draw_corruption_curves`.

    Returns:
        SVG, as text.
    """
    figure, axes = make_panel(4.4, 4.1)
    axes.plot([0, 100], [0, 100], color=INK, linewidth=1, linestyle=":")
    for label, style in _styles(bins).items():
        shown = [one for one in bins[label] if one["images"] >= 10]
        x, y = ([100 * one[key] for one in shown] for key in ("confidence", "accuracy"))
        axes.plot(x, y, marker=".", **style, label=label)
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes.set(xlabel="probability of the predicted class / %", ylabel="share that is right / %")
    axes.legend(loc="upper left", frameon=False, labelcolor=INK)
    return format_svg(figure, name)


def _styles(labels, rough=()):
    styles = {}
    for index, label in enumerate(label for label in labels if label not in rough):
        line = LINES[(index // len(COLOURS)) * 4 % len(LINES)]
        styles[label] = {"color": COLOURS[index % len(COLOURS)], "linestyle": line, "linewidth": 1.4}
    return {label: styles.get(label, {"color": INK, "linestyle": ":", "linewidth": 1.2}) for label in labels}


def _style(panel, title):
    panel.set_title(title, fontsize=9, color=INK)
    panel.grid(alpha=0.25, color=INK)
    panel.tick_params(colors=INK, labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(INK)
