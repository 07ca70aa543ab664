"""How many hours of one core the members of one or several folders take to train, undisturbed.

Each member counts by its images and epochs, at the speed of its fastest epoch: what the processor did beside
it, and the time it stood still, do not count. It reads what the members left, and no weights.

    python bench/training_cost.py experiments/cpu experiments/teachers
"""

import pathlib
import sys

import pandas as pd

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.report.text_tables import format_table


def main(folders):
    rows = []
    for folder in folders:
        hours = {}
        for history in sorted(pathlib.Path(folder).glob("exp_*/*/history.csv")):
            model = history.parent.name.rpartition("_")[0]
            hours.setdefault(model, []).append(undisturbed_hours(pd.read_csv(history)))
        for model, each in hours.items():
            rows.append([folder, model, len(each), f"{60 * sum(each) / len(each):.1f}", f"{sum(each):.2f}"])
    if not rows:
        sys.exit("Give folders of members: python bench/training_cost.py experiments/cpu")
    print(format_table(["folder", "network", "members", "minutes each", "core-hours"], rows))
    print(f"\n{sum(float(row[-1]) for row in rows):.2f} core-hours in all")


def undisturbed_hours(history):
    """Returns the hours that all epochs take at the speed of the fastest; images an epoch = speed x seconds."""
    fastest = history.images_per_second.max()
    images = (history.images_per_second * history.seconds).median()
    return len(history) * images / fastest / 3600


if __name__ == "__main__":
    main(sys.argv[1:])
