"""The threshold of the unsure for an ensemble, chosen on its out-of-fold table, and what it does on both tables.

python bench/unsure_threshold.py experiments/cpu
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.base.words import percent
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, UNLABELLED
from fer_ensemble.ensemble.prediction_tables import find_calibration, read_scores, read_table
from fer_ensemble.evaluation.risk import describe_risk
from fer_ensemble.report.text_tables import format_table
from fer_ensemble.scoring.selective import choose_unsure_below


def main(folder):
    scores = read_scores(folder)
    known = {}
    for name, file in (("oof", "oof.csv"), (SPLITS[PUBLIC_TEST], "predictions.csv")):
        table = read_table(pathlib.Path(folder) / file, scores["class_names"])
        calibration = find_calibration(scores, name, table)
        probabilities = calibration.apply(table.probabilities) if calibration else table.probabilities
        labelled = table.labels != UNLABELLED
        known[name] = probabilities[labelled], table.labels[labelled]
    threshold = choose_unsure_below(*known["oof"])
    print(f"{folder}: an answer is unsure below {threshold:.3f}\n")
    rows = []
    for name, (probabilities, labels) in known.items():
        found = describe_risk(probabilities, labels, threshold)
        right = (probabilities.argmax(axis=1) == labels).mean()
        shares = (right, found["unsure"], found["sure_accuracy"], found["unsure_accuracy"], found["aurc"])
        rows.append([name, f"{len(labels):,}", *map(percent, shares)])
    print(format_table(["", "images", "right", "unsure", "right where sure", "right where unsure", "AURC"], rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
