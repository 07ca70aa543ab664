"""Files of flags, as `--flagfile` takes them: seen to be such before absl reads them."""

import os
import pathlib
import stat

from fer_ensemble.base.errors import UserError

MOST_BYTES = 1_000_000


def check_flag_files(arguments: list[str]) -> None:
    """Looks at each file that `--flagfile` names.

    Raises:
        UserError: If one is no text, or far too large.
        OSError: If one cannot be read.
    """
    for path in named_flag_files(arguments):
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode):  # `--flagfile=<(...)`: what is read here would be gone
            continue
        fault = None
        if not stat.S_ISREG(status.st_mode):
            fault = "is no file"
        elif status.st_size > MOST_BYTES:
            fault = f"has {status.st_size:,} bytes"
        elif not _is_text(path.read_bytes()):
            fault = "is no text in UTF-8"
        if fault:
            raise UserError(
                f"--flagfile must be a text file with a flag on each line. Received: {path}, which {fault}."
            )


def _is_text(content):
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def named_flag_files(arguments: list[str]) -> list[pathlib.Path]:
    """Returns the paths that `--flagfile=PATH` and `--flagfile PATH` name, up to `--`.

    Example:

    >>> [str(path) for path in named_flag_files(["--flagfile=a.flags", "--epochs=3", "-flagfile", "b.flags"])]
    ['a.flags', 'b.flags']
    """
    paths, words = [], iter(arguments)
    for word in words:
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("--flagfile", "-flagfile"):
            value = value if equals else next(words, "")
            if value:
                # As absl does, which leaves an unknown ~user as it is.
                paths.append(pathlib.Path(os.path.expanduser(value)))  # noqa: PTH111
    return paths
