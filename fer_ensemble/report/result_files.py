"""The files of `predict.py` for programs and spreadsheets."""

import csv
import itertools
import json

import numpy as np

from fer_ensemble.base.atomic_files import replacing, write_text
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED
from fer_ensemble.ensemble.parts import OOF
from fer_ensemble.evaluation.part_scores import correctness
from fer_ensemble.evaluation.voters import majority_labels
from fer_ensemble.report.confusion_picture import draw_confusion_matrix
from fer_ensemble.report.score_tables import TITLES
from fer_ensemble.report.text_tables import predictions_table
from fer_ensemble.scoring.comparisons import compare_pairs
from fer_ensemble.scoring.metrics import predicted_labels

USAGES = {OOF: TRAINING, SPLITS[PUBLIC_TEST]: PUBLIC_TEST, SPLITS[PRIVATE_TEST]: PRIVATE_TEST}


def write_results(output, report, parts, calibrations=None):
    """Writes `scores.json`, `predictions.csv`, `oof.csv`, `comparisons.csv` and the confusion matrices.

    Args:
        output: Path of the folder.
        report: Dict as in `scores.json`.
        parts: Dict from name to `Part` with the ensemble's predictions.
        calibrations: Dict from the same names to the `Calibration` of what is written, or None.
    """
    class_names = report["class_names"]
    tests = [(name, part) for name, part in parts.items() if name != OOF]
    _write_predictions(output / "predictions.csv", tests, class_names, calibrations)
    if OOF in parts:
        _write_predictions(output / "oof.csv", [(OOF, parts[OOF])], class_names, calibrations)
    _write_comparisons(output / "comparisons.csv", parts, report["runs"])
    for name, values in report["splits"].items():
        if matrix := values.get("confusion"):
            rows = [["true \\ predicted", *class_names]]
            rows += [[true, *counts] for true, counts in zip(class_names, matrix, strict=True)]
            write_csv(output / f"confusion_{name}.csv", rows)
            picture = draw_confusion_matrix(
                matrix, class_names, f"{TITLES[name]}, {len(report['members'])} members"
            )
            with replacing(output / f"confusion_{name}.png") as temporary:
                temporary.write_bytes(picture)
    write_text(output / "scores.json", json.dumps(report, indent=2) + "\n")


def write_likely_wrong(path, part, positions, suggested, probabilities, class_names, votes=None):
    """Writes the images whose label is likely wrong, the surest first, as CSV.

    Args:
        path: Path of the file.
        part: The out-of-fold `Part`.
        positions: Int array, the images' positions in the part.
        suggested: Int array, the classes they seem to be.
        probabilities: Float array of shape `(images, classes)` for the whole part.
        class_names: Names of the classes.
        votes: The FER+ votes for the whole part, or None; then a column has the voters' majority.
    """
    majority = None if votes is None else majority_labels(votes[positions], class_names)
    rows = [["row", "label", "suggested", "probability_of_label", "probability_of_suggested"]]
    if votes is not None:
        rows[0].append("ferplus_majority")
    for place, (position, other) in enumerate(zip(positions, suggested, strict=True)):
        label, chances = part.labels[position], probabilities[position]
        cells = [part.rows[position], class_names[label], class_names[other]]
        cells += [f"{chances[label]:.6f}", f"{chances[other]:.6f}"]
        if majority is not None:
            cells.append(class_names[majority[place]] if majority[place] != UNLABELLED else "")
        rows.append(cells)
    write_csv(path, rows)


def write_csv(path, rows):
    """Writes rows of cells as a CSV file, whole."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_predictions(path, parts, class_names, calibrations):
    tables = []
    for name, part in parts:
        shown = ~np.isnan(part.ensemble[:, 0])
        chances = part.ensemble[shown]
        table = predictions_table(
            part.rows[shown],
            np.full(shown.sum(), USAGES[name]),
            part.labels[shown],
            predicted_labels(chances),
            calibrations[name].apply(chances) if calibrations else chances,
            class_names,
        )
        tables.append(table if not tables else itertools.islice(table, 1, None))
    write_text(path, "".join(itertools.chain(*tables)))


def _write_comparisons(path, parts, run_names):
    rows = [["split", "first", "second", "images", "first_only", "second_only", "difference", "low", "high", "p"]]
    for name, part in parts.items():
        for pair in compare_pairs(correctness(part, run_names)):
            cells = [pair[key] for key in ("first", "second", "images", "first_only", "second_only")]
            numbers = [pair["difference"], *pair["interval"], pair["p"]]
            rows.append([name, *cells, *(f"{number:.6g}" for number in numbers)])
    write_csv(path, rows)
