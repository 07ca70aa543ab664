"""Signals that ask a command to stop: Ctrl-C, and what cluster schedulers and closing terminals send."""

import contextlib
import os
import signal
import sys
import threading
import time

# SLURM sends SIGTERM before it preempts a job, and SIGUSR1, by custom, before its time is up; a closing terminal
# sends SIGHUP.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
# Schedulers and shells may each pass on one and the same wish: only later than this is a signal a second one.
SECONDS_OF_ONE_WISH = 1.0


class Stopped(BaseException):
    """A signal asked us to stop. As KeyboardInterrupt it is no `Exception`: no `except` takes it for a failure.

    Attributes:
        signal: The `signal.Signals`.
        where: What to tell of the work that is stopped; may be set by whoever knows.
    """

    def __init__(self, number, where=""):
        self.signal = signal.Signals(number)
        self.where = where

    def __str__(self):
        return f"stopped by {self.signal.name}" + (f": {self.where}" if self.where else "")


class _Wish:
    """What the signals of this process asked for so far: there is one set of handlers in a process."""

    number = None
    time = 0.0
    deferred = False


def heed():
    """Makes the stop signals raise `Stopped` in the main thread, and a second one end the process at once.

    Signals that are ignored stay so, as SIGHUP under nohup.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    sys.unraisablehook = _raise_again


@contextlib.contextmanager
def deferred():
    """Within the block, or the function, a signal raises nothing until `check` is called, or it ends well.

    Nothing must be raised inside TensorFlow or JAX: where they call Python from C++, some of them print what was
    raised, and go on.
    """
    before, _Wish.deferred = _Wish.deferred, True
    try:
        yield
    finally:
        _Wish.deferred = before
    if not before:
        check()


def received():
    """Returns whether a signal has asked us to stop."""
    return _Wish.number is not None


def check():
    """Raises `Stopped` if a signal has asked us to stop."""
    if received():
        raise Stopped(_Wish.number)


def _handle(number, frame):
    if received():
        if time.monotonic() - _Wish.time > SECONDS_OF_ONE_WISH:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        return
    _Wish.number, _Wish.time = number, time.monotonic()
    if not _Wish.deferred:
        raise Stopped(number)


def _raise_again(unraisable):
    # Python lets nothing through where it was raised, as in a callback of the garbage collector (JAX has one): a
    # moment later it is elsewhere.
    if not isinstance(unraisable.exc_value, Stopped):
        sys.__unraisablehook__(unraisable)
        return
    _Wish.number = None
    threading.Timer(0.01, os.kill, (os.getpid(), unraisable.exc_value.signal)).start()
