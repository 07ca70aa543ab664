"""Runs commands on this machine, several at a time, each with a log file."""

import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from fer_ensemble.base.stop_signals import SECONDS_OF_ONE_REQUEST, STOP_SIGNALS, Stopped
from fer_ensemble.launch.plan import module_environment

BOUND_PROCESS = pathlib.Path(__file__).with_name("bound_process.py")
SECONDS_BETWEEN_LOOKS = 0.2


@dataclasses.dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        name: Name for people, different for each job.
        command: List of the program and its arguments.
        log: `pathlib.Path` of the file to which all that it prints is appended.
    """

    name: str
    command: list[str]
    log: pathlib.Path


@dataclasses.dataclass
class Run:
    """A job that has begun.

    Attributes:
        job: The `Job`.
        environment: What its worker adds to our environment.
        process: Its `subprocess.Popen`.
        began: When it began, in seconds of `time.monotonic`.
        log_start: Where its own lines begin in the log, in bytes.
        seconds: How long it took, or None while it runs.
        exit_code: As `subprocess` gives it (the negative number of a signal), or None while it runs.
    """

    job: Job
    environment: dict[str, str]
    process: subprocess.Popen
    began: float
    log_start: int
    seconds: float | None = None
    exit_code: int | None = None

    def read_last_lines(self, lines: int) -> list[str]:
        """Returns the last lines of this run in the log, without those that a progress bar overwrote."""
        with self.job.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_start, end - 10_000))
            text = file.read().decode(errors="replace")
        kept = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
        return [line for line in kept if line][-lines:]


def run_jobs(
    jobs: list[Job],
    workers: list[dict[str, str]],
    watch: Callable[[list[Run]], None] = lambda runs: None,
    grace: float = 20.0,
) -> list[Run]:
    """Runs jobs in their order, one for each worker at a time; what becomes of one does not touch the others.

    While they run, Ctrl-C, SIGTERM, SIGUSR1 and SIGHUP are passed to the commands as SIGTERM; those that have not
    ended after `grace` seconds, or at a second signal, are killed. On Linux they die with us if we are killed.

    Args:
        jobs: List of `Job`.
        workers: A dictionary for each worker: what its environment adds to ours.
        watch: Function that is given the list of `Run`, in the order of their beginning, a few times a second and
            when all have ended.
        grace: In seconds.

    Returns:
        List of `Run`, all ended.

    Raises:
        Stopped: After such a signal; the commands that ran have ended.
    """
    waiting, free, runs = list(jobs), list(workers), []
    with _Signals() as signals:
        try:
            while (waiting or _running(runs)) and not signals.received:
                while waiting and free:
                    runs.append(_start(waiting.pop(0), free.pop(0)))
                watch(runs)
                time.sleep(SECONDS_BETWEEN_LOOKS)
                free += [run.environment for run in _running(runs) if _has_ended(run)]
            watch(runs)
        finally:
            _end(_running(runs), grace, signals)
            if signals.received:  # whatever the watcher has to say besides
                raise Stopped(signals.received[0])
    return runs


def _start(job, environment):
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {shlex.join(job.command)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            [sys.executable, str(BOUND_PROCESS), str(os.getpid()), *job.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**module_environment(), "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,  # out of reach of the terminal's Ctrl-C: we alone decide when it ends
        )
        return Run(job, environment, process, time.monotonic(), log.tell())


def _running(runs):
    return [run for run in runs if run.exit_code is None]


def _has_ended(run):
    run.exit_code = run.process.poll()
    if run.exit_code is None:
        return False
    run.seconds = time.monotonic() - run.began
    return True


def _end(runs, grace, signals):
    for run in runs:
        run.process.terminate()
    deadline, before = time.monotonic() + grace, len(signals.received)
    while not all(_has_ended(run) for run in _running(runs)):
        if time.monotonic() > deadline or len(signals.received) > before:
            for run in _running(runs):
                run.process.kill()
        time.sleep(0.05)


class _Signals:
    """Notes the signals that ask us to stop, while the block runs, instead of ending us in mid-step.

    What comes within a second of the first is the same request once more.
    """

    def __enter__(self):
        self.received = []
        self._before = {}
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number, frame):
        if not self.received:
            self._first = time.monotonic()
        elif time.monotonic() - self._first < SECONDS_OF_ONE_REQUEST:
            return
        self.received.append(number)

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)
