"""Records of faces as CSV and JSON lines: written line by line, and gone on with after a kill."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import HeldError, UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.classifier.face import LANDMARK_NAMES, SCHEMA_VERSION
from fer_ensemble.members.record_shape import check_shape

_ADVICE = "Choose another name, or begin anew with --overwrite."
_FORMAT = 1  # of the state's file
_BOX = ("box_left", "box_top", "box_width", "box_height")
_LANDMARKS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")


def empty_record(
    file: str | None,
    class_names: Sequence[str],
    problem: str | None = None,
    frame: int | None = None,
    time: float | None = None,
) -> dict:
    """Returns the record of a picture or a frame without a face, or that could not be read: all else is None."""
    return {
        "schema_version": SCHEMA_VERSION,
        "file": file,
        "frame": frame,
        "time": None if time is None else round(time, 6),
        **dict.fromkeys(("face", "box", "landmarks", "detector_score", "expression", "probability")),
        "probabilities": dict.fromkeys(class_names),
        "unsure": None,
        "smoothing": None,
        "problem": problem or "no face",
    }


class RecordFile:
    """A file of records that grows line by line, with a note beside it of how far it is complete.

    Opened again with the same settings, it forgets what was written after the last `commit`, and knows which files
    are done. A kill at any moment costs what was under way, and nothing is there twice.

    Args:
        path: The file.
        class_names: Names of the classes.
        made_by: Dict, as JSON has it, of all that the records depend on: the network, the settings.
        overwrite: Whether a file that this command began before is begun anew.
        lines: Whether it is JSON lines, and not CSV.

    Attributes:
        done: Set of the files that are complete.

    Raises:
        UserError: If the file is there, and was made otherwise.
        HeldError: If another process writes it.
        OSError: If it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        class_names: Sequence[str],
        made_by: dict,
        overwrite: bool = False,
        lines: bool = False,
    ):
        self.path = pathlib.Path(path)
        if self.path.exists() and not self.path.is_file():  # to open a pipe might never return
            raise UserError(f"{self.path}: expected a file to write. Received: a folder, pipe or device.")
        self._state_path = self.path.with_name(f"{self.path.name}.state")
        self._lines = lines
        self._class_names, self._made_by = tuple(class_names), made_by
        self.done = set()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")  # each row goes to the end
        try:
            self._hold()
            complete = self._find_complete(overwrite)
            if not complete:
                self._write_state(0)
            self._file.truncate(complete)
            if complete:
                self._read_done()
            elif not self._lines:
                self._file.write(self._format_row(self._columns()))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, record: dict) -> None:
        """Writes a record."""
        if self._lines:
            self._file.write(json.dumps({**record, "problem": record.get("problem")}).encode() + b"\n")
        else:
            self._file.write(self._format_row(self._flatten(record)))
        self._file.flush()

    def commit(self, files: Iterable[str]) -> None:
        """Notes that all records of these files are written."""
        self._file.flush()
        self._write_state(self._size())
        self.done.update(files)

    def _size(self):
        return os.fstat(self._file.fileno()).st_size

    def _write_state(self, complete):
        state = {"format": _FORMAT, "complete_bytes": complete, "made_by": self._made_by}
        write_text(self._state_path, json.dumps(state) + "\n")

    def _hold(self):
        """Keeps others from writing the same file at the same time; the system lets go when the process ends."""
        try:
            import fcntl  # which Windows has not
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(f"{self.path} is being written by another process. Choose another name.") from None
        except OSError:  # a file system without locks
            pass

    def _find_complete(self, overwrite):
        """Returns how many bytes of the file are complete; raises UserError if it is not ours to write."""
        if not self._size():
            return 0
        if not self._state_path.exists():
            raise UserError(
                f"{self.path}: expected a new file, or one that this command began. Received: one without the "
                f"note {self._state_path.name}. Choose another name, or remove it."
            )
        return 0 if overwrite else self._read_state()

    def _read_state(self):
        state = read_json(self._state_path, f"the note of how far {self.path.name} is", _ADVICE)
        try:
            check_shape(state, {"made_by": dict, "complete_bytes": int})
            if state["complete_bytes"] < 0:
                raise ValueError("complete_bytes is below 0")
        except ValueError as error:
            raise UserError(
                f"{self._state_path} must be the note of how far {self.path.name} is, but is damaged ({error}). "
                f"{_ADVICE}"
            ) from None
        made_by, complete = state["made_by"], state["complete_bytes"]
        if made_by != self._made_by:
            changed = sorted(
                name for name in {*made_by, *self._made_by} if made_by.get(name) != self._made_by.get(name)
            )
            raise UserError(
                f"{self.path}: expected a file made with the same network and settings. Received: one with "
                f"another {', '.join(changed)}. {_ADVICE}"
            )
        if complete > self._size():
            raise UserError(f"{self.path}: expected at least {complete:,} bytes, as it had. It was cut. {_ADVICE}")
        return complete

    def _read_done(self):
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8", errors="surrogateescape", newline="")
        try:
            rows = map(json.loads, text) if self._lines else csv.DictReader(text, strict=True)
            if not self._lines and rows.fieldnames != self._columns():
                raise ValueError("other columns")
            self.done.update(row["file"] for row in rows)
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
            raise UserError(
                f"{self.path}: expected the records that this command wrote. Received: others "
                f"({str(error)[:100] or type(error).__name__}). {_ADVICE}"
            ) from None
        finally:
            text.detach()

    def _columns(self):
        return [
            "schema_version", "file", "frame", "time", "face", *_BOX, *_LANDMARKS, "detector_score", "expression",
            "probability", *self._class_names, "unsure", "smoothing", "problem",
        ]  # fmt: skip

    def _flatten(self, record):
        box, landmarks = record["box"] or [None] * 4, record["landmarks"] or [(None, None)] * 5
        return [
            *(record[name] for name in ("schema_version", "file", "frame", "time", "face")),
            *box,
            *(value for point in landmarks for value in point),
            *(record[name] for name in ("detector_score", "expression", "probability")),
            *(record["probabilities"][name] for name in self._class_names),
            None if record["unsure"] is None else str(record["unsure"]).lower(),
            record["smoothing"],
            record.get("problem"),
        ]

    def _format_row(self, values):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue().encode("utf-8", "surrogateescape")
