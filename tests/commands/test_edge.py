import dataclasses
import re
import signal
import subprocess
import sys
import textwrap

import pytest

from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

SWALLOWED = "try: os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException: pass\n"


def make_command(folder, body):
    """Writes a command whose main function has the given body."""
    path = folder / "tool.py"
    path.write_text(
        "import os, signal, sys\nfrom fer_ensemble.base.errors import HeldError, MissingPackageError, UserError\n"
        "from fer_ensemble.commands.edge import run\n\n\n"
        f"def main(arguments):\n{textwrap.indent(body, '    ')}\n\n\nrun(main)\n"
    )
    return path


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("raise UserError('`width` must be\\n  at least 1.')", 1, "error: `width` must be at least 1."),
        ("open('/no/such/file')", 1, "error: [Errno 2] No such file or directory: '/no/such/file'"),
        ("raise MissingPackageError('Install it.')", 1, "error: Install it."),
        ("raise HeldError('It is being trained.')", 75, "error: It is being trained."),
        ("raise MemoryError('Too much.')", 1, "error: Too much."),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "stopped by SIGINT"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "stopped by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGUSR1)", 128 + signal.SIGUSR1, "stopped by SIGUSR1"),
        (f"{SWALLOWED}raise TypeError", 143, "stopped by SIGTERM"),
        (f"{SWALLOWED}raise UserError('It is damaged.')", 143, "stopped by SIGTERM"),
        (f"{SWALLOWED}open('/no/such/file')", 1, "error: [Errno 2] No such file or directory: '/no/such/file'"),
    ],
    ids=[
        "UserError",
        "OSError",
        "MissingPackageError",
        "HeldError",
        "MemoryError",
        "Ctrl-C",
        "SIGTERM",
        "SIGUSR1",
        "SIGTERM, of which C++ made another error",
        "SIGTERM, of which C++ made another error, and we one of the user's",
        "SIGTERM, and then a full disk or the like",
    ],
)
def test_expected_errors_become_one_line_and_their_exit_code(body, code, line, tmp_path, python):
    result = python(make_command(tmp_path, body))
    assert (result.returncode, result.stdout, result.stderr) == (code, "", f"tool.py: {line}\n")


def test_an_error_of_ours_keeps_its_traceback(tmp_path, python):
    for body, last in (
        ("{}['a']", "KeyError: 'a'"),
        ("raise ValueError('of a library')", "ValueError: of a library"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ):
        result = python(make_command(tmp_path, body))
        assert result.returncode == 1
        assert "Traceback" in result.stderr and last in result.stderr


def test_verbosity_shows_the_traceback_too(tmp_path, python):
    result = python(make_command(tmp_path, "raise UserError('no')"), "--verbosity=1")
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "UserError: no" in result.stderr


def test_main_gets_the_arguments_and_gives_the_exit_code(tmp_path, python):
    result = python(make_command(tmp_path, "print(arguments)\nreturn len(arguments)"), "a", "b", "--verbosity=0")
    assert (result.returncode, result.stdout) == (2, "['a', 'b']\n")
    assert python(make_command(tmp_path, "pass")).returncode == 0


def test_a_reader_that_leaves_early_is_no_traceback(tmp_path):
    command = make_command(tmp_path, "for number in range(1_000_000):\n    print(number)")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path(sys.argv.pop(1))",
            command,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"0\n"
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--widht=8", r"Unknown command line flag 'widht'\. Did you mean: width \? \(see --help\)"),
        ("--width=wide", r"flag --width=wide: .* \(see --help\)"),
        ("--model=vgg", r"flag --model=vgg: value should be one of <cnn\|resnet\|.*> \(see --help\)"),
        ("--flagfile=none.flags", r".*none\.flags.*"),
        ("--width=0", r"`width` must be at least 1\. Received: 0\."),
        ("images", r"model_train\.py takes flags only\. Received: images"),
        ("--data=none.csv", r"none\.csv does not exist\. .*"),
    ],
)
def test_a_wrong_flag_is_one_line(flag, message, python):
    result = python("model_train.py", flag)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"model_train\.py: error: {message}\n", result.stderr), result.stderr


@pytest.fixture(scope="module")
def help_text(python):
    # TensorFlow and Keras take seconds to import: help must not wait for them.
    code = """
import runpy, sys
sys.argv = ["model_train.py", "--help"]
try:
    runpy.run_path("model_train.py", run_name="__main__")
finally:
    print("slow:", sorted({"tensorflow", "keras", "jax", "h5py"} & set(sys.modules)), file=sys.stderr)
"""
    result = python("-c", code)
    assert (result.returncode, result.stderr) == (0, "slow: []\n")
    return " ".join(result.stdout.split())


def test_help_begins_with_what_the_command_does_and_imports_nothing_slow(help_text):
    assert help_text.startswith("Trains one member of the ensemble")


@pytest.mark.parametrize("settings", [TrainingSettings, TrainingOptions])
def test_help_shows_each_setting_with_its_text(settings, help_text):
    for field in dataclasses.fields(settings):
        assert f"--{'[no]' if field.type is bool else ''}{field.name}:" in help_text
        assert field.metadata["help"] in help_text


def test_flags_borrow_the_defaults_and_change_one_by_one(python):
    code = """
from absl import flags
from fer_ensemble.commands.edge import settings_from_flags
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from fer_ensemble.commands import train
train.define_flags()
flags.FLAGS(["train"])
assert settings_from_flags(TrainingSettings) == TrainingSettings()
assert settings_from_flags(TrainingOptions) == TrainingOptions()
flags.FLAGS(["train", "--model=resnet", "--fold=3", "--noflip", "--shift=0.25", "--overwrite"])
assert settings_from_flags(TrainingSettings) == TrainingSettings(model="resnet", fold=3, flip=False, shift=0.25)
assert settings_from_flags(TrainingSettings, fold=2).fold == 2
assert settings_from_flags(TrainingOptions) == TrainingOptions(overwrite=True)
"""
    result = python("-c", code)
    assert result.returncode == 0, result.stderr


def test_fields_can_be_left_out_of_the_flags(python):
    code = """
from absl import flags
from fer_ensemble.commands.edge import define_flags
from fer_ensemble.training.settings import TrainingSettings
define_flags(TrainingSettings, skip=("fold", "model"))
assert "fold" not in flags.FLAGS and "model" not in flags.FLAGS and "replica" in flags.FLAGS
"""
    result = python("-c", code)
    assert result.returncode == 0, result.stderr
