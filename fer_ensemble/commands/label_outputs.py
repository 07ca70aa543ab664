"""What `fer-ensemble label` prints and writes of each picture."""

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fer_ensemble.base import streams
from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.classifier.face import SCHEMA_VERSION

if TYPE_CHECKING:
    import numpy as np

    from fer_ensemble.classifier.face import Face

_WIDEST = 40  # letters of a file's name in the table
_LONGEST_SIDE = 65_500  # pixels that JPEG can have
_LONGEST = 200  # bytes of a file's name, without what is added to it; file systems take 255


class Table:
    """Prints a line for each face, as it comes."""

    def __init__(self, names: Iterable[str]):
        self._width = min(_WIDEST, max(map(len, ["file", *map(streams.printable, names)])))
        print(f"{'file':{self._width}}  face  expression  probability")

    def add(self, file: str, records: list[dict], problem: str | None) -> None:
        if problem:
            self._print(file, "", f"not read: {problem}")
        elif not records:
            self._print(file, "", "no face")
        for record in records:
            note = "  unsure" if record["unsure"] else ""
            self._print(
                file, record["face"], f"{record['expression']:10}  {100 * record['probability']:9.1f} %{note}"
            )

    def add_video(self, file: str, lines: list[tuple[int, str]]) -> None:
        """Prints what was found in a video, a line for each face."""
        for number, text in lines or [("", "no face")]:
            self._print(file, number, text)

    def close(self) -> None:
        pass

    def _print(self, file, number, text):
        file, text = streams.printable(file), streams.printable(text)
        if len(file) > self._width:
            file = f"...{file[3 - self._width :]}"
        print(f"{file:{self._width}}  {number!s:>4}  {text}".rstrip(), flush=True)


class JsonDocument:
    """Prints one JSON document: a line for each face, then what could not be read."""

    def __init__(self, class_names: Sequence[str], unsure_below: float):
        head = {"schema_version": SCHEMA_VERSION, "class_names": list(class_names), "unsure_below": unsure_below}
        print(json.dumps(head)[:-1] + ', "faces": [', end="")
        self._between = "\n"
        self._problems = []

    def add(self, file: str, records: list[dict], problem: str | None) -> None:
        for record in records:
            print(self._between + json.dumps(record), end="", flush=True)
            self._between = ",\n"
        if problem:
            self._problems.append({"file": file, "problem": problem})

    def add_video(self, file: str, lines: list[tuple[int, str]]) -> None:
        """A video's records were added frame by frame."""

    def close(self) -> None:
        print(f'], "problems": {json.dumps(self._problems)}}}', flush=True)


def annotated_path(folder: str | os.PathLike, name: str, video: bool = False) -> pathlib.Path:
    """Returns where a picture or a video with labels is written."""
    return named_output(folder, name, ".mp4" if video else ".jpg")


def named_output(folder: str | os.PathLike, name: str, suffix: str) -> pathlib.Path:
    """Returns where something of a picture or video is written: too long a name is cut, and stays unique."""
    path = pathlib.Path(folder, name)
    content = os.fsencode(path.name)
    if len(content) <= _LONGEST:
        return path.with_name(path.name + suffix)
    digest = hashlib.sha256(content).hexdigest()[:12]
    return path.with_name(f"{content[:_LONGEST].decode(errors='ignore')}-{digest}{suffix}")


def write_annotated(
    folder: str | os.PathLike, name: str, picture: "np.ndarray", faces: "list[Face]", class_names: Sequence[str]
) -> None:
    """Writes a picture with what was found drawn into it: `<folder>/<name>.jpg`."""
    from PIL import Image

    from fer_ensemble.faces.labelled_pictures import draw_faces

    path = annotated_path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.fromarray(draw_faces(picture, faces, class_names))
    drawn.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    with replacing(path) as temporary:
        drawn.save(temporary, quality=92)


def write_crops(folder: str | os.PathLike, name: str, faces: "list[Face]") -> None:
    """Writes faces as the network saw them: `<folder>/<expression>/<name>_<number>.png`, 48x48, grey."""
    _write_faces(folder, name, faces, lambda face: face.crop)


def write_explanations(folder: str | os.PathLike, name: str, faces: "list[Face]") -> None:
    """Writes explained faces, named as by `write_crops`: each beside what spoke for its expression and against."""
    import numpy as np

    from fer_ensemble.classifier.explanation_picture import draw_explanation

    def draw(face):
        plain = draw_explanation(face.crop, np.zeros_like(face.explanation))
        return np.concatenate([plain, draw_explanation(face.crop, face.explanation)], axis=1)

    _write_faces(folder, name, faces, draw)


def _write_faces(folder, name, faces, draw):
    from PIL import Image

    for number, face in enumerate(faces):
        number = number if face.id is None else face.id
        part = "" if face.frame is None else f"_{face.frame:06d}"
        # A class may be called "on/off", and a network from elsewhere may call one "..".
        expression = re.sub(r"[/\\:]|^\.", "_", face.expression)
        path = named_output(pathlib.Path(folder, expression), name.replace("/", "__"), f"{part}_{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            Image.fromarray(draw(face)).save(temporary)
