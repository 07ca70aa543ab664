"""Bounds on what comes out of archives, and one kind of error for all that damaged ones raise."""

import contextlib
import errno
import io
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from fer_ensemble.base.errors import UserError

HEAD = 1 << 16  # bytes read at once; the first of them one may look at without reading them away

MAXIMUM_DEPTH = 4  # archives within each other; .tar.gz counts as two
MAXIMUM_ENTRIES = 1_000_000  # files in one input
MAXIMUM_DIRECTORY = 64_000_000  # bytes of a ZIP's list of files
MAXIMUM_HEADER = 1_000_000  # bytes of what a tar tells about one file
# FER2013's own archives unpack to 4 times their size, the bundled sample to 11 times.
FREE_BYTES, MAXIMUM_RATIO = 1_000_000_000, 200


class Budget:
    """What may still be unpacked of one input.

    Attributes:
        path: The input.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = path
        size = pathlib.Path(path).stat().st_size
        self._bytes = FREE_BYTES + MAXIMUM_RATIO * size
        self._entries = MAXIMUM_ENTRIES

    def spend(self, count: int) -> None:
        """Counts unpacked bytes; raises UserError beyond `FREE_BYTES` + `MAXIMUM_RATIO` times the input's size."""
        self._bytes -= count
        if self._bytes < 0:
            raise UserError(
                f"{self.path}: expected an archive that unpacks to at most {MAXIMUM_RATIO} times its size. "
                "Received: more. Unpack it first, if you know what it is."
            )

    def count_files(self, count: int) -> None:
        """Counts files; raises UserError beyond `MAXIMUM_ENTRIES`."""
        self._entries -= count
        if self._entries < 0:
            raise too_many_files(self.path)


def too_many_files(path: str | os.PathLike) -> UserError:
    """Returns the error for an input of too many files."""
    return UserError(
        f"{path}: expected at most {MAXIMUM_ENTRIES:,} files. Received: more. Give the folder of faces alone."
    )


@contextlib.contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Turns whatever reading a damaged archive raises into one UserError that names it.

    Beside their own errors, the standard library's readers raise ValueError, struct.error, IndexError and more.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        # What the disk says is no damage; but EINVAL comes of a place before the file's beginning.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        problem = str(error) or type(error).__name__
        raise UserError(
            f"{name}: expected a complete archive. Received a damaged one ({problem}). Download it again."
        ) from error


def guard(stream: BinaryIO, name: str, budget: Budget, step: int = HEAD) -> io.BufferedReader:
    """Returns a buffered stream of what `stream` unpacks, which spends the budget and names damage.

    Args:
        stream: Open for reading bytes.
        name: What error messages call it.
        budget: `Budget`.
        step: Bytes asked for at once. zipfile unpacks as many packed bytes at once, of bzip2 20,000 times as much.
    """
    return io.BufferedReader(_Guarded(stream, name, budget, step), HEAD)


class _Guarded(io.RawIOBase):
    def __init__(self, stream, name, budget, step):
        self._stream, self._name, self._budget, self._step = stream, name, budget, step

    def readable(self):
        return True

    def readinto(self, buffer):
        with naming_damage(self._name):
            data = self._stream.read(min(len(buffer), self._step))
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


class BoundedDirectory:
    """A file as zipfile reads it: its list of files, which is read in one piece, has a bound."""

    def __init__(self, stream: BinaryIO, name: str):
        self._stream, self._name = stream, name
        self.seek, self.tell = stream.seek, stream.tell

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        if count < 0:  # the last few bytes
            count = MAXIMUM_DIRECTORY
        if count > MAXIMUM_DIRECTORY:
            raise UserError(
                f"{self._name}: expected a list of files of at most {MAXIMUM_DIRECTORY:,} bytes. Received: more. "
                "Unpack it first."
            )
        return self._stream.read(count)


class BoundedHeaders:
    """A stream as tarfile reads it: between `start_header` and `end_header` it gives `MAXIMUM_HEADER` bytes."""

    def __init__(self, stream: BinaryIO, name: str):
        self._stream, self._name = stream, name
        self._left = MAXIMUM_HEADER

    def start_header(self) -> None:
        self._left = MAXIMUM_HEADER

    def end_header(self) -> None:
        self._left = None

    def read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise UserError(
                    f"{self._name}: expected at most {MAXIMUM_HEADER:,} bytes about one file. Received: more. "
                    "Unpack it first."
                )
        return data
