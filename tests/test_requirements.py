"""pyproject.toml has ranges, requirements*.txt pin a version of each for each Python: they cannot drift apart."""

import pathlib
import re
import subprocess

import pytest
from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings it
    import tomli as tomllib

from fer_ensemble.base.packages import BASE, EXTRAS

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Which extras each file has all of, beside the base and what it includes.
FILES = {
    "requirements.txt": ("train",),
    "requirements-gpu.txt": ("train", "gpu"),
    "requirements-dev.txt": ("train", "video", "serve", "export", "heic", "dev"),
}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def read_ranges(*extras):
    """Returns the ranges of the base and of some extras, by name; one with an extra of its own, by that, too."""
    optional = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]
    found = [Requirement(line) for line in lines]
    return [one for one in found if canonical(one.name) != PROJECT["name"]]


def read_pins(name, python):
    """Returns the pins of a file, and of those that it includes, that hold for a Python, by name."""
    pins = {}
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            pins |= read_pins(line[3:], python)
        elif line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate({"python_version": python}):
                assert canonical(pin.name) not in pins or pin.extras, f"{pin.name} is pinned twice for {python}"
                (one,) = pin.specifier
                assert one.operator == "==", line
                pins[canonical(pin.name)] = one.version
    return pins


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", FILES)
def test_each_dependency_is_pinned_within_its_range_and_nothing_else(name, python):
    pins, ranges = read_pins(name, python), read_ranges(*FILES[name])
    assert set(pins) == {canonical(one.name) for one in ranges}
    for one in ranges:
        assert one.specifier.contains(pins[canonical(one.name)]), f"{one} does not hold {pins[one.name]}"


def test_the_packages_that_messages_name_are_those_of_the_extras():
    optional = PROJECT["optional-dependencies"]
    for extra, packages in {None: BASE, **EXTRAS}.items():
        lines = PROJECT["dependencies"] if extra is None else optional[extra]
        names = {canonical(Requirement(line).name) for line in lines} - {PROJECT["name"]}
        assert {canonical(name) for name in packages.values()} == names, extra


def test_an_environment_with_another_pythons_pin_is_not_fit(tmp_path):
    # Keras 3.12.4 is what Python 3.10 gets, and only that.
    answer = fits(tmp_path, 'keras==0.0.1; python_version < "3.11"\nkeras==0.0.2; python_version >= "3.11"\n')
    assert answer != 0
    from importlib.metadata import version

    own = version("keras")
    assert fits(tmp_path, f'keras=={own}; python_version < "3.10"\nkeras==0.0.2; python_version >= "3.10"\n') != 0
    assert fits(tmp_path, f'keras==0.0.2; python_version < "3.10"\nkeras=={own}; python_version >= "3.10"\n') == 0
    assert fits(tmp_path, f"-r other.txt\n# keras==1\nKeras=={own}\n") == 0


def fits(folder, requirements):
    """Runs the check of environment.sh on this Python with requirements of our own."""
    import sys

    for name in ("requirements.txt", "own.txt"):
        (folder / name).write_text(requirements)
    script = f"source {REPOSITORY}/environment.sh; repository={folder}; has_requirements {sys.executable} own.txt"
    return subprocess.run(["bash", "-c", script], check=False).returncode
