"""What the pages share: their style, and how they write numbers."""

import pathlib

from fer_ensemble.base.words import format_seconds
from fer_ensemble.report.score_tables import format_folds_by_value

STYLE = pathlib.Path(__file__).with_name("style.css")


def render_page(template: pathlib.Path, **values: object) -> str:
    """Fills in a page's template, with the style that all pages share.

    Args:
        template: `pathlib.Path` of a jinja template; its `<style>` is `{{ style | safe }}`.
        values: What it speaks of. SVG, as `fer_ensemble.report.result_plots` draws it, takes the filter `safe`.

    Returns:
        HTML, as text.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),  # of parts that templates include
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": _percent,
        "points": _points,
        "share": _share,
        "duration": format_seconds,
        "p": _p,
        "folds_by_value": format_folds_by_value,
    }
    style = STYLE.read_text(encoding="utf-8").rstrip()
    return environment.get_template(template.name).render(style=style, **values)


def _percent(value, decimals=1):
    return "\N{EN DASH}" if value is None else f"{100 * value:.{decimals}f}"


def _points(value):
    return "\N{EN DASH}" if value is None else f"{100 * value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _share(value):
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def _p(value):
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
