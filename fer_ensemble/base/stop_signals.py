"""Signals that ask a command to stop: Ctrl-C, and what cluster schedulers and closing terminals send."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

# SLURM sends SIGTERM before it preempts a job, and SIGUSR1, by custom, before its time is up; a closing terminal
# sends SIGHUP. Windows knows the first two only.
STOP_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP") if hasattr(signal, name)
)
# Schedulers and shells may each pass on one and the same request: only later than this is a signal a second one.
SECONDS_OF_ONE_REQUEST = 1.0


class Stopped(BaseException):
    """A signal asked us to stop. As KeyboardInterrupt it is no `Exception`: no `except` takes it for a failure.

    Attributes:
        signal: The `signal.Signals`.
        where: What to tell of the work that is stopped; may be set by whoever knows.
    """

    def __init__(self, number: int, where: str = ""):
        self.signal = signal.Signals(number)
        self.where = where

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}" + (f": {self.where}" if self.where else "")


class _Request:
    """What the signals of this process asked for so far: there is one set of handlers in a process."""

    number = None
    time = 0.0
    deferred = False


def raise_stopped() -> None:
    """Makes the stop signals raise `Stopped` in the main thread, and a second one end the process at once.

    Signals that are ignored stay so, as SIGHUP under nohup.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    sys.excepthook, sys.unraisablehook = _print_error, _raise_again


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Within the block, or the function, a signal raises nothing until `check` is called, or it ends well.

    Nothing must be raised inside TensorFlow or JAX: where they call Python from C++, some of them print what was
    raised, and go on. In any thread but the main one this does nothing, since nothing is ever raised there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _Request.deferred = _Request.deferred, True
    try:
        yield
    finally:
        _Request.deferred = before
    if not before:
        check()


def only_note() -> None:
    """From here to the end of the process a signal raises nothing any more; a second one still ends it at once.

    For when the work is done, and Python takes leave: what is raised then, nobody catches.
    """
    _Request.deferred = True


def received() -> bool:
    """Returns whether a signal has asked us to stop."""
    return _Request.number is not None


def check() -> None:
    """Raises `Stopped` if a signal has asked us to stop."""
    if received():
        raise Stopped(_Request.number)


@contextlib.contextmanager
def recognised() -> Iterator[None]:
    """Within the block, an error that a signal led to is raised as `Stopped`.

    What is raised in a callback of TensorFlow's C++ comes out of it as another error, a `TypeError` of no words.
    An `OSError` stays: that a disk is full matters more.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            raise
        check()
        raise


def _handle(number, frame):
    if received():
        if time.monotonic() - _Request.time > SECONDS_OF_ONE_REQUEST:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        return
    _Request.number, _Request.time = number, time.monotonic()
    if not _Request.deferred:
        raise Stopped(number)


def _print_error(kind, error, trace):
    # Of what it cannot raise, Cython tells this hook first, and the other one then.
    from_cython = trace is not None and trace.tb_frame.f_code.co_filename.endswith(".pyx")
    if not (from_cython and received()):
        sys.__excepthook__(kind, error, trace)


def _raise_again(unraisable):
    # Python lets nothing through where it was raised, as in a callback of the garbage collector (JAX has one): a
    # moment later it is elsewhere.
    if not isinstance(unraisable.exc_value, Stopped):
        if not received():  # else it is of an object that was half made when the signal came (h5py's say KeyError)
            sys.__unraisablehook__(unraisable)
        return
    _Request.number = None
    threading.Timer(0.01, os.kill, (os.getpid(), unraisable.exc_value.signal)).start()
