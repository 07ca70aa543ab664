"""Bad moments: a signal while Python still imports, a reader that leaves, a full disk, a folder that is gone."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 1800


def start(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **options.pop("env", {})}
    defaults = {"cwd": REPOSITORY, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, **{**defaults, **options})


# Sends the signal when a module is imported for the first time, or when Python asks for it again.
AT_IMPORT = """
import os, runpy, signal, sys
class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Sender())
sys.argv = ["model_train.py", "--epochs=1", "--data=nothing.csv"]
runpy.run_path("model_train.py", run_name="__main__")
"""
MODULES = ("fer_ensemble.base.streams", "absl", "absl.app", "fer_ensemble.commands.train", "fer_ensemble.training")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_imports_is_told_in_one_line(module, number):
    process = start("-c", AT_IMPORT.format(module=module, number=int(number)))
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (128 + number, ""), errors
    assert errors == f"model_train.py: stopped by {signal.Signals(number).name}\n"


def test_ctrl_c_before_there_is_a_handler_shows_no_traceback():
    process = start("-c", AT_IMPORT.format(module="fer_ensemble.base.stop_signals", number=int(signal.SIGINT)))
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == -signal.SIGINT


@pytest.mark.slow
@pytest.mark.parametrize("module", ["h5py", "keras", "tensorflow", "numpy.linalg"])
def test_a_signal_during_the_imports_of_the_work_is_told_in_one_line(module, tmp_path):
    code = AT_IMPORT.format(module=module, number=int(signal.SIGINT)).replace("nothing.csv", "data/sample.csv.gz")
    process = start("-c", code.replace('"--epochs=1"', f'"--epochs=1", "--experiments={tmp_path}"'))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and errors.splitlines()[-1].startswith("model_train.py: stopped by SIGINT")


def test_with_a_full_disk_for_stdout_the_work_is_done_and_the_loss_is_told(tmp_path):
    target = tmp_path / "own.csv.gz"
    with pathlib.Path("/dev/full").open("w") as full:
        process = start("-m", "fer_ensemble", "draw_sample", f"--output={target}", "--images=168", stdout=full)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(r"fer-ensemble draw_sample: error: what was printed is lost \(No space.*\).*\n", errors)
    assert target.exists()


def test_when_the_reader_leaves_the_work_is_done_and_nothing_is_said(tmp_path):
    target = tmp_path / "own.csv.gz"
    process = start("-m", "fer_ensemble", "draw_sample", f"--output={target}", "--images=168")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(PATIENCE)
    assert target.exists()


def test_streams_that_are_closed_are_no_error():
    command = f"exec '{sys.executable}' -m fer_ensemble --version >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=REPOSITORY, check=False).returncode == 0


def test_what_the_encoding_lacks_is_written_in_ascii(tmp_path):
    target = tmp_path / "Gr\u00fc\u00dfe.csv.gz"
    arguments = ("-m", "fer_ensemble", "draw_sample", f"--output={target}", "--images=168")
    process = start(*arguments, env={"PYTHONIOENCODING": "ascii"})
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert "Gr\\xfc\\xdfe.csv.gz: 168 images" in output


def test_a_folder_that_is_gone_is_told_in_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd '{gone}' && rmdir '{gone}' && exec '{sys.executable}' '{REPOSITORY}/model_train.py' --epochs=1"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert answer.returncode == 1 and answer.stdout == ""
    assert answer.stderr.startswith("model_train.py: error: the folder that this was started in is gone. ")
    assert answer.stderr.count("\n") == 1


def as_nobody(*command, **environment):
    """Runs a command without HOME, as a user whom the system does not know, but who may read what we may."""
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    answer = subprocess.run(
        ["unshare", "--user", "--map-user=54321", *map(str, command)],
        env={**kept, "PYTHONPATH": str(REPOSITORY), **environment},
        **{"cwd": REPOSITORY, "capture_output": True, "text": True, "timeout": PATIENCE, "check": False},
    )
    if answer.stderr.startswith("unshare:"):
        pytest.skip(f"no users can be made up here: {answer.stderr}")
    return answer


@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is Linux's")
def test_who_has_no_home_gets_one_of_their_own(tmp_path):
    code = """
