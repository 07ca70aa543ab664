"""Telling how much memory something takes before it is tried."""

import pathlib

from fer_ensemble.base.errors import UserError


def free_memory() -> int | None:
    """Returns the bytes of memory that can still be taken, or None where the system does not say (not Linux)."""
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.partition("MemAvailable:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None


def check_memory(size: int, what: str) -> None:
    """Raises UserError if `size` bytes for `what` are more than are free, before the attempt ends in a kill."""
    free = free_memory()
    if free is not None and size > free:
        raise UserError(
            f"{what} take {size / 1e9:.1f} GB of memory. Received: {free / 1e9:.1f} GB that are free. "
            "Take a machine with more, or fewer images."
        )
