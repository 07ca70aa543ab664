"""What `fer-ensemble label` is pointed at: files, folders, patterns, and lists of them."""

import csv
import glob
import math
import os
import pathlib
import sys
from collections.abc import Sequence

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers.pictures import SUFFIXES

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".3gp",
    ".ogv",
)  # fmt: skip
_MOST_NAME = 10_000  # bytes of a path, which Linux bounds at 4,096
_MOST_BOXES = 10_000  # of one picture: each is searched for landmarks, which takes milliseconds
_BOX_COLUMNS = ("file", "left", "top", "width", "height")


def list_inputs(arguments: Sequence[str], outputs: Sequence[str] = ()) -> dict[str, str]:
    """Lists the files that are meant.

    Args:
        arguments: Paths of files and folders, patterns such as `*.jpg`, and `-` for a list on standard input, a
            path a line. Folders are searched for pictures and videos, with the folders in them.
        outputs: Folders of what is written: found on the way, they are passed over.

    Returns:
        Dict from each path, as a person would write it, to a name for what is written of it: relative, without
        suffix, and each only once. In the order of the arguments, folders by name.

    Raises:
        UserError: If nothing is given.
    """
    if not arguments or "" in arguments:  # "" as of an empty variable: as a path, it would be this folder
        raise UserError(
            "`label` must be given pictures, videos or folders. Received: "
            f"{'an empty name' if arguments else 'none'}. Try: fer-ensemble label me.jpg"
        )
    names, taken = {}, set()
    outputs = [real_path(one) for one in outputs]
    for path, base in _expand(arguments):
        if base and any(real_path(path).is_relative_to(one) for one in outputs if one != real_path(base)):
            continue
        text = str(path)
        if text not in names:
            short = path.relative_to(base) if base else pathlib.PurePath(path.name)
            names[text] = _choose_name(short.with_suffix("").as_posix(), taken)
    return names


def real_path(path: str | os.PathLike) -> pathlib.Path:
    """Returns the path without links; unlike `pathlib`, also of links that go in circles."""
    return pathlib.Path(os.path.realpath(path))


def is_video(path: str | os.PathLike) -> bool:
    """Whether a file is taken for a video, by its suffix."""
    return pathlib.PurePath(path).suffix.lower() in VIDEO_SUFFIXES


def _expand(arguments):
    """Yields paths, and the folder each was found in, or None."""
    for argument in arguments:
        if argument == "-":
            yield from _expand([name for name in _read_list() if name.strip() and name != "-"])
            continue
        path = pathlib.Path(argument)
        if os.path.isdir(path):  # noqa: PTH112 - False also of names that no file can have
            found = (one for one in path.rglob("*") if one.suffix.lower() in (*SUFFIXES, *VIDEO_SUFFIXES))
            yield from ((one, path) for one in sorted(found) if not one.is_dir())
        elif not os.path.exists(path) and glob.has_magic(argument):  # noqa: PTH110 - where the shell does not do it
            found = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - of paths that may be absolute
            yield from _expand(found) if found else [(path, None)]
        else:
            yield path, None


def _read_list():
    """Yields the paths on standard input, one a line; their bytes need not make sense in any encoding."""
    if sys.stdin is None:
        raise UserError("`-` expects a path a line on standard input. Received: one that is closed.")
    while line := sys.stdin.buffer.readline(_MOST_NAME + 1):
        if b"\0" in line:
            raise UserError("`-` expects a path a line on standard input. Received: NUL bytes. Leave out -print0.")
        if len(line) > _MOST_NAME:
            raise UserError("`-` expects a path a line on standard input. Received: a line that is longer.")
        yield os.fsdecode(line.rstrip(b"\r\n"))


def _choose_name(name, taken):
    number, chosen = 1, name
    while chosen.casefold() in taken:  # also where the file system knows no capitals
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen.casefold())
    return chosen


def read_boxes(path: str | os.PathLike) -> dict[str, list[tuple[float, float, float, float]]]:
    """Reads boxes of faces.

    Args:
        path: CSV file with the columns `file`, `left`, `top`, `width`, `height` (pixels), one box a line.

    Returns:
        Dict from each file, as it is written there, to its boxes in their order.

    Raises:
        OSError: If there is no such file.
        UserError: If a column is missing, or a line holds no box.
    """
    boxes = {}
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():  # a pipe or device might never end
        raise UserError(f"{path}: expected a CSV file of boxes. Received: a folder, pipe or device.")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.DictReader(file)
            missing = [name for name in _BOX_COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path}: expected the columns {', '.join(_BOX_COLUMNS)}. Received: {rows.fieldnames}. "
                    "Write their names into the first line."
                )
            for row in rows:
                try:
                    box = tuple(float(row[name]) for name in _BOX_COLUMNS[1:])
                except (TypeError, ValueError):
                    box = (math.nan,)
                if not all(map(math.isfinite, box)) or min(box[2:]) < 1:
                    raise UserError(
                        f"{path}, line {rows.line_num}: expected a file and left, top, width and height in "
                        f"pixels. Received: {list(row.values())}."
                    )
                of_file = boxes.setdefault(row["file"], [])
                of_file.append(box)
                if len(of_file) > _MOST_BOXES:
                    raise UserError(f"{path}: expected at most {_MOST_BOXES:,} boxes of one file. Received: more.")
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: expected a CSV file in UTF-8. Received: {error}.") from error
    return boxes


def boxes_of(
    boxes: dict[str, list[tuple[float, float, float, float]]], path: str | os.PathLike
) -> list[tuple[float, float, float, float]]:
    """Returns the boxes of a picture: those of its path, or of its name; none is an empty list."""
    return boxes.get(str(path)) or boxes.get(pathlib.PurePath(path).name) or []
