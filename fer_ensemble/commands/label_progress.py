"""How far `fer-ensemble label` is, and how long it takes yet."""

import sys
from collections.abc import Collection

from fer_ensemble.commands.label_inputs import is_video

_FEW = 4  # pictures, which are done before a bar is read


class Progress:
    """A bar on a terminal; nothing for a few pictures, or elsewhere.

    Args:
        paths: The files that are to be labelled. Each counts the same.
    """

    def __init__(self, paths: Collection[str]):
        self._bar, self._total = None, len(paths)
        self._long = len(paths) > _FEW or any(map(is_video, paths))

    def __enter__(self) -> "Progress":
        if self._long and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("labelling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            # What is printed on the same terminal goes above the bar.
            printed = sys.stdout.isatty()
            self._bar = Bar(
                *columns,
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=printed,
                redirect_stderr=False,
            )
            self._bar.start()
            self._bar.add_task("", total=self._total)
        return self

    def add(self, share: float) -> None:
        """Adds what has been done: 1 is a file, less is a part of a video."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0], share)

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()
