"""Predicting people's own photos of faces."""

import csv
import pathlib
import sys

import numpy as np

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.words import percent
from fer_ensemble.commands.predict import NO_CALIBRATION, PUBLIC, gather_members
from fer_ensemble.data.readers.pictures import read_face
from fer_ensemble.ensemble.combine import combine_probabilities
from fer_ensemble.ensemble.held_out_calibration import TEST, calibrate_out_of_fold
from fer_ensemble.ensemble.parts import OOF, combine_part, join_parts
from fer_ensemble.ensemble.weighting import resolve_way, weigh_members
from fer_ensemble.members.collection import member_predictions
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.members.views import VIEWS
from fer_ensemble.report.text_tables import format_table
from fer_ensemble.scoring.metrics import predicted_labels

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}


def report_photos(options, paths):
    """Predicts photos, prints a table, and writes `photos.csv`: file, predicted class, a column per class.

    A photo should show one face that fills it, as FER2013's do: faces are not searched for.

    Args:
        options: `PredictOptions`.
        paths: Paths of photos and of folders of photos.

    Raises:
        FileNotFoundError: If a path does not exist.
        UserError: If no photo can be read, or the ensemble is not fit for use.
    """
    found = find_photos(paths)
    members, missing = gather_members(options)
    names, faces = _read_photos(found)
    own = [member_predictions(member) for member in members]
    oof, public = (join_parts(name, members, [parts[name] for parts in own]) for name in (OOF, PUBLIC))
    weights = weigh_members(resolve_way(options.weights, oof), oof, public)
    predictor = Predictor(options.tta, options.precision)
    by_member = []
    for number, member in enumerate(members, start=1):
        print(f"{member.name}: predicting ({number} of {len(members)})", file=sys.stderr, flush=True)
        by_member.append(predict_probabilities(predictor.load(member), faces, VIEWS[options.tta]))
    probabilities = combine_probabilities(by_member, weights)
    if options.calibrate:
        chosen = calibrate_out_of_fold(combine_part(oof, weights), weights)
        if chosen is None:
            raise UserError(NO_CALIBRATION)
        probabilities = chosen[TEST].apply(probabilities)

    class_names = members[0].record["class_names"]
    predicted = predicted_labels(probabilities)
    lines = [
        [name, class_names[label], percent(row[label])]
        for name, label, row in zip(names, predicted, probabilities, strict=True)
    ]
    print(format_table(["photo", "expression", "probability"], lines))
    if missing:
        print(f"MISSING, and not in these results: {', '.join(missing)}")
    output = pathlib.Path(options.output or options.ensemble)
    output.mkdir(parents=True, exist_ok=True)
    with replacing(output / "photos.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["photo", "predicted", *class_names])
        for name, label, row in zip(names, predicted, probabilities, strict=True):
            writer.writerow([name, class_names[label], *(f"{value:.6f}" for value in row)])
    print(f"written to {output / 'photos.csv'}")


def find_photos(paths):
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


def _read_photos(photos):
    names, faces = [], []
    for path in photos:
        try:
            faces.append(read_face(path))
            names.append(str(path))
        except (ValueError, OSError) as error:
            print(f"left out: {error}", file=sys.stderr)
    if not faces:
        raise UserError("`images` must name at least one readable photo (jpg, png, ...). Received: none.")
    return names, np.stack(faces)