import os, stat, sys
sys.argv = ["fer_ensemble", "--version"]
from fer_ensemble.commands.start import run_dispatcher
try: run_dispatcher()
finally: print(os.environ["HOME"], oct(os.stat(os.environ["HOME"]).st_mode & 0o777))
"""
    for _ in range(2):
        answer = as_nobody(sys.executable, "-c", code, TMPDIR=str(tmp_path))
        assert answer.stdout.splitlines()[1:] == [f"{tmp_path / 'fer-ensemble-54321'} 0o700"], answer.stderr
    # One that others can write to is not taken.
    (tmp_path / "fer-ensemble-54321").chmod(0o777)
    answer = as_nobody(sys.executable, "-c", code, TMPDIR=str(tmp_path))
    (home,) = {line.split()[0] for line in answer.stdout.splitlines()[1:]}
    assert home.startswith(str(tmp_path)) and home != str(tmp_path / "fer-ensemble-54321")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is Linux's")
def test_who_has_no_home_can_train(tmp_path):
    flags = ("--epochs=1", "--width=4", "--input_size=16", f"--experiments={tmp_path}")
    answer = as_nobody(sys.executable, "model_train.py", *flags, TMPDIR=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "exp_0" / "cnn_0" / "member.json").exists()


def test_another_python_is_told_which_environment_to_take():
    code = "import sys, runpy; sys.modules['absl'] = None; sys.argv = ['model_train.py']\n"
    process = start("-c", f"{code}runpy.run_path('model_train.py', run_name='__main__')")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith(f"model_train.py: error: {sys.executable} lacks the package absl-py. ")
    assert errors.count("\n") == 1 and str(pathlib.Path(".venv", "bin", "python")) in errors


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--noflip=3"], "--noflip=3 does not take an argument (see --help)"),
        (["--flip=3"], "flag --flip=3: "),
        (["--helpme"], "Unknown command line flag 'helpme'."),
        (["--epochs=3", "--helpme"], "Unknown command line flag 'helpme'."),
        (["--epochs"], "Missing value for flag --epochs (see --help)"),
        (["--epochs=10^22"], "flag --epochs=10^22: "),
        (["--epochs=1" + 22 * "0"], "`epochs` must be at most 1,000,000. Received: 1" + 22 * "0"),
        (["--seed=1" + 400 * "0"], "`seed` must be at most 9,223,372,036,854,775,807. Received: 1"),
        (["--learning_rate=1e400"], "`learning_rate` must be a finite number. Received: inf."),
        (["--flagfile={binary}"], "--flagfile must be a text file with a flag on each line. Received: "),
        (["--flagfile=/dev/zero"], "Received: /dev/zero, which is no file."),
        (["--flagfile={folder}"], "which is no file."),
        (["--flagfile={nested}"], "a --flagfile within a --flagfile must be text in UTF-8, but is not"),
        (["--flagfile"], "--flagfile"),
        (["a" * 5000], f"takes flags only. Received: {'a' * 200}..."),
    ],
    ids=lambda value: str(value[0])[:24] if isinstance(value, list) else "",
)
def test_flags_that_cannot_be_are_one_line(flags, message, tmp_path):
    binary, nested = tmp_path / "binary", tmp_path / "nested"
    binary.write_bytes(bytes(range(256)))
    nested.write_text(f"--flagfile={binary}\n")
    names = {"binary": binary, "nested": nested, "folder": tmp_path}
    process = start("model_train.py", *(flag.format(**names) for flag in flags))
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (1, "")
    assert errors.count("\n") == 1 and errors.startswith("model_train.py: error: ") and message in errors, errors


@pytest.mark.parametrize("flags", [["--nocalibrate=1"], ["--images", "a.jpg", "--helpme"]])
def test_predict_refuses_them_as_well(flags):
    process = start("predict.py", *flags)
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors.count("\n")) == (1, "", 1), errors


def test_flags_may_come_through_a_pipe(tmp_path):
    command = f"'{sys.executable}' model_train.py --flagfile=<(echo --epochs=0)"
    answer = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert answer.stderr == "model_train.py: error: `epochs` must be at least 1. Received: 0.\n"
