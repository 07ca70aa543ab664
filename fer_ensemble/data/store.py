"""The data set from whatever holds it: people's files are converted once, and the result is kept."""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.bundled import SAMPLE_FILE, find_bundled
from fer_ensemble.data.classes import parse_classes
from fer_ensemble.data.contents import make_dataset, select_classes
from fer_ensemble.data.dataset import Dataset
from fer_ensemble.data.dataset_file import FORMAT, is_hdf5, read_attributes, read_dataset, write_dataset
from fer_ensemble.data.readers.archives import check_regular, list_files
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.inputs import read_inputs

Inputs = str | os.PathLike | Iterable[str | os.PathLike]  # comma-separated, or one path, or several


def load_dataset(inputs: Inputs, classes: str | Iterable[str] = (), keep: bool = True) -> Dataset:
    """Loads a data set from whatever holds it.

    Args:
        inputs: A .h5 made by this package, or CSVs, image folders and archives, which are converted first (see
            `resolve_dataset`; where nothing can be written, the result is not kept). Comma-separated string, or
            list of paths.
        classes: Names of the classes to keep, in their new order; comma-separated string or list. Nothing keeps
            all.
        keep: Whether what had to be converted is kept for the next time.

    Returns:
        `Dataset`.

    Raises:
        FileNotFoundError: If an input is missing.
        UserError: If an input is not what it should be, or a class is unknown.
    """
    paths = split_inputs(inputs)
    if len(paths) == 1 and is_hdf5(paths[0]):
        return select_classes(read_dataset(paths[0]), classes)
    dataset, path, new = _find_or_convert(paths)
    if keep and new:
        with contextlib.suppress(OSError):
            write_dataset(dataset, path, **new)
    return select_classes(dataset, classes)


def resolve_dataset(inputs: Inputs, classes: str | Iterable[str] = ()) -> pathlib.Path:
    """Returns the path of the .h5 that holds the inputs, all classes; makes it where it is missing or out of date.

    It is kept beside the first input (`data/train.csv+test.csv.h5`), or in `~/.cache/fer_ensemble` where one must
    not write, or a file of that name is something else: only what says of itself that it is a cache of these
    inputs is ever replaced. It is made anew when it is damaged, or name, size or time of an input changed.
    Processes that do this at the same time each make the same file, and the last one wins; to spare that, call
    this once before starting them.

    Args and Raises: as `load_dataset`; `classes` are checked, no more. OSError: If it can be written nowhere.
    """
    paths = split_inputs(inputs)
    if len(paths) == 1 and is_hdf5(paths[0]):
        parse_classes(classes, tuple(read_attributes(paths[0])["class_names"]))
        return paths[0]
    dataset, path, new = _find_or_convert(paths)
    parse_classes(classes, dataset.class_names)
    if new:
        write_dataset(dataset, path, **new)
    return path


def split_inputs(inputs: Inputs) -> list[pathlib.Path]:
    """Returns a list of paths; raises UserError if there is none, FileNotFoundError if one is missing."""
    if isinstance(inputs, os.PathLike):
        inputs = [inputs]
    names = inputs.split(",") if isinstance(inputs, str) else inputs
    paths = []
    for name in names:
        if str(name).strip():
            try:
                path = find_bundled(pathlib.Path(name).expanduser())
                check_regular(path)
            except (RuntimeError, ValueError) as error:  # ~nobody, and names with a zero byte
                if isinstance(error, UserError):
                    raise
                raise UserError(f"Expected the path of an input. Received: {str(name)!r} ({error}).") from error
            if path in paths:
                raise UserError(f"Expected each input once. Received: {path} twice.")
            paths.append(path)
    if not paths:
        raise UserError("Expected at least one CSV, image folder, archive or .h5. Received: none.")
    return paths


def convert_inputs(paths: list[pathlib.Path], bad_rows: BadRows) -> Dataset:
    """Reads the inputs (see `read_inputs`) as one `Dataset` of all classes; makes splits where they name none."""
    faces, votes = read_inputs(paths, bad_rows)
    usage, made_splits = faces.usage, ""
    if usage is None:
        from fer_ensemble.data.holdout import make_splits

        usage, made_splits = make_splits(faces.images, faces.labels)
    return make_dataset(faces.images, faces.labels, usage, faces.rows, faces.class_names, votes, made_splits)


def describe_inputs(paths: list[pathlib.Path]) -> list[dict]:
    """Returns what tells whether inputs changed: a list of name, size in bytes and time of change of each.

    A folder counts as the number and size of its files, and a digest of their names, sizes and times.
    """
    return [
        _describe_folder(path, name) if path.is_dir() else _describe_file(path, name)
        for path, name in zip(paths, _name_inputs(paths), strict=True)
    ]


def _find_or_convert(paths):
    """Returns the `Dataset`, the path of its cache, and what that is to say of itself; nothing if it is there."""
    provenance, names = describe_inputs(paths), _name_inputs(paths)
    beside, elsewhere = _cache_paths(paths)
    for path in (beside, elsewhere):
        with contextlib.suppress(UserError, OSError):
            if read_attributes(path)["provenance"] == provenance:
                return read_dataset(path), path, {}
    if not beside.exists() or _is_cache_of(names, beside):
        path = beside if os.access(beside.parent, os.W_OK) else elsewhere
    else:
        path = elsewhere
    # As the inputs were before they were read: what changes meanwhile is read anew the next time.
    return convert_inputs(paths, BadRows()), path, {"provenance": provenance, "cache_of": names}


def _is_cache_of(names, path):
    """Returns whether a file says of itself that it is a cache of these inputs, as it does even if it was cut."""
    try:
        if not path.is_file():
            return False
        with contextlib.suppress(UserError):
            return read_attributes(path).get("cache_of") == names
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    return FORMAT.encode() in head and json.dumps(names).encode() in head


def _cache_paths(paths):
    """Returns the two paths for a cache: beside the first input, and in the user's own folder of caches."""
    first = paths[0].absolute()
    name = "+".join(path.absolute().name for path in paths) + ".h5"
    beside = first.with_name(name)
    digest = hashlib.sha256(str(first.parent).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    try:
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # nobody's home
        return beside, beside
    elsewhere = cache / "fer_ensemble" / f"{digest}-{name}"
    return (elsewhere if first.parent == SAMPLE_FILE.parent else beside), elsewhere  # the package stays as it is


def _name_inputs(paths):
    """Returns the names of the inputs: for one in another folder than the first, its path from there."""
    first = paths[0].absolute().parent
    names = []
    for path in map(pathlib.Path.absolute, paths):
        names.append(path.name if path.parent == first else os.path.relpath(path, first))
    return names


def _describe_file(path, name):
    status = path.stat()
    return {"name": name, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _describe_folder(path, name):
    files = [_describe_file(path / inner, inner.as_posix()) for inner in list_files(path)]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    size = sum(file["size"] for file in files)
    return {"name": name, "files": len(files), "size": size, "digest": digest}
