"""The files of `predict.py` for programs and spreadsheets."""

import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base.atomic_files import replacing, write_text
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED
from fer_ensemble.ensemble.parts import OOF, Part
from fer_ensemble.report.confusion_picture import draw_confusion_matrix
from fer_ensemble.report.csv_tables import write_csv, write_frame
from fer_ensemble.report.score_tables import TITLES
from fer_ensemble.scoring.calibration import Calibration
from fer_ensemble.scoring.metrics import predicted_labels

if TYPE_CHECKING:
    import pandas

USAGES = {OOF: TRAINING, SPLITS[PUBLIC_TEST]: PUBLIC_TEST, SPLITS[PRIVATE_TEST]: PRIVATE_TEST}


def write_results(
    output: pathlib.Path,
    report: dict,
    parts: dict[str, Part],
    comparisons: dict[str, list[dict]],
    calibrations: dict[str, Calibration] | None = None,
) -> None:
    """Writes `scores.json`, `predictions.csv`, `oof.csv`, `comparisons.csv` and the confusion matrices.

    Args:
        output: Path of the folder.
        report: Dict as in `scores.json`.
        parts: Dict from name to `Part` with the ensemble's predictions.
        comparisons: Dict from the same names to pairs of predictors, as from `compare_pairs`.
        calibrations: Dict from the same names to the `Calibration` of what is written, or None.
    """
    class_names = report["class_names"]
    for path, names in (("predictions.csv", [name for name in parts if name != OOF]), ("oof.csv", [OOF])):
        chosen = {name: parts[name] for name in names if name in parts}
        if chosen or path == "predictions.csv":
            write_frame(output / path, tabulate_predictions(chosen, class_names, calibrations), "%.6f")
    _write_comparisons(output / "comparisons.csv", comparisons)
    for name, values in report["splits"].items():
        if matrix := values.get("confusion"):
            rows = [[true, *counts] for true, counts in zip(class_names, matrix, strict=True)]
            write_csv(output / f"confusion_{name}.csv", ["true \\ predicted", *class_names], rows)
            count = len(report["members"])  # none of a network by itself
            title = f"{TITLES[name]}, {count} members" if count else TITLES[name]
            picture = draw_confusion_matrix(matrix, class_names, title)
            with replacing(output / f"confusion_{name}.png") as temporary:
                temporary.write_bytes(picture)
    write_text(output / "scores.json", json.dumps(report, indent=2) + "\n")


def tabulate_predictions(
    parts: dict[str, Part], class_names: Sequence[str], calibrations: dict[str, Calibration] | None = None
) -> "pandas.DataFrame":
    """Lists the ensemble's predictions, a row for each image that it predicts.

    Args:
        parts: Dict from name to `Part` with the ensemble's predictions.
        class_names: Names of the classes.
        calibrations: Dict from the same names to the `Calibration` of what is written, or None.

    Returns:
        `pandas.DataFrame`: `row` (the image's number in its source), `usage`, `emotion` (its label, missing where
        there is none), `predicted` (a label) and the probability of each class, by its name.
    """
    import pandas

    frames = []
    for name, part in parts.items():
        shown = ~np.isnan(part.ensemble[:, 0])
        probabilities = part.ensemble[shown]
        labels = pandas.array(part.labels[shown].astype(np.int64), dtype="Int64")
        labels[part.labels[shown] == UNLABELLED] = pandas.NA
        facts = {
            "row": part.rows[shown],
            "usage": SPLITS[USAGES[name]],
            "emotion": labels,
            "predicted": predicted_labels(probabilities),
        }
        written = calibrations[name].apply(probabilities) if calibrations else probabilities
        frames.append(pandas.concat([pandas.DataFrame(facts), pandas.DataFrame(written)], axis=1))
    columns = ["row", "usage", "emotion", "predicted", *class_names]
    return pandas.concat(frames).set_axis(columns, axis=1) if frames else pandas.DataFrame(columns=columns)


def write_likely_wrong(
    path: pathlib.Path,
    part: Part,
    positions: np.ndarray,
    suggested: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    majority: np.ndarray | None = None,
) -> None:
    """Writes the images whose label is likely wrong, the surest first, as CSV.

    Args:
        path: Path of the file.
        part: The out-of-fold `Part`.
        positions: Int array, the images' positions in the part.
        suggested: Int array, the classes they seem to be.
        probabilities: Float array of shape `(images, classes)` for the whole part.
        class_names: Names of the classes.
        majority: Int array, for each of `positions` the class that most FER+ voters chose, -1 where there is none;
            None where there are no votes.
    """
    columns = ["row", "label", "suggested", "probability_of_label", "probability_of_suggested"]
    labels = part.labels[positions]
    rows = [
        [row, class_names[label], class_names[other], f"{own[label]:.6f}", f"{own[other]:.6f}"]
        for row, label, other, own in zip(
            part.rows[positions], labels, suggested, probabilities[positions], strict=True
        )
    ]
    if majority is not None:
        columns.append("ferplus_majority")
        names = [class_names[label] if label != UNLABELLED else "" for label in majority]
        rows = [[*row, name] for row, name in zip(rows, names, strict=True)]
    write_csv(path, columns, rows)


def _write_comparisons(path, comparisons):
    names = ("first", "second", "images", "first_only", "second_only")
    rows = [
        [name, *(pair[key] for key in names)]
        + [f"{number:.6g}" for number in (pair["difference"], *pair["interval"], pair["p"])]
        for name, pairs in comparisons.items()
        for pair in pairs
    ]
    write_csv(path, ["split", *names, "difference", "low", "high", "p"], rows)
