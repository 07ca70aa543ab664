"""What each export costs and keeps: format x accuracy on PublicTest, size, milliseconds per face for 1 and for 64.

python bench/export.py --data=fer2013.csv [--model=shipped] [--threads=1] [--rounds=31] [--faces=0]

Exports the network in every format, runs each in its own runtime, and prints the table of docs/deploy.md. Times
are medians, the formats taking turns: with one thread of the processor's time, which is what it takes on a machine
that does nothing else; with more, of the clock. TensorFlow, which runs the SavedModel and the Keras file, takes
its threads from the environment, which this sets at its start.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--faces", type=int, default=0, help="how many of PublicTest are looked at; 0: all")
    given = parser.parse_args()
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(given.threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    from fer_ensemble.evaluation.latency import measure_latency

    with tempfile.TemporaryDirectory() as folder:
        exports, comparisons = write_all(given, pathlib.Path(folder))
        networks = {name: opened for name, (_, opened) in exports.items()}
        clock = time.process_time if given.threads == 1 else time.perf_counter
        times = measure_latency(networks, load_faces(given), given.rounds, clock)
        sizes = {name: measure_size(path) for name, (path, _) in exports.items()}
    print_table(comparisons, sizes, times, given)


def write_all(given, folder):
    """Exports in every format; returns, by name, paths with opened files, and comparisons with the source."""
    from fer_ensemble.data.store import load_dataset
    from fer_ensemble.export.exporting import FORMATS, TestFaces, choose_test_faces, export
    from fer_ensemble.export.source_loading import load_source

    source = load_source(given.model)
    test = choose_test_faces(source, load_dataset(given.data))
    most = given.faces or None
    test = TestFaces(test.faces[:most], test.labels[:most], test.calibration)
    exports, comparisons = {}, {}
    for format, kind in FORMATS.items():
        if len(source.models) > 1 and not kind.several:
            continue
        for quantize in kind.quantizations:
            name = f"{format}, {quantize}"
            path = folder / f"{format}_{quantize}{kind.suffix}"
            print(f"{name}: exporting", file=sys.stderr, flush=True)
            comparisons[name] = export(source, path, format, quantize, test, most_loss=100)
            exports[name] = path, kind.open(path, given.threads)
    return exports, comparisons


def load_faces(given):
    from fer_ensemble.data.dataset import PUBLIC_TEST
    from fer_ensemble.data.store import load_dataset

    dataset = load_dataset(given.data)
    return dataset.images[dataset.split(PUBLIC_TEST)]


def measure_size(path):
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def print_table(comparisons, sizes, times, given):
    from fer_ensemble.models.device import describe_device

    faces = next(iter(comparisons.values()))
    print(
        f"{given.model}, {faces.labelled:,} faces of PublicTest, source {faces.source_accuracy:.2%}; "
        f"{describe_device()}, {given.threads} thread(s)\n"
    )
    print(
        "| format, quantised | accuracy | decisions changed | largest difference | MB | ms for 1 | ms for each "
        "of 64 |"
    )
    print("| --- " * 7 + "|")
    for name, found in comparisons.items():
        one, many = times[name].values()
        kept = f"{found.accuracy:.2%} | {found.changed} | {found.difference:.2g}"
        print(f"| {name} | {kept} | {sizes[name] / 1e6:.2f} | {one:.2f} | {many:.2f} |")


if __name__ == "__main__":
    main()
