"""Files that are there whole or not at all."""

import contextlib
import hashlib
import os
import pathlib
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path to write to, and moves it to `path` when the block ends well.

    A process that is killed at any moment leaves the old file or the new one. The temporary file stands in the
    same folder (a move is atomic only within a file system), ends in the same suffix (Keras looks at it), and
    has a random part, so that two writers never share one, on whatever machines they run.

    Args:
        path: `pathlib.Path` of the file; its folder exists.

    Raises:
        OSError: If it cannot be written, with the name of the file in any case.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:  # of a write, other than of an opening, the system does not say to which file
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written has an error of its own by now
            temporary.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def hash_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file, 64 hex digits."""
    with pathlib.Path(path).open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
