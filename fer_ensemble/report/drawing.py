"""What all pictures share. Same numbers, same bytes (with the same Matplotlib).

Matplotlib takes half a second to import, so that only drawing does it; its `pyplot` would take as long again
and keep every figure alive.
"""

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 100

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/, told apart by colour-blind readers too. In this order the
# sorted runs cnn_0, cnn_1, resnet_0, resnet_1 get two blues and two oranges.
RUN_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#999999")
INK = "#010203"  # stands for the colour of the text around an SVG, light or dark


def make_panel(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Returns a `matplotlib.figure.Figure` of one panel, sizes in inches, whose ink is `INK`, and its axes."""
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


def format_svg(figure: "Figure", name: str) -> str:
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


def format_png(figure: "Figure") -> bytes:
    """The figure as PNG, without the name and version of the software, which would change the bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # inches around each part
    buffer = io.BytesIO()
    # `Figure.savefig` would do the same, but draw everything once more for the layout.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
