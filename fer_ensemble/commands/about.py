"""Tells about a network: how good it is, what nobody tested, what it is not for; and what is installed here.

fer-ensemble about [MODEL] [--json]

Without MODEL, the card of the network that ships, and the packages that are installed. MODEL is an .onnx file that
`fer-ensemble export` wrote, the folder of an ensemble, or that of a member, or its model.keras.

  fer-ensemble about
  fer-ensemble about experiments --json
"""

import importlib.metadata
import json
import pathlib
import platform
import sys

from absl import flags

from fer_ensemble import __version__
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.base.packages import BASE, EXTRAS
from fer_ensemble.commands import edge

# What a folder holds, the first that is there, and what to do where it is damaged.
_RECORDS = {
    "ensemble.json": ("a saved ensemble", "Make it anew: python predict.py --ensemble FOLDER --save"),
    "member.json": ("the record of a finished member", "Train the member again with --overwrite."),
    "card.json": ("the card of a network", "Export the network again."),
}


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_boolean("json", False, "Print one JSON object, for programs.")


def main(arguments: list[str]) -> None:
    """Prints it."""
    if len(arguments) > 1:
        raise UserError(f"{edge.program()} takes one MODEL, or none. Received: {edge.brief(arguments)}")
    if arguments:
        facts = read_facts(pathlib.Path(arguments[0]))
        print(json.dumps(facts, indent=2) if flags.FLAGS.json else _format_facts(facts))
        return
    from fer_ensemble.classifier.shipped_card import format_card, read_card

    card = read_card(pathlib.Path(__file__).parents[1] / "assets")
    if flags.FLAGS.json:
        print(json.dumps({"version": __version__, "card": card, "packages": _find_packages()}, indent=2))
        return
    print(format_card(card) if card else "This installation ships no network.\n")
    print("# What is installed here\n")
    print(f"fer-ensemble {__version__}, Python {platform.python_version()} on {platform.platform()},")
    print(f"run by {sys.executable}\n")
    for extra, packages in _find_packages().items():
        found = (f"{name} {version or '(not installed)'}" for name, version in packages.items())
        print(f"- {extra}: {', '.join(found)}")


def _find_packages():
    """Returns, for `base` and each extra, a dictionary from a package to its version, None where it is missing."""
    return {
        extra: {name: _find_version(name) for name in sorted(packages.values())}
        for extra, packages in {"base": BASE, **EXTRAS}.items()
    }


def _find_version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_facts(path: pathlib.Path) -> dict:
    """Returns what a model says of itself.

    Raises:
        OSError: If there is no such file or folder.
        UserError: If it is none, or is damaged.
    """
    if path.suffix == ".keras" and path.is_file():
        path = path.parent  # what is known of it lies beside it
    if path.is_dir():
        for name, (what, fix) in _RECORDS.items():
            if (path / name).is_file():
                facts = read_json(path / name, what, fix)
                if not isinstance(facts, dict):
                    raise UserError(f"{path / name} must be {what}, one object. Received: another value. {fix}")
                return facts
        raise UserError(
            f"{path}: expected the folder of an ensemble, with ensemble.json, or of a finished member, with "
            "member.json. Received neither. `python predict.py` writes ensemble.json when members are finished."
        )
    from fer_ensemble.classifier.onnx_network import OnnxNetwork

    return OnnxNetwork(path).about


def _format_facts(facts, indent=""):
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", _format_facts(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}: {', '.join(map(_brief, value))}")
        else:
            lines.append(f"{indent}{key}: {_brief(value)}")
    return "\n".join(lines)


def _brief(value):
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
