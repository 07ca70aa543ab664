"""Files that are there whole or not at all."""

import contextlib
import ctypes
import errno
import hashlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # see renameat2(2)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path to write to, and moves it to `path` when the block ends well.

    A process that is killed at any moment leaves the old file or the new one. The temporary file stands in the
    same folder (a move is atomic only within a file system), ends in the same suffix (Keras looks at it), and
    has a random part, so that two writers never share one, on whatever machines they run.

    Args:
        path: `pathlib.Path` of the file; its folder exists.

    Raises:
        OSError: If it cannot be written, with the file's name in any case; before the block if it is a folder.
    """
    path = pathlib.Path(path)
    check_no_folder(path)
    temporary = path.with_name(f".{path.stem[:50]}.{uuid.uuid4().hex[:12]}{path.suffix}")  # a name has 255 bytes
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:  # of a write, other than of an opening, the system does not say to which file
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written has an error of its own by now
            temporary.unlink(missing_ok=True)


def check_no_folder(path: pathlib.Path) -> None:
    """Raises IsADirectoryError if there is a folder where a file is to be."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def replace_folder(new: pathlib.Path, path: pathlib.Path) -> None:
    """Moves a folder to `path`; one that is there already is removed.

    On Linux the two change places in one step, as most file systems can. Where that cannot be, there is none for
    an instant, and the old one stands beside `new` until the new one is in its place.

    Args:
        new: Folder in the same file system as `path`.
        path: Where it is to be.
    """
    if not path.exists():
        new.replace(path)
        return
    old = new
    if not _exchange(new, path):
        old = new.with_name(f"{new.name}.old")
        path.replace(old)
        new.replace(path)
    shutil.rmtree(old)


def _exchange(one, other):
    """Has two paths change places; returns whether that could be."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    return rename is not None and not rename(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )


def hash_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file, 64 hex digits."""
    with pathlib.Path(path).open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
