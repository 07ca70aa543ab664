import os
import pty
import subprocess
import sys

import pytest

CODE = """
from fer_ensemble.base.progress_bar import ProgressBar
with ProgressBar({bar}) as bar:
    for _ in range(3):
        bar.add({add})
print("done")
"""
COUNTING = CODE.format(bar='"Reading [b]a[/b].csv", "rows"', add="512")
OF_MANY = CODE.format(bar='"labelling", "files", 4, time_left={}, shown={}', add='0.5, "[b]fast[/b]"')


def run_on_a_terminal(code):
    """Runs code, its stderr a terminal; returns what was shown on it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout.read() == b"done\n"
    os.write(theirs, b"\n")  # so that there is something to read
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    return shown


def test_on_a_terminal_it_counts_in_one_line_that_goes_away():
    shown = run_on_a_terminal(COUNTING)
    assert "Reading [b]a[/b].csv: 1,536 rows" in shown
    assert "\x1b[2K" in shown.rpartition("rows")[2]  # the line is cleared


@pytest.mark.parametrize("time_left", [True, False])
def test_of_many_it_shows_a_bar_a_word_and_the_time_left(time_left):
    shown = run_on_a_terminal(OF_MANY.format(time_left, True))
    assert "labelling" in shown and "━" in shown and "1/4" in shown and "files  [b]fast[/b]" in shown
    assert ("-:--:--" in shown) == time_left


def test_what_is_not_worth_a_line_has_none():
    assert run_on_a_terminal(OF_MANY.format(True, False)).strip() == ""


def test_elsewhere_it_says_nothing():
    process = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, check=True)
    assert (process.stdout, process.stderr) == (b"done\n", b"")
