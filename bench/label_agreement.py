"""How often the plurality of ten FER+ voters is FER2013's label: what the labels are worth.

python bench/label_agreement.py fer2013.csv fer2013new.csv
"""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.base.words import percent, percent_interval
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED
from fer_ensemble.data.store import load_dataset
from fer_ensemble.evaluation.voters import describe_agreement
from fer_ensemble.report.text_tables import format_table


def main(inputs):
    dataset = load_dataset(inputs)
    if dataset.votes is None:
        sys.exit("Give the votes, too: python bench/label_agreement.py fer2013.csv fer2013new.csv")
    rows = []
    for name, usages in (("both", (TRAINING, PUBLIC_TEST)), *((SPLITS[one], (one,)) for one in range(3))):
        chosen = np.isin(dataset.usage, usages) & (dataset.labels != UNLABELLED)
        found = describe_agreement(dataset.labels[chosen], dataset.votes[chosen], dataset.class_names)
        if found is None:
            continue
        rows.append([*_row(name, found), found["tied"]])
        if name == "both":
            details = [_row(f"label {one['name']}", one) for one in found["by_class"]]
            details += [_row(f"{one['votes']} votes for it", one) for one in found["by_votes"]]
    print(
        format_table(
            ["images of", "one answer leads", "it is the label", "95 % interval", "no answer leads"], rows
        )
    )
    print()
    print(format_table(["of both", "images", "it is the label", ""], details))


def _row(name, found):
    interval = percent_interval(found["interval"]) if "interval" in found else ""
    return [name, f"{found['images']:,}", percent(found["agree"]), interval]


if __name__ == "__main__":
    main(sys.argv[1:])
