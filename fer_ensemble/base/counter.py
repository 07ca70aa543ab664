"""One line on the terminal while something takes its time."""

import sys


class Progress:
    """Counts aloud on stderr, in one line that goes away; says nothing where stderr is no terminal.

    Example:

    >>> with Progress("Reading fer2013.csv", "rows") as progress:
    ...     progress.add(512)
    """

    def __init__(self, task: str, unit: str):
        self._task, self._unit = task, unit
        self._bar = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, TextColumn

            text = TextColumn("{task.description}: {task.completed:,} {task.fields[unit]}", markup=False)
            self._bar = Progress(text, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(self._task, total=None, unit=self._unit)
        return self

    def add(self, count: int) -> None:
        """Counts further."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0], count)

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()
