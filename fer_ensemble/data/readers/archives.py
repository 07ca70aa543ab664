"""The files inside folders, .zip, .gz and .tar.gz, one after the other, recognised by their first bytes."""

import dataclasses
import gzip
import os
import pathlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.readers import unpacking
from fer_ensemble.data.readers.unpacking import HEAD, Budget, guard, naming_damage

_SPOOL = 32_000_000  # bytes of an archive in an archive that are kept in memory; more go to a temporary file
_NAME_FLAGS = 0x18  # of a .gz: its header tells a name or a comment
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclasses.dataclass(frozen=True)
class File:
    """One file, open for reading.

    Attributes:
        name: What messages call it: `faces.zip/train/happy/1.jpg`.
        parts: The folders and the file name below the input, as `("train", "happy", "1.jpg")`; for a folder its
            own name comes first, since `train/` may itself be the input.
        depth: How many archives it lies in.
        stream: Its content; closed when the next file comes. `peek()` shows up to `HEAD` bytes.
        layers: As `depth`, each .gz counted, too.
    """

    name: str
    parts: tuple[str, ...]
    depth: int
    stream: BinaryIO
    layers: int = 0

    def head(self) -> bytes:
        return self.stream.peek(HEAD)[:HEAD]

    def read(self, limit: int) -> bytes:
        """Returns the whole content; raises UserError if that is more than `limit` bytes."""
        blocks, size = [], 0
        while block := self.stream.read(1 << 20):
            blocks.append(block)
            size += len(block)
            if size > limit:
                raise UserError(
                    f"{self.name}: expected a file of at most {limit:,} bytes. Received: more. "
                    "Make it smaller, or remove it."
                )
        return b"".join(blocks)


def walk_files(path: str | os.PathLike) -> Iterator[File]:
    """Opens every file in `path`: the file itself, or those in a folder or archive, and in archives inside it.

    Args:
        path: Path of a file or folder. Hidden files (`.DS_Store`, `__MACOSX/`) and what is no regular file (pipes,
            devices) are left out.

    Yields:
        `File`s, in the order of their names (in tar archives: in the order of the archive).

    Raises:
        FileNotFoundError: If there is no `path`.
        UserError: If an archive is encrypted, damaged, or beyond the bounds of `unpacking`; that may show only
            while a file is read.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        for inner in list_files(path):
            yield from _walk_file(path / inner, (path.absolute().name, *inner.parts))
    else:
        check_regular(path)
        yield from _walk_file(path, (path.name,))


def list_files(folder: pathlib.Path) -> list[pathlib.PurePath]:
    """Returns the relative paths of all regular files below `folder`, hidden ones left out, sorted as text.

    Links to files count as files; links to folders are not followed.

    Raises:
        UserError: If a link leads nowhere: else images would be missing without a word.
    """
    found, folders = [], [""]
    while folders:
        inner = folders.pop()
        with os.scandir(pathlib.Path(folder, inner)) as entries:
            for entry in entries:
                if _is_hidden((entry.name,)):
                    continue
                name = f"{inner}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{name}/")
                elif _is_file(entry):
                    found.append(name)
        if len(found) > unpacking.MAXIMUM_ENTRIES:
            raise unpacking.too_many_files(folder)
    return [pathlib.PurePath(name) for name in sorted(found)]


def _is_file(entry):
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError as error:
        if not entry.is_symlink():
            raise
        raise UserError(
            f"{entry.path}: expected a file. Received: a link that leads nowhere ({error.strerror}). "
            "Mend or remove the link."
        ) from error


def check_regular(path: pathlib.Path) -> None:
    """Raises an error unless the path is a folder or a regular file: to open a named pipe might never return."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise missing_input(path) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(
            f"{path}: expected a file or folder. Received: a pipe or device. Write it to a file first."
        )


