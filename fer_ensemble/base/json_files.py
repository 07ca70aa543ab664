"""JSON files that others may have written: read with bounds, refused in one line."""

import json
import os
import pathlib
from typing import Any

from fer_ensemble.base.errors import UserError

MOST_DEPTH = 100  # objects and lists within each other; what Keras writes of a network has some 20
MOST_BYTES = 64 << 20  # the largest of ours, scores.json of 16 members on FER2013, has 55 KB


def read_json(path: str | os.PathLike, what: str, fix: str, most_bytes: int = MOST_BYTES) -> Any:
    """Reads a JSON file.

    Args:
        path: Path of the file.
        what: What it must be, for the message: `the record of a finished member`.
        fix: What to do where it is not, a sentence.
        most_bytes: Size beyond which it is not read.

    Returns:
        What it holds. All numbers are finite, and no key stands twice in one object.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is no JSON of that size.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():  # a folder; or a pipe or device, which might never end
        raise UserError(f"{path} must be {what}, a file. Received: what is none. {fix}")
    size = path.stat().st_size
    if size > most_bytes:
        raise UserError(f"{path} must be {what}, at most {most_bytes:,} bytes. Received: {size:,} bytes. {fix}")
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} must be {what}, but is damaged ({error}). {fix}") from error


def parse_json(content: bytes) -> Any:
    """Parses JSON; raises ValueError in one short line for whatever is wrong with it."""
    try:
        found = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise ValueError("no UTF-8 text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level = [found]
    for _ in range(MOST_DEPTH):
        level = [inner for one in level for inner in _list_inner(one)]
    if level:  # what goes through it by recursion would come to an end of its own
        raise ValueError("nested too deeply")
    return found


def _list_inner(value):
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _unique_keys(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} stands twice")
    return found


def _refuse_constant(name):
    raise ValueError(f"{name} is no number")


def _finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large")
    return number
