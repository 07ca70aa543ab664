"""Tells what is installed here: the version, Python, the packages of each extra, and the network that ships.

Example:

  fer-ensemble about
"""

import importlib.metadata
import platform
import sys

from fer_ensemble import __version__
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.packages import BASE, EXTRAS
from fer_ensemble.commands import edge


def define_flags():
    """Defines the flags of this command: there are none."""


def main(arguments):
    """Prints it."""
    if arguments:
        raise UserError(f"{edge.program()} takes nothing. Received: {edge.brief(arguments)}")
    print(f"fer-ensemble {__version__}, Python {platform.python_version()} on {platform.platform()}")
    print(f"run by {sys.executable}")
    for extra, packages in {"base": BASE, **EXTRAS}.items():
        print(f"{extra}: {', '.join(_describe_package(name) for name in sorted(packages.values()))}")


def _describe_package(name):
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} (not installed)"
