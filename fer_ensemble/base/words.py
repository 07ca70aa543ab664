"""Numbers as people read them: shares, intervals, times."""


def percent(value: float | None) -> str:
    """Writes a share between 0 and 1 as a percentage with two decimals; None, a share of nothing, as a dash.

    >>> percent(0.72341)
    '72.34 %'
    >>> percent(None)
    '-'
    """
    return "-" if value is None else f"{100 * value:.2f} %"


def percent_interval(bounds: tuple[float, float]) -> str:
    """Writes two shares between 0 and 1 as an interval in percent with one decimal.

    >>> percent_interval([0.7091, 0.7374])
    '[70.9, 73.7]'
    """
    low, high = bounds
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def format_seconds(seconds: float) -> str:
    """Writes a time for people: `40 s`, `3 min`, `2 h 05 min`."""
    if seconds < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
