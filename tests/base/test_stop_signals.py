import contextlib
import signal
import subprocess
import sys
import threading

import pytest

from fer_ensemble.base import stop_signals
from fer_ensemble.base.stop_signals import STOP_SIGNALS, Stopped

BEGIN = """
import contextlib, os, signal, sys, time
from fer_ensemble.base import stop_signals
stop_signals.raise_stopped()
def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
"""


def run(python, code):
    return python("-c", BEGIN + code)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_signal_raises_where_it_comes(python, number):
    result = run(python, f"send({int(number)})\nprint('went on')")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.endswith(f"fer_ensemble.base.stop_signals.Stopped: stopped by {number.name}\n")


def test_it_passes_what_catches_any_exception(python):
    code = """
try:
    try: send()
    except Exception: print("taken for a failure")
except stop_signals.Stopped as stopped: print(stopped.signal.name)
"""
    assert run(python, code).stdout == "SIGTERM\n"


def test_a_deferred_signal_waits_for_the_check(python):
    code = """
try:
    with stop_signals.deferred():
        send(signal.SIGUSR1)
        print(stop_signals.received())
        stop_signals.check()
        print("went on")
except stop_signals.Stopped as stopped: print(stopped)
"""
    assert run(python, code).stdout == "True\nstopped by SIGUSR1\n"


def test_a_deferred_signal_is_raised_at_the_end_of_the_block_at_the_latest(python):
    code = """
try:
    with stop_signals.deferred():
        send()
        print("done")
    print("went on")
except stop_signals.Stopped as stopped: print(stopped)
"""
    assert run(python, code).stdout == "done\nstopped by SIGTERM\n"


def test_the_same_request_twice_is_one_request(python):
    # As when both the shell and the scheduler pass it on.
    code = """
with contextlib.suppress(stop_signals.Stopped), stop_signals.deferred():
    send(signal.SIGTERM); send(signal.SIGUSR1); send(signal.SIGTERM)
    print("saved")
"""
    assert run(python, code).stdout == "saved\n"


def test_a_second_signal_ends_at_once():
    code = BEGIN + "with stop_signals.deferred():\n    print('deaf', flush=True)\n    while True: time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"deaf\n"
        # The second is one that comes a second after the first was seen, which may be late on a busy machine.
        for _ in range(60):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.2)
                break
        assert process.wait(60) == -signal.SIGTERM


def test_what_is_ignored_stays_ignored(python):
    code = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
stop_signals.raise_stopped()
send(signal.SIGHUP)
print('went on')
"""
    assert run(python, code).stdout == "went on\n"


def test_it_tells_where_the_work_stands():
    assert str(Stopped(signal.SIGTERM, "it stands at epoch 3")) == "stopped by SIGTERM: it stands at epoch 3"


def test_where_nothing_can_be_raised_it_is_raised_a_moment_later(python):
    code = """
import gc
def collecting(phase, info):
    if phase == "start": send()
gc.callbacks.append(collecting)
try:
    gc.collect()
    gc.callbacks.clear()
    time.sleep(100)
except stop_signals.Stopped as stopped: print(stopped)
"""
    result = run(python, code)
    assert (result.stdout, result.stderr) == ("stopped by SIGTERM\n", "")


def test_what_half_made_objects_say_as_they_go_is_shown_unless_a_signal_left_them_so(python):
    code = """
class Registered:
    def __del__(self): raise KeyError(0)
Registered()
print("between", file=sys.stderr, flush=True)
try: send()
except stop_signals.Stopped: Registered()
"""
    before, after = run(python, code).stderr.split("between\n")
    assert "KeyError: 0" in before and after == ""


def test_so_is_what_those_of_cython_print_at_once(python):
    code = """
def print_from(name):
    try: exec(compile("raise KeyError(0)", name, "exec"))
    except KeyError as error: sys.excepthook(KeyError, error, error.__traceback__.tb_next)
print_from("objects.pyx")
print("between", file=sys.stderr, flush=True)
try: send()
except stop_signals.Stopped: print_from("objects.pyx")
print("and last", file=sys.stderr, flush=True)
print_from("command.py")
"""
    before, rest = run(python, code).stderr.split("between\n")
    after, ours = rest.split("and last\n")
    assert "KeyError: 0" in before and after == "" and "KeyError: 0" in ours


def test_threads_that_overlap_leave_the_main_thread_as_it_was():
    both_in, first_out = threading.Barrier(2), threading.Event()

    def first():
        with stop_signals.deferred():
            both_in.wait(10)
        first_out.set()

    def second():
        with stop_signals.deferred():
            both_in.wait(10)
            first_out.wait(10)

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not stop_signals._Request.deferred
