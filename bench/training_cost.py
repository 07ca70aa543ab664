"""How many hours of one core the members of one or several folders take to train, undisturbed.

Each member counts by its images and epochs, at the speed of its fastest epoch: what the processor did beside
it, and the time it stood still, do not count. It reads what the members left, and no weights.

    python bench/training_cost.py experiments/cpu experiments/teachers
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.members.directory import find_folders, is_complete, read_history
from fer_ensemble.report.text_tables import format_table


def main(experiments):
    hours = {}
    for one in experiments:
        for (run, _), folder in sorted(find_folders(one).items()):
            if is_complete(folder):
                hours.setdefault((one, run.rpartition("_")[0]), []).append(undisturbed_hours(read_history(folder)))
    if not hours:
        sys.exit("Give folders of members: python bench/training_cost.py experiments/cpu")
    rows = [
        [*kind, len(each), f"{60 * statistics.mean(each):.1f}", f"{sum(each):.2f}"] for kind, each in hours.items()
    ]
    print(format_table(["folder", "network", "members", "minutes each", "core-hours"], rows))
    print(f"\n{sum(map(sum, hours.values())):.2f} core-hours in all")


def undisturbed_hours(history):
    """Returns the hours that all epochs take at the speed of the fastest; images an epoch = speed x seconds."""
    speeds = history["images_per_second"]
    images = statistics.median(speed * seconds for speed, seconds in zip(speeds, history["seconds"], strict=True))
    return len(speeds) * images / max(speeds) / 3600


if __name__ == "__main__":
    main(sys.argv[1:])
