"""What a command prints: a reader that leaves, a full disk or a narrow encoding must not cost its results."""

import errno
import os
import sys


class _Stream:
    """A text stream like the one it stands for, but that a failure to write ends nothing: what follows is dropped.

    Attributes:
        failure: The first `OSError`, or None.
    """

    def __init__(self, stream):
        self._stream = stream
        self.failure = None

    def write(self, text):
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error):
        self.failure = error
        try:  # what is still in its buffer would be tried, and complained of, when Python ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            pass

    def __getattr__(self, name):
        return getattr(self._stream, name)


def guard() -> None:
    """Makes stdout and stderr such that printing to them raises nothing.

    Training, scoring and writing go on after `| head` has left, and with stdout on a full disk; `finish` tells it
    at the end. Letters that the encoding lacks are written as `\\xe9`.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Stream):
            continue
        if stream is None:  # closed by whoever started us, as by `>&-`
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, _Stream(stream))


def finish(code: int | str | None) -> int | str | None:
    """Writes out what is printed, and returns the exit code: `code`, or 1 if all went well but the printing."""
    sys.stdout.flush()
    sys.stderr.flush()
    failure = getattr(sys.stdout, "failure", None)
    if failure is None or code:
        return code
    if failure.errno != errno.EPIPE:  # `head` has what it wanted
        tell(f"error: what was printed is lost ({failure.strerror}); all else is done")
    return 1


def printable(text: str) -> str:
    """Escapes what in a text, as a file's name, would move a terminal's cursor, or colour it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def tell(message: object) -> None:
    """Prints one line about the command on stderr, after its name."""
    line = printable(" ".join(str(message).split()))
    print(f"{os.path.basename(sys.argv[0])}: {line}", file=sys.stderr, flush=True)  # noqa: PTH119
