"""One real ensemble, trained once by the command that users type, for all tests of the commands."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_command():
    """Returns a function that runs a command at the top of the repository, from a folder, as a user would."""

    def run(*command, cwd=REPOSITORY, timeout=3600):
        program = ["bash"] if command[0].endswith(".sh") else [sys.executable]
        return subprocess.run(
            [*program, REPOSITORY / command[0], *map(str, command[1:])],
            cwd=cwd,
            env={**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def trained(run_command, tmp_path_factory):
    """Trains all 16 members, tiny ones, on the bundled sample; returns their folder and the command's answer."""
    folder = tmp_path_factory.mktemp("trained")
    sample = shutil.copy(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", folder)
    flags = ["--epochs=2", "--width=4", "--input_size=16", "--batch_size=32", "--warmup=0"]
    answer = run_command("splitscript.sh", f"--data={sample}", f"--experiments={folder / 'experiments'}", *flags)
    return folder / "experiments", answer


@pytest.fixture
def ensemble(trained, tmp_path):
    """Returns the folder of an ensemble that a test may damage."""
    folder, answer = trained
    assert answer.returncode == 0, answer.stderr + answer.stdout
    return shutil.copytree(folder, tmp_path / "ensemble")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """The folder of an ensemble of members without networks. Copy it."""
    from tests.commands.light_members import make_ensemble

    return make_ensemble(tmp_path_factory.mktemp("light"))


@pytest.fixture
def light_ensemble(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "ensemble")
