"""Records of faces as CSV and JSON lines: written line by line, and gone on with after a kill."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.face import LANDMARK_NAMES, SCHEMA_VERSION

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
        overwrite: Whether a file that is there already is begun anew.
        lines: Whether it is JSON lines, and not CSV.

    Attributes:
        done: Set of the files that are complete.

    Raises:
        UserError: If the file is there, and was made otherwise.
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
        self._state_path = self.path.with_name(f"{self.path.name}.state")
        self._lines = lines
        self._class_names, self._made_by = tuple(class_names), made_by
        self.done = set()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        complete = 0 if overwrite else self._read_state()
        self._file = self.path.open("r+b" if complete else "wb")
        self._file.truncate(complete)
        if complete:
            self._read_done()
        elif not self._lines:
            self._file.write(self._format_row(self._columns()))
        self._file.seek(0, io.SEEK_END)

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
        state = {"format": _FORMAT, "complete_bytes": self._file.tell(), "made_by": self._made_by}
        write_text(self._state_path, json.dumps(state) + "\n")
        self.done.update(files)

    def _read_state(self):
        """Returns how many bytes of the file are complete."""
        if not self.path.exists() or not self.path.stat().st_size:
            return 0
        advice = "Choose another name, or begin anew with --overwrite."
        try:
            state = json.loads(self._state_path.read_text(encoding="utf-8"))
            made_by, complete = state["made_by"], int(state["complete_bytes"])
        except FileNotFoundError:
            if self._is_begun():
                return 0
            raise UserError(
                f"{self.path}: expected a new file, or one that this command began. Received: one without the "
                f"note {self._state_path.name}. {advice}"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{self._state_path}: expected the note of how far {self.path.name} is. It is damaged. {advice}"
            ) from None
        if made_by != self._made_by:
            changed = sorted(
                name for name in {*made_by, *self._made_by} if made_by.get(name) != self._made_by.get(name)
            )
            raise UserError(
                f"{self.path}: expected a file made with the same network and settings. Received: one with "
                f"another {', '.join(changed)}. {advice}"
            )
        if complete > self.path.stat().st_size:
            raise UserError(f"{self.path}: expected at least {complete:,} bytes, as it had. It was cut. {advice}")
        return complete

    def _is_begun(self):
        """Whether the file holds only what a command wrote that was killed before its first picture was done."""
        header = b"" if self._lines else self._format_row(self._columns())
        with self.path.open("rb") as file:
            return not self._lines and header.startswith(file.read(len(header) + 1))

    def _read_done(self):
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8", errors="surrogateescape", newline="")
        rows = map(json.loads, text) if self._lines else csv.DictReader(text)
        self.done.update(row["file"] for row in rows)
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
