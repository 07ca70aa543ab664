"""What the base install takes: no POSIX-only module, no package of an extra, and little time."""

import pytest

from fer_ensemble.base.packages import EXTRAS
from fer_ensemble.commands.verbs import VERBS, format_verbs, is_there

POSIX_ONLY = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix_ipc")
OF_EXTRAS = sorted({module for packages in EXTRAS.values() for module in packages})
# As Windows does: these modules are not there, nor are these signals and functions.
BARE = f"""
import os, signal, sys
import platform, subprocess, uuid, numpy  # which have seen by now that the system is another
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGALRM", "SIGKILL"):
    if hasattr(signal, name): delattr(signal, name)
for name in ("getuid", "geteuid", "getpgid", "killpg", "fork", "sched_getaffinity", "statvfs", "uname", "mkfifo"):
    if hasattr(os, name): delattr(os, name)
for name in {[*POSIX_ONLY, *OF_EXTRAS]!r}:
    sys.modules[name] = None
"""


@pytest.mark.parametrize("module", ["fer_ensemble", "fer_ensemble.classifier.classifier", "fer_ensemble.faces"])
def test_it_is_imported_without_posix_and_without_the_extras(python, module):
    answer = python("-c", f"{BARE}\nimport {module}; print('imported')")
    assert (answer.returncode, answer.stdout) == (0, "imported\n"), answer.stderr


def test_what_a_keras_network_takes_is_named(python):
    code = f"""{BARE}
import fer_ensemble
from fer_ensemble.base.errors import MissingPackageError
try: fer_ensemble.load("fer_ensemble/assets/network.keras")
except MissingPackageError as error: print(error)
"""
    assert "pip install 'fer-ensemble[train]'" in python("-c", code).stdout


@pytest.mark.parametrize("verb", [verb for verb in VERBS if is_there(verb)])
def test_the_help_of_each_verb_takes_neither(python, verb):
    code = f"""{BARE}
import runpy
sys.argv = ["fer_ensemble", "{verb}", "--help"]
runpy.run_module("fer_ensemble", run_name="__main__", alter_sys=False)
"""
    answer = python("-c", code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == "" and len(answer.stdout) > 100


def test_the_package_is_imported_without_numpy(python):
    # What takes time is imported when it is asked for.
    answer = python("-c", "import sys, fer_ensemble; print({'numpy', 'onnxruntime', 'cv2'} & set(sys.modules))")
    assert answer.stdout == "set()\n"


def test_the_help_has_a_line_for_each_verb():
    assert all(is_there(verb) for verb in VERBS)
    assert all(f"\n  {verb} " in format_verbs() for verb in VERBS)
