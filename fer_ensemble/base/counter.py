"""One line on the terminal while something takes its time."""

import shutil
import sys
import time


class Progress:
    """Counts aloud on stderr, in place; says nothing where stderr is no terminal.

    Example:

    >>> with Progress("Reading fer2013.csv", "rows") as progress:
    ...     progress.add(512)
    """

    def __init__(self, task, unit):
        self._task, self._unit = task, unit
        self._count = 0
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self):
        return self

    def add(self, count):
        self._count += count
        if self._terminal and time.monotonic() - self._shown > 0.1:
            self._shown = time.monotonic()
            line = f"{self._task}: {self._count:,} {self._unit}"
            width = shutil.get_terminal_size().columns - 1  # a longer line would not be overwritten
            print(f"\r{line[-width:]}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error):
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
