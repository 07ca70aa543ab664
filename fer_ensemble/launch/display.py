"""How far the training of all members is, and when it will end."""

import dataclasses
import sys
import time

from fer_ensemble.base.words import format_seconds
from fer_ensemble.launch.local import Run
from fer_ensemble.launch.plan import PlannedMember
from fer_ensemble.members.notes import read_progress
from fer_ensemble.members.replacement import work_folder


@dataclasses.dataclass(frozen=True)
class MemberTime:
    """What is known of one member's time, in seconds.

    Attributes:
        model: Its architecture.
        spent: How long it has been training, or None if not at all.
        left: How long it will go on; 0 for a complete one, None where that is not known.
    """

    model: str
    spent: float | None = None
    left: float | None = None


def estimate_seconds_left(times: list[MemberTime], workers: int) -> float | None:
    """Estimates when all members will be complete.

    A member that has not said how long it will take is taken for the mean of those of its architecture that have;
    an architecture of which nothing is known, for the mean of all: a rough number, but on a CPU the first of
    the others may be hours away.

    Args:
        times: List of `MemberTime`, one per member.
        workers: How many train at a time.

    Returns:
        Seconds: the sum shared out evenly over the workers, or the longest single member if that is more. None
        while nothing is known of any member.

    Example:

    >>> known = [MemberTime("cnn", spent=60, left=40), MemberTime("resnet", spent=300, left=0)]
    >>> estimate_seconds_left([*known, MemberTime("cnn"), MemberTime("resnet")], workers=2)  # (40 + 100 + 300) / 2
    300.0
    """
    totals = {}
    for member in times:
        if member.spent is not None and member.left is not None:
            totals.setdefault(member.model, []).append(member.spent + member.left)
    if not totals:
        return None
    everything = [total for group in totals.values() for total in group]
    lefts = []
    for member in times:
        if member.left is not None:
            lefts.append(member.left)
        else:
            group = totals.get(member.model, everything)
            lefts.append(max(0.0, sum(group) / len(group) - (member.spent or 0.0)))
    return max(sum(lefts) / workers, *lefts, 0.0)


class LiveLine:
    """One live line on a terminal, and lines that stay above it; elsewhere only those. Use it as a context.

    Args:
        total: How many things there are to complete.
    """

    def __init__(self, total: int):
        self._bar = make_bar(total) if sys.stdout.isatty() else None

    def __enter__(self) -> "LiveLine":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def _say(self, line):
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def _show(self, completed, description):
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=completed, description=description)
            self._bar.refresh()


class Display(LiveLine):
    """Shows how far the runs are: one live line on a terminal, else a line whenever a member begins or ends.

    It is the `watch` of `run_jobs`. Use it as a context, so that the live line is taken off the screen.

    Args:
        members: List of `PlannedMember`, the complete ones, too.
        workers: How many train at a time.
    """

    def __init__(self, members: list[PlannedMember], workers: int):
        super().__init__(len(members))
        self._members = members
        self._workers = workers
        self._said = set()
        self._totals = {}  # seconds of whole members, by name: a process may have begun in the middle of one

    def __call__(self, runs: list[Run]) -> None:
        runs = {run.job.name: run for run in runs}
        reports = {name: read_report(run) for name, run in runs.items() if run.exit_code is None}
        complete = sum(member.complete or _is_done(runs.get(member.name)) for member in self._members)
        times = [self._time(member, runs, reports) for member in self._members]
        left = estimate_seconds_left(times, self._workers)
        time_left = f"about {format_seconds(left)} left" if left else ""
        for run in runs.values():
            self._say_once(run, "began", f"{run.job.name} begins{_describe_device(run)}: {run.job.log}")
            if run.exit_code is not None:
                how = "complete" if _is_done(run) else "NOT complete"
                line = f"{run.job.name} {how} after {format_seconds(run.seconds)}"
                overall = f"{complete} of {len(self._members)} members complete"
                self._say_once(run, "ended", ", ".join(filter(None, [line, overall, time_left])))
        self._sum_up(reports, complete, time_left)

    def _time(self, member, runs, reports):
        model, run = member.settings.model, runs.get(member.name)
        if member.complete:
            return MemberTime(model, member.seconds, 0.0)
        if run is None:
            return MemberTime(model)
        if run.exit_code is not None:  # how long a failure took says nothing about the others
            total = max(run.seconds, self._totals.get(member.name, 0.0))
            return MemberTime(model, total if _is_done(run) else None, 0.0)
        spent, report = time.monotonic() - run.began, reports[member.name]
        left = report.get("seconds_left")
        if left is not None and report["epoch"] < report["epochs"]:
            spent = max(spent, left * report["epoch"] / (report["epochs"] - report["epoch"]))
            self._totals[member.name] = spent + left
        return MemberTime(model, spent, left)

    def _say_once(self, run, what, line):
        if (run.job.name, what) in self._said:
            return
        self._said.add((run.job.name, what))
        self._say(line)

    def _sum_up(self, reports, complete, time_left):
        facts = [f"{complete}/{len(self._members)} members"]
        epochs = {name: report for name, report in reports.items() if report}
        if len(reports) > 1:
            facts.append(f"{len(reports)} training")
        elif epochs:
            (report,) = epochs.values()
            facts.append(f"epoch {report['epoch']:.1f}/{report['epochs']}")
        speed = sum(report.get("images_per_second") or 0 for report in epochs.values())
        facts += [f"{speed:,.0f} images/s"] if speed else []
        facts += [time_left] if time_left else []
        done = complete + sum(report["epoch"] / report["epochs"] for report in epochs.values())
        self._show(done, "  ".join(facts))


def make_bar(total: int) -> object:
    """Returns a `rich` progress bar with one task, which is shown as it is when it is updated and refreshed."""
    from rich.progress import BarColumn, Progress, TextColumn

    # We refresh it ourselves: no thread while processes are started.
    bar = Progress(BarColumn(), TextColumn("{task.description}"), transient=True, auto_refresh=False)
    bar.add_task("", total=total)
    return bar


def _is_done(run):
    return run is not None and run.exit_code == 0


def _describe_device(run):
    gpu = run.environment.get("CUDA_VISIBLE_DEVICES")
    return f" on GPU {gpu}" if gpu else ""


def read_report(run: Run) -> dict:
    """Returns what the member that a `Run` trains last said of itself, a dictionary; empty if nothing."""
    # An earlier attempt's file may still be there: what it says of the time left no longer holds.
    report = read_progress(work_folder(run.job.log.parent)) or {}
    tells = report.get("pid") == run.process.pid and "epoch" in report and report.get("epochs")
    return report if tells else {}
