import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from fer_ensemble.base.stop_signals import STOP_SIGNALS, Stopped
from fer_ensemble.launch.local import Job, run_jobs

PATIENCE = 120.0  # seconds, on a busy machine


def make_job(folder, name, code, *arguments):
    return Job(
        name, [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], folder / name / "train.log"
    )


def wait_for(condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_jobs_begin_in_their_order_and_one_worker_runs_one_at_a_time(tmp_path):
    code = "import sys, time; f = open(sys.argv[1], 'a'); f.write('['); f.flush(); time.sleep(0.1); f.write(']')"
    runs = run_jobs([make_job(tmp_path, name, code, tmp_path / "trace") for name in "abc"], [{}])
    assert [run.job.name for run in runs] == ["a", "b", "c"]
    assert [run.exit_code for run in runs] == [0, 0, 0]
    assert (tmp_path / "trace").read_text() == "[][][]"


def test_two_workers_run_side_by_side_each_in_its_environment(tmp_path):
    # Each waits for the other: one after the other, they would never end.
    code = """
        import os, pathlib, sys, time
        here, own, other = pathlib.Path(sys.argv[1]), *sys.argv[2:]
        (here / own).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        while not (here / other).exists():
            time.sleep(0.02)
    """
    jobs = [make_job(tmp_path, "a", code, tmp_path, "x", "y"), make_job(tmp_path, "b", code, tmp_path, "y", "x")]
    run_jobs(jobs, [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "5"}])
    assert [(tmp_path / name).read_text() for name in "xy"] == ["0", "5"]


def test_a_failure_leaves_the_others_alone(tmp_path):
    runs = run_jobs([make_job(tmp_path, "bad", "raise SystemExit(7)"), make_job(tmp_path, "good", "pass")], [{}])
    assert [run.exit_code for run in runs] == [7, 0]


def test_a_killed_job_gives_the_number_of_the_signal(tmp_path):
    (run,) = run_jobs([make_job(tmp_path, "a", "import os; os.kill(os.getpid(), 9)")], [{}])
    assert run.exit_code == -signal.SIGKILL


def test_a_program_that_is_not_there_fails_like_any_other(tmp_path):
    (run,) = run_jobs([Job("a", ["/no/such/program"], tmp_path / "a.log")], [{}])
    assert run.exit_code == 1
    assert "No such file" in run.read_last_lines(3)[-1]


def test_the_log_is_appended_to_and_begins_with_the_command(tmp_path):
    for word in ("first", "second"):
        run_jobs([make_job(tmp_path, "a", f"print('{word}')")], [{}])
    lines = (tmp_path / "a" / "train.log").read_text().splitlines()
    assert [lines[1], lines[3]] == ["first", "second"]
    assert "-c 'print('" in lines[0]


def test_the_last_lines_are_of_this_run_and_of_both_streams(tmp_path):
    run_jobs([make_job(tmp_path, "a", "print('of old')")], [{}])
    code = "import sys; print('one'); print('10%\\r20%\\r30%'); print('two', file=sys.stderr); print()"
    (run,) = run_jobs([make_job(tmp_path, "a", code)], [{}])
    assert run.read_last_lines(10) == ["one", "30%", "two"]
    assert run.read_last_lines(1) == ["two"]


SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
LAUNCHER = """
import pathlib, sys
from fer_ensemble.launch.local import Job, run_jobs
here, code, grace = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
jobs = [Job(n, [sys.executable, "-c", code, str(here / n)], here / f"{n}.log") for n in ("pid_a", "pid_b")]
run_jobs(jobs, [{}, {}], grace=grace)
"""


def start_launcher(folder, code, grace=20):
    repository = pathlib.Path(__file__).parents[2]
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder), code, str(grace)],
        cwd=repository,
        stderr=subprocess.PIPE,
        text=True,
    )
    files = [folder / "pid_a", folder / "pid_b"]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    return launcher, [int(file.read_text()) for file in files]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_ends_the_jobs_and_is_told(tmp_path, number):
    launcher, pids = start_launcher(tmp_path, SLEEPER)
    launcher.send_signal(number)
    assert f"Stopped: stopped by {number.name}" in launcher.communicate(timeout=PATIENCE)[1]
    assert not any(is_alive(pid) for pid in pids)


def test_what_does_not_heed_sigterm_is_killed_after_the_grace(tmp_path):
    launcher, pids = start_launcher(tmp_path, DEAF, grace=0.5)
    launcher.send_signal(signal.SIGTERM)
    launcher.communicate(timeout=PATIENCE)
    assert not any(is_alive(pid) for pid in pids)


def test_the_same_request_once_more_lets_the_jobs_save(tmp_path):
    saving = (
        "import os, signal, sys, time\n"
        "def save(*_):\n    time.sleep(3)\n    open(sys.argv[1] + '.saved', 'w').close()\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\nwhile True: time.sleep(0.01)"
    )
    launcher, _ = start_launcher(tmp_path, saving, grace=3600)
    # As of a scheduler, and then of the shell. Stopped meanwhile, it gets both at once, on a busy machine, too.
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT):
        launcher.send_signal(number)
    launcher.communicate(timeout=PATIENCE)
    assert len(list(tmp_path.glob("*.saved"))) == 2


def test_a_second_signal_kills_at_once(tmp_path):
    launcher, pids = start_launcher(tmp_path, DEAF, grace=3600)
    for _ in range(60):  # two that come close together may be seen as one
        launcher.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            launcher.communicate(timeout=1)
            break
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone binds processes so")
def test_jobs_do_not_outlive_a_launcher_that_is_killed(tmp_path):
    launcher, pids = start_launcher(tmp_path, DEAF)
    launcher.kill()
    launcher.communicate(timeout=PATIENCE)
    wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_an_error_of_the_watcher_ends_the_jobs(tmp_path):
    pid_file = tmp_path / "pid"

    def watch(runs):
        if pid_file.exists() and pid_file.read_text():
            raise OSError("the screen is gone")

    with pytest.raises(OSError, match="the screen is gone"):
        run_jobs([make_job(tmp_path, "a", SLEEPER, pid_file)], [{}], watch)
    assert not is_alive(int(pid_file.read_text()))


def test_a_signal_goes_before_what_the_watcher_raises(tmp_path):
    def watch(runs):
        os.kill(os.getpid(), signal.SIGTERM)
        raise OSError("the screen is gone")

    with pytest.raises(Stopped):
        run_jobs([make_job(tmp_path, "a", "import time; time.sleep(60)")], [{}], watch)


def test_the_handlers_of_signals_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with pytest.raises(Stopped):
        run_jobs(
            [make_job(tmp_path, "a", "import time; time.sleep(60)")], [{}], lambda runs: os.kill(os.getpid(), 15)
        )
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
