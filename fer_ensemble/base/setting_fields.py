"""Fields of the classes of settings: each with its help text, and the values that it may have."""

import dataclasses
import math
from collections.abc import Collection
from typing import Any

from fer_ensemble.base.errors import UserError

LARGEST = 2**63 - 1  # of whole numbers: what the arrays can hold


def setting(
    default: object,
    text: str,
    choices: Collection | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> Any:
    """Returns a field for a dataclass of settings, which becomes a flag.

    Args:
        default: Its default.
        text: Its help text, which names the unit.
        choices: What it may be.
        least, below, most: The range of a number; None: no bound.
    """
    limits = {"choices": choices, "least": least, "below": below, "most": most}
    return dataclasses.field(default=default, metadata={"help": text, **limits})


def check_settings(settings: object) -> None:
    """Raises UserError if a field of `setting` has a value that it may not have; None is always allowed."""
    for field in dataclasses.fields(settings):
        _check(field.name, getattr(settings, field.name), field.metadata)


def _check(name, value, limits):
    if value is None:
        return
    choices, least, below, most = (limits[key] for key in ("choices", "least", "below", "most"))
    if choices and value not in choices:
        raise UserError(f"`{name}` must be one of {', '.join(map(str, choices))}. Received: {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"`{name}` must be a finite number. Received: {value}.")
    received = f"Received: {value:g}." if isinstance(value, float) else f"Received: {value}."
    if least is not None and value < least:
        raise UserError(f"`{name}` must be at least {least:g}. {received}")
    if below is not None and value >= below:
        raise UserError(f"`{name}` must be below {below:g}. {received}")
    if most is not None and value > most:
        limit = f"{most:,}" if isinstance(most, int) else f"{most:g}"
        raise UserError(f"`{name}` must be at most {limit}. {received}")
    if isinstance(value, int) and value > LARGEST:
        raise UserError(f"`{name}` must be at most {LARGEST:,}. {received}")
