"""The data set as one HDF5 file: writing, and reading with checks."""

import errno
import io
import json
import os
import pathlib
from typing import Any

import h5py
import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import IMAGE_SIZE, VOTE_NAMES, Dataset
from fer_ensemble.data.hdf5_texts import check_texts

FORMAT = "fer_ensemble data set, version 1"
_MAGIC = b"\x89HDF\r\n\x1a\n"
# The large one last: so what HDF5 writes of its own comes before it.
_SHAPES = {"labels": (), "usage": (), "rows": (), "votes": (len(VOTE_NAMES),), "images": (IMAGE_SIZE, IMAGE_SIZE)}
_OPTIONAL = ("votes",)
_JSON = ("class_names", "provenance", "cache_of")
# We write images as they are; FER2013 packed is 7 % smaller, drawn faces are 10 times smaller.
_MAXIMUM_RATIO = 100


def is_hdf5(path: pathlib.Path) -> bool:
    """Returns whether the file begins as HDF5 does; False for a folder."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def write_dataset(
    dataset: Dataset, path: str | os.PathLike, provenance: Any = None, cache_of: list[str] | None = None
) -> None:
    """Writes a data set as HDF5, in place of the old one if any, and makes the folder.

    The arrays of `Dataset` are datasets of their names, uncompressed: 83 MB for FER2013 in 0.2 s, where gzip took
    1.8 s to save 7 %. The attributes are `format`, `fingerprint`, `class_names`, `provenance` (JSON), and perhaps
    `made_splits` and `cache_of` (JSON).

    Args:
        dataset: `Dataset`.
        path: Path of the file.
        provenance: What it was made of, as from `store.describe_inputs`; anything that JSON can hold.
        cache_of: The inputs' names if it is a cache of them, and may be replaced when they change.

    Raises:
        OSError: If it cannot be written; then an old file stays as it was.
    """
    path = pathlib.Path(path)
    attributes = {
        "format": FORMAT,
        "fingerprint": dataset.fingerprint,
        "class_names": json.dumps(dataset.class_names),
        "provenance": json.dumps(provenance),
    }
    if cache_of is not None:
        attributes["cache_of"] = json.dumps(cache_of)
    if dataset.made_splits:
        attributes["made_splits"] = dataset.made_splits
    # HDF5 makes the frame, in memory, and the arrays are written into it as they are: a full disk shows as a plain
    # OSError of a plain write, and no array is there twice.
    frame, offsets = _make_frame(dataset, attributes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(frame)
            for name, offset in offsets.items():
                file.seek(offset)
                file.write(np.ascontiguousarray(getattr(dataset, name)))
    except OSError as error:
        raise OSError(
            f"{path} cannot be written ({error.strerror or error}). Choose another place: "
            "python -m fer_ensemble.data INPUT... --output PLACE"
        ) from error


def _make_frame(dataset, attributes):
    """Returns the bytes of the HDF5 file without its arrays, and the position in it of each array."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)  # the same data set is the same file
    buffer, offsets = io.BytesIO(), {}
    with h5py.File(buffer, "w") as file:
        file.attrs.update(attributes)
        for name in _SHAPES:
            array = getattr(dataset, name)
            if array is not None:
                kind, space = h5py.h5t.py_create(array.dtype), h5py.h5s.create_simple(array.shape)
                offsets[name] = h5py.h5d.create(file.id, name.encode(), kind, space, properties).get_offset()
    return buffer.getbuffer(), offsets


def read_dataset(path: str | os.PathLike) -> Dataset:
    """Reads what `write_dataset` wrote, and checks it by its fingerprint.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is not a data set of ours, or not as it was written, or larger than the free memory.
    """
    path = pathlib.Path(path)
    attributes = read_attributes(path)
    try:
        with _open(path) as file:
            _check_arrays(file)
            arrays = {name: file[name][()] for name in _SHAPES if name in file}
        dataset = make_dataset(
            class_names=attributes["class_names"],
            made_splits=attributes.get("made_splits", ""),
            **{"votes": None, **arrays},
        )
    except (UserError, MemoryError):
        raise
    except Exception as error:  # h5py raises KeyError, OSError, RuntimeError, TypeError, ... for a damaged file
        problem = str(error) or type(error).__name__
        raise UserError(f"{path}: expected a complete data set. Received: {problem}. {_remake(path)}") from error
    if dataset.fingerprint != attributes["fingerprint"]:
        raise UserError(f"{path}: expected the contents it was written with. Received: others. {_remake(path)}")
    return dataset


def _check_arrays(file):
    """Raises ValueError unless each array lies in this very file, with a shape that fits the others."""
    arrays = {}
    for name in _SHAPES:
        if name in _OPTIONAL and name not in file:
            continue
        array = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
        if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external:
            raise ValueError(f"no array {name}")
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} of kind {array.dtype}")
        arrays[name] = array
    count = arrays["images"].shape[0] if arrays["images"].shape else 0
    for name, array in arrays.items():
        if array.shape != (count, *_SHAPES[name]):
            raise ValueError(f"{name} of shape {array.shape}")
        if array.nbytes > _MAXIMUM_RATIO * max(array.id.get_storage_size(), 1000):
            raise ValueError(
                f"{name} that declare {array.nbytes:,} bytes and hold {array.id.get_storage_size():,}"
            )
    check_memory(sum(array.nbytes for array in arrays.values()), f"{file.filename}: its {count:,} images")


def read_attributes(path: str | os.PathLike) -> dict:
    """Returns what a .h5 of ours says of itself: its attributes, as `write_dataset` tells them.

    Raises: as `read_dataset`.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist. Make it: python -m fer_ensemble.data INPUT... --output {path}"
        )
    if not path.is_file():
        raise UserError(f"{path}: expected a .h5 file. Received: something that is no file.")
    try:
        _check_texts(path)
        with _open(path) as file:
            names = ("format", "fingerprint", "made_splits", *_JSON)
            attributes = {name: file.attrs[name] for name in names if name in file.attrs}
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise UserError(
            f"{path}: expected a complete HDF5 file. Received one that cannot be opened ({error}). {_remake(path)}"
        ) from error
    if not all(isinstance(value, str) for value in attributes.values()) or attributes.get("format") != FORMAT:
        raise UserError(
            f"{path}: expected an HDF5 file of the format {FORMAT!r}. Received another. {_remake(path)}"
        )
    try:
        attributes |= {name: json.loads(attributes[name]) for name in _JSON if name in attributes}
        if not all(isinstance(name, str) for name in attributes["class_names"]):
            raise ValueError("class names that are no text")
        return {"fingerprint": attributes["fingerprint"], "provenance": attributes["provenance"], **attributes}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{path}: expected a data set with its names. Received: {problem}. {_remake(path)}"
        ) from error


def _check_texts(path):
    try:
        check_texts(path)
    except OSError as error:  # it looks at the whole file at once
        if error.errno == errno.ENOMEM:
            check_memory(path.stat().st_size, f"{path}: its bytes")
        raise


def _open(path):
    # Files are replaced, never changed: so no lock, which some network file systems refuse.
    return h5py.File(path, "r", locking=False)


def _remake(path):
    return f"Make it anew: python -m fer_ensemble.data INPUT... --output {path}"
