"""Predicting people's own photos of faces with a saved ensemble."""

import csv
import pathlib
import sys

import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.words import percent
from fer_ensemble.data.readers.pictures import read_face
from fer_ensemble.report.text_tables import format_table

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}


def report_photos(network, paths, output: pathlib.Path, views: str = "none") -> None:
    """Predicts photos, prints a table, and writes `photos.csv`: file, predicted class, a column per class.

    A photo should show one face that fills it, as FER2013's do: faces are not searched for.

    Args:
        network: `fer_ensemble.ensemble.saved.Ensemble`.
        paths: Paths of photos and of folders of photos.
        output: Folder for `photos.csv`. One that cannot be written costs the file, not the answers.
        views: Views of each face, as for `--tta`.

    Raises:
        FileNotFoundError: If a path does not exist.
        UserError: If no photo can be read.
    """
    names, faces = _read_photos(find_photos(paths))
    probabilities = network.predict(faces, views=views)
    predicted = [network.class_names[label] for label in probabilities.argmax(axis=1)]
    written = _write_photos(output / "photos.csv", names, predicted, probabilities, network.class_names)
    lines = [
        [name, expression, percent(row.max())]
        for name, expression, row in zip(names, predicted, probabilities, strict=True)
    ]
    print(format_table(["photo", "expression", "probability"], lines))
    print(written)


def find_photos(paths) -> list[pathlib.Path]:
    """Lists the photos that are named, and those in folders that are named, by name.

    Raises:
        FileNotFoundError: If a path does not exist.
    """
    photos = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            photos += sorted(found for found in path.rglob("*") if found.suffix.lower() in SUFFIXES)
        elif path.exists():
            photos.append(path)
        else:
            raise FileNotFoundError(f"There is no photo or folder {path}.")
    return photos


def _write_photos(path, names, predicted, probabilities, class_names):
    """Writes the table, and returns the line that says so, or why it is not written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["photo", "predicted", *class_names])
            for name, expression, row in zip(names, predicted, probabilities, strict=True):
                writer.writerow([name, expression, *(f"{value:.6f}" for value in row)])
    except OSError as error:
        return f"not written to {path} ({error.strerror or error}): give a folder with --output"
    return f"written to {path}"


def _read_photos(photos):
    names, faces = [], []
    for path in photos:
        name = str(path).encode("utf-8", "backslashreplace").decode("utf-8")  # a name may be no UTF-8
        try:
            faces.append(read_face(path))
            names.append(name)
        except (ValueError, OSError) as error:
            message = str(error).encode("utf-8", "backslashreplace").decode("utf-8")
            print(f"left out: {message}", file=sys.stderr)
    if not faces:
        raise UserError("`images` must name at least one readable photo (jpg, png, ...). Received: none.")
    return names, np.stack(faces)
