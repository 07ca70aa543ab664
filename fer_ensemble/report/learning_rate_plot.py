"""The search for a learning rate as a picture."""

import numpy as np

from fer_ensemble.report.drawing import DOTS_PER_INCH, format_png, make_panel


def draw_range_test(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    suggested: tuple[float, float] | None,
    title: str,
) -> bytes:
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
    figure, axes = make_panel(6.4, 4.2)
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
    return format_png(figure)
