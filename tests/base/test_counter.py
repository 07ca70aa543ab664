import os
import pty
import subprocess
import sys

CODE = """
from fer_ensemble.base.counter import Progress
with Progress("Reading [b]a[/b].csv", "rows") as progress:
    for _ in range(3):
        progress.add(512)
print("done")
"""


def test_on_a_terminal_it_counts_in_one_line_that_goes_away():
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", CODE], stderr=theirs, stdout=subprocess.PIPE) as process:
        assert process.stdout.read() == b"done\n"
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Reading [b]a[/b].csv: 1,536 rows" in shown
    assert "\x1b[2K" in shown.rpartition("rows")[2]  # the line is cleared


def test_elsewhere_it_says_nothing():
    process = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
    assert (process.stdout, process.stderr) == (b"done\n", b"")
