"""The files inside folders, .zip, .gz and .tar.gz, one after the other, recognised by their first bytes."""

import contextlib
import dataclasses
import gzip
import io
import pathlib
import tarfile
import zipfile
import zlib
from typing import BinaryIO

from fer_ensemble.base.errors import UserError

HEAD = 1 << 16  # bytes at the start of a file that one may look at without reading it
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)


@dataclasses.dataclass(frozen=True)
class File:
    """One file, open for reading.

    Attributes:
        name: What messages call it: `faces.zip/train/happy/1.jpg`.
        parts: The folders and the file name below the input, as `("train", "happy", "1.jpg")`; for a folder its
            own name comes first, since `train/` may itself be the input.
        depth: How many archives it lies in.
        stream: Its content; closed when the next file comes. `peek()` shows up to `HEAD` bytes.
    """

    name: str
    parts: tuple[str, ...]
    depth: int
    stream: BinaryIO

    def head(self):
        return self.stream.peek(HEAD)[:HEAD]


def walk_files(path):
    """Opens every file in `path`: the file itself, or those in a folder or archive, and in archives inside it.

    Args:
        path: Path of a file or folder. Hidden files (`.DS_Store`, `__MACOSX/`) are left out.

    Yields:
        `File`s, in the order of their names (in tar archives: in the order of the archive).

    Raises:
        FileNotFoundError: If there is no `path`.
        UserError: If an archive is encrypted. That it is damaged may show only while a file is read: read inside
            `damage_is_told`.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        for inner in list_files(path):
            yield from _walk_file(path / inner, (path.absolute().name, *inner.parts))
    elif path.exists():
        yield from _walk_file(path, (path.name,))
    else:
        raise missing_input(path)


@contextlib.contextmanager
def damage_is_told(path):
    """Turns the many errors that reading a damaged archive gives into one ValueError that names `path`."""
    try:
        yield
    except _DAMAGED as error:
        raise UserError(
            f"{path}: expected a complete archive. Received a damaged one ({error}). Download it again."
        ) from error


def list_files(folder):
    """Returns the relative paths of all files below `folder`, hidden ones left out, sorted as text."""
    inner = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted((path for path in inner if not _is_hidden(path.parts)), key=lambda path: path.as_posix())


def missing_input(path):
    """Returns the error for an input that is not there."""
    return FileNotFoundError(
        f"{path} does not exist. Expected a CSV, an image folder, an archive of them, or a .h5 made of them by "
        "python -m fer_ensemble.data"
    )


def _walk_file(path, parts):
    with path.open("rb", buffering=HEAD) as stream:
        yield from _walk_stream(File(str(path), parts, 0, stream))


def _walk_stream(file):
    """Yields `file`, or what is in it."""
    head = file.head()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with zipfile.ZipFile(file.stream) as archive:
            for item in sorted(archive.infolist(), key=lambda item: item.filename):
                if not item.is_dir():
                    yield from _walk_inside(file, item.filename, _open_zipped(file, archive, item))
    elif head.startswith(b"\x1f\x8b"):
        with _buffered(gzip.GzipFile(fileobj=file.stream)) as stream:
            yield from _walk_stream(dataclasses.replace(file, stream=stream))
    elif head[257:262] == b"ustar":
        with tarfile.open(fileobj=file.stream, mode="r:") as archive:
            for item in archive:
                if item.isfile():
                    yield from _walk_inside(file, item.name, archive.extractfile(item))
    else:
        yield file


def _walk_inside(archive, name, content):
    parts = tuple(part for part in name.split("/") if part != ".")
    with _buffered(content) as stream:
        if not _is_hidden(parts):
            yield from _walk_stream(File(f"{archive.name}/{'/'.join(parts)}", parts, archive.depth + 1, stream))


def _open_zipped(file, archive, item):
    try:
        return archive.open(item)
    except (RuntimeError, NotImplementedError) as error:  # so zipfile says "encrypted", and "unknown compression"
        raise UserError(
            f"{file.name}: expected an archive without password. Received: {error}. Unpack it first."
        ) from error


def _buffered(stream):
    return io.BufferedReader(stream, HEAD)


def _is_hidden(parts):
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
