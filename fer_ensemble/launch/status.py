"""How every member stands, from the files alone: what `bash splitscript.sh --status` prints."""

import dataclasses
import pathlib
import time

from fer_ensemble.base.words import format_seconds
from fer_ensemble.launch.plan import is_current
from fer_ensemble.members import directory, lock, notes, replacement
from fer_ensemble.training.state import read_notes

WAITING, RUNNING, INTERRUPTED = "waiting", "running", "interrupted"
COMPLETE, FAILED = "complete", "failed"
COLORS = {WAITING: "dim", RUNNING: "cyan", INTERRUPTED: "yellow", COMPLETE: "green", FAILED: "red"}
SECONDS_BETWEEN_LOOKS = 2
# On a file system whose locks end at the node, a member that runs elsewhere is known by its progress, which is
# written every few seconds, but not while the held-out fold is looked at.
SECONDS_OF_A_SIGN_OF_LIFE = 120


@dataclasses.dataclass(frozen=True)
class MemberStatus:
    """How a member stands.

    Attributes:
        name: `exp_2/cnn_0`.
        state: `waiting` (not begun), `running`, `interrupted` (it goes on when it is started again), `complete` or
            `failed` (its last training ended in an error).
        progress: What it last said of itself, as `notes.write_progress` wrote it; None if nothing.
        note: For people: the scores, or the error.
    """

    name: str
    state: str
    progress: dict | None = None
    note: str = ""


def read_status(folder: pathlib.Path) -> MemberStatus:
    """Reads how a member stands; changes nothing.

    Args:
        folder: The member's folder, which need not exist.

    Returns:
        `MemberStatus`.
    """
    name = f"{folder.parent.name}/{folder.name}"
    if is_current(folder):
        return _read_complete(folder, name)
    work = replacement.work_folder(folder)
    progress, failure = notes.read_progress(work), notes.read_failure(work)
    if lock.is_held(folder) or _lives_elsewhere(progress, failure):
        return MemberStatus(name, RUNNING, progress)
    if failure:
        return MemberStatus(name, FAILED, progress, failure.get("error", "it left no reason"))
    try:
        saved = read_notes(work / directory.STATE)
    except ValueError as error:
        return MemberStatus(name, FAILED, progress, str(error))
    if saved:  # later than the last progress
        steps = saved.get("step", 0)
        note = f"in the middle of epoch {len(saved['history']) + 1}" if steps else ""
        progress = {"epochs": saved["settings"]["epochs"], **(progress or {}), "epoch": len(saved["history"])}
        return MemberStatus(name, INTERRUPTED, progress, note)
    return MemberStatus(name, INTERRUPTED if progress else WAITING, progress)


def _read_complete(folder, name):
    try:
        record = directory.read_record(folder)
        scores = [f"{part} {score:.2%}" for part, score in record["metrics"].items() if score is not None]
        epochs = record["settings"]["epochs"]
    except ValueError as error:
        return MemberStatus(name, FAILED, note=str(error))
    except KeyError as error:
        return MemberStatus(name, FAILED, note=f"{folder / directory.RECORD} has no {error}")
    return MemberStatus(name, COMPLETE, {"epoch": epochs, "epochs": epochs}, ", ".join(scores))


def _lives_elsewhere(progress, failure):
    if not progress or failure or progress.get("host") == notes.describe_process()["host"]:
        return False
    return (
        progress.get("state") == "running" and time.time() - progress.get("updated", 0) < SECONDS_OF_A_SIGN_OF_LIFE
    )


def format_status(statuses: list[MemberStatus]) -> object:
    """Returns a `rich` table of a list of `MemberStatus`, with the number of members in each state below it."""
    from rich.markup import escape
    from rich.table import Table

    numbers = {state: sum(status.state == state for status in statuses) for state in COLORS}
    summary = ", ".join(f"{number} {state}" for state, number in numbers.items() if number)
    table = Table(box=None, pad_edge=False, caption=summary, caption_justify="left", caption_style="")
    for column in ("member", "state", "epoch", "images/s", "left", "where", ""):
        right = column in ("epoch", "images/s", "left")
        table.add_column(column, justify="right" if right else "left", no_wrap=bool(column), overflow="fold")
    for status in statuses:
        state = f"[{COLORS[status.state]}]{status.state}[/]"
        table.add_row(status.name, state, *_format_progress(status), escape(status.note))
    return table


def _format_progress(status):
    progress = status.progress
    if not progress or "epoch" not in progress or "epochs" not in progress:
        return "", "", "", ""
    running = status.state == RUNNING
    speed, left = (progress.get(name) if running else None for name in ("images_per_second", "seconds_left"))
    return (
        f"{progress['epoch']:.4g}/{progress['epochs']}",
        f"{speed:,.0f}" if speed else "",
        format_seconds(left) if left else "",
        notes.describe_holder(progress) if running else "",
    )


def show_status(folders: list[pathlib.Path], watch: bool = False) -> None:
    """Prints the table.

    Where the output is no terminal, watching prints the last one only.

    Args:
        folders: The members' folders.
        watch: Whether to go on and print it anew every two seconds, until all members are complete or someone
            stops it.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 160)  # a file or a pipe: nothing has to fit a screen
    if not watch:
        console.print(format_status([read_status(folder) for folder in folders]))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            statuses = [read_status(folder) for folder in folders]
            live.update(format_status(statuses), refresh=True)
            if all(status.state == COMPLETE for status in statuses):
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)