def missing_input(path: pathlib.Path) -> FileNotFoundError:
    """Returns the error for an input that is not there."""
    return FileNotFoundError(
        f"{path} does not exist. Expected a CSV, an image folder, an archive of them, or a .h5 made of them by "
        "python -m fer_ensemble.data"
    )


def _walk_file(path, parts):
    with path.open("rb", buffering=HEAD) as stream:
        yield from _walk_stream(File(str(path), parts, 0, stream), Budget(path))


def _walk_stream(file, budget):
    """Yields `file`, or what is in it."""
    walk = _choose_walk(file.head())
    if walk is None:
        yield file
        return
    if file.layers >= unpacking.MAXIMUM_DEPTH:
        raise UserError(
            f"{file.name}: expected at most {unpacking.MAXIMUM_DEPTH} archives within each other. Received: more. "
            "Unpack the outer ones."
        )
    yield from walk(file, budget)


def _choose_walk(head):
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _walk_zip
    if head.startswith(b"\x1f\x8b"):
        return _walk_gz
    return _walk_tar if head[257:262] == b"ustar" else None


def _walk_zip(file, budget):
    with tempfile.SpooledTemporaryFile(_SPOOL) as copy:
        stream = file.stream
        if (
            file.layers
        ):  # zipfile goes back and forth, for which the outer archive would be unpacked again and again
            shutil.copyfileobj(file.stream, copy)
            stream = copy
        with naming_damage(file.name):
            archive = zipfile.ZipFile(unpacking.BoundedDirectory(stream, file.name))
        items = sorted((item.filename.replace("\\", "/"), index) for index, item in enumerate(archive.infolist()))
        budget.count_files(len(items))
        for name, index in items:
            item = archive.infolist()[index]
            if not name.endswith("/") and not _is_hidden(_split(name)):
                step = HEAD if item.compress_type in _PLAIN else 4096
                yield from _walk_inside(file, name, _open_zipped(file, archive, item), budget, step)


def _walk_gz(file, budget):
    head = file.head()
    with naming_damage(file.name):
        if head[3:4] and head[3] & _NAME_FLAGS and b"\0" not in head[10:]:  # gzip would look for its end for long
            raise ValueError("its header does not end")
        unpacked = gzip.GzipFile(fileobj=file.stream, mode="rb")
    with guard(unpacked, file.name, budget) as stream:
        yield from _walk_stream(dataclasses.replace(file, stream=stream, layers=file.layers + 1), budget)


def _walk_tar(file, budget):
    source = unpacking.BoundedHeaders(file.stream, file.name)
    with naming_damage(file.name):
        archive = tarfile.open(fileobj=source, mode="r|")  # noqa: SIM115 - the stream is its owner's
    while True:
        source.start_header()
        with naming_damage(file.name):
            item = archive.next()
            archive.members = []  # else they pile up
            content = archive.extractfile(item) if item is not None and item.isfile() else None
        if item is None:
            return
        source.end_header()
        budget.count_files(1)
        if content is None:
            continue
        with guard(content, file.name, budget) as stream:
            if not _is_hidden(_split(item.name)):
                yield from _walk_opened(file, item.name, stream, budget)
            while stream.read(1 << 20):
                pass


def _walk_inside(archive, name, content, budget, step):
    with guard(content, f"{archive.name}/{name}", budget, step) as stream:
        yield from _walk_opened(archive, name, stream, budget)


def _walk_opened(archive, name, stream, budget):
    parts = _split(name)
    inner = File(f"{archive.name}/{'/'.join(parts)}", parts, archive.depth + 1, stream, archive.layers + 1)
    yield from _walk_stream(inner, budget)


def _open_zipped(file, archive, item):
    with naming_damage(file.name):
        try:
            return archive.open(item)
        except (RuntimeError, NotImplementedError) as error:  # so zipfile says "encrypted", "unknown compression"
            raise UserError(
                f"{file.name}: expected an archive without password, packed in a usual way. Received: {error}. "
                "Unpack it first."
            ) from error


def _split(name):
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _is_hidden(parts):
    return not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts)
