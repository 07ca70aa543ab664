"""One line on the terminal while something takes its time."""

import sys


class ProgressBar:
    """A line on stderr that goes away at its end; nothing where stderr is no terminal. A context, too.

    Args:
        task: What takes its time.
        unit: What is counted.
        total: How much there is of it; None: nobody knows, and it only counts.
        time_left: Whether it tells how long the rest will take.
        shown: Whether it is worth a line.

    Example:

    >>> with ProgressBar("Reading fer2013.csv", "rows") as bar:
    ...     bar.add(512)
    """

    def __init__(self, task: str, unit: str, total: int | None = None, time_left: bool = True, shown: bool = True):
        self._task, self._unit, self._total, self._time_left = task, unit, total, time_left
        self._shown, self._bar = shown, None

    def start(self) -> None:
        """Shows it."""
        if self._shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            if self._total is None:
                columns = [TextColumn("{task.description}: {task.completed:,}", markup=False)]
            else:
                columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
            columns.append(TextColumn("{task.fields[unit]}  {task.fields[facts]}", markup=False))
            if self._total is not None and self._time_left:
                columns.append(TimeRemainingColumn())
            # What is printed on the same terminal goes above the line; what goes into a file stays out of it.
            printed = sys.stdout.isatty()
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=printed)
            self._bar.start()
            self._bar.add_task(self._task, total=self._total, unit=self._unit, facts="")

    def add(self, count: float = 1, facts: str = "") -> None:
        """Counts further.

        Args:
            count: How much was done; less than 1 is a part of one.
            facts: What else is worth a word now.
        """
        if self._bar:
            self._bar.update(self._bar.task_ids[0], advance=count, facts=facts)

    def stop(self) -> None:
        """Takes it away."""
        if self._bar:
            self._bar.stop()

    def __enter__(self) -> "ProgressBar":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
