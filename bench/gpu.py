"""Measures all that needs a GPU in one command, on any backend.

In this order, each as far as the time allows: the GPU's matmul peak; training images/s of both architectures,
widths 32 and 64; 1, 2, 4 and 8 workers on the GPU; a prediction of 16 members; a full run of 16 members; then
training again with other precisions, batch sizes, and one step per call. What no longer fits is named as skipped.

It writes OUTPUT/gpu.json and OUTPUT/gpu.md, anew after each measurement, and says so and ends with 0 where there
is no GPU. Every part runs in a process of its own; their output is in OUTPUT/*.log. The networks are fed and
trained by the project's own code; their training images are repeated up to the number of FER2013's three folds.

Examples:

  python bench/gpu.py --data=fer2013.csv
  KERAS_BACKEND=jax python bench/gpu.py --minutes=25 --full_run=experiments/quick.flags
  python bench/gpu.py --data=fer2013.csv --only=full_run --output=bench/gpu-full-run
  python bench/gpu.py --device=cpu --minutes=3    to try the command: tiny sizes, one member as the full run
"""

import dataclasses
import functools
import json
import os
import pathlib
import statistics
import sys
import time

import numpy as np
from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fer_ensemble import command  # noqa: E402
from fer_ensemble.files import write_text  # noqa: E402
from fer_ensemble.launch.local import Job, Stopped, run_jobs  # noqa: E402
from fer_ensemble.launch.workers import find_gpus, worker_environments  # noqa: E402
from fer_ensemble.training.settings import TrainingSettings  # noqa: E402

MEASUREMENTS = "measurements.jsonl"
WARM_UP_CALLS = 3  # of the training step, not counted: the first one compiles
SECONDS_TO_END = 10  # kept for ending what runs at the end of the time


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is measured: on a GPU, or, to try the command, on the CPU."""

    widths: tuple
    batch_sizes: tuple
    input_size: int
    optimizer: str
    training_images: int
    predicted_images: int
    workers: tuple
    seconds: float  # of training that are measured, at most
    matrix: int


SIZES = {
    "gpu": Sizes((64, 32), (128, 512, 256), 48, "muon", 21_532, 3589, (1, 2, 4, 8), 6.0, 8192),
    "cpu": Sizes((4,), (16, 32), 16, "sgd", 128, 64, (1, 2), 1.0, 256),
}

PARTS = ("training", "workers", "prediction", "full_run", "more_training")

MINUTES = flags.DEFINE_float("minutes", 10.0, "It ends within this time.", lower_bound=0.5)
DATA = flags.DEFINE_string("data", "data/sample.csv.gz", "The data set, as for model_train.py.")
OUTPUT = flags.DEFINE_string("output", "bench/gpu", "Folder for the results; what is in it from before is lost.")
FULL_RUN = flags.DEFINE_string("full_run", "experiments/quick.flags", "Flag file of the full run.")
DEVICE = flags.DEFINE_enum("device", "gpu", tuple(SIZES), "cpu: to try the command itself, with tiny sizes.")
ONLY = flags.DEFINE_list("only", list(PARTS), f"The parts to measure, of {', '.join(PARTS)}; in this order.")
PART = flags.DEFINE_string("part", "", "Used by the command itself: one measurement, as JSON.")


def main(arguments):
    if arguments:
        raise ValueError(f"gpu.py takes flags only. Received: {' '.join(arguments)}")
    if PART.value:
        return measure_part(json.loads(PART.value), pathlib.Path(OUTPUT.value))
    gpus = find_gpus()
    if DEVICE.value == "gpu" and not gpus:
        print(
            "no GPU here: nothing measured. (nvidia-smi names none; where there is one but not that tool, set "
            "CUDA_VISIBLE_DEVICES=0. --device=cpu tries the command itself.)"
        )
        return 0
    if not set(ONLY.value) <= set(PARTS):
        raise ValueError(f"`only` must be among {', '.join(PARTS)}. Received: {','.join(ONLY.value)}.")
    for path in (DATA.value, FULL_RUN.value):
        if not pathlib.Path(path).exists():
            raise FileNotFoundError(f"There is no {path}.")
    try:
        return Bench(gpus[:1] if DEVICE.value == "gpu" else [], pathlib.Path(OUTPUT.value).resolve()).run()
    except Stopped as stopped:
        print(f"stopped by {stopped.signal.name}; what was measured until then is in {OUTPUT.value}")
        return 128 + stopped.signal


class Bench:
    """Runs the parts one after the other, each in processes of its own, and keeps the results written.

    Args:
        gpus: The name of the GPU in a list; an empty list for the CPU.
        output: Folder of the results.
    """

    def __init__(self, gpus, output):
        self._gpus, self._output = gpus, output
        self._sizes = SIZES["gpu" if gpus else "cpu"]
        self._deadline = time.time() + 60 * MINUTES.value - SECONDS_TO_END
        self._skipped = []
        output.mkdir(parents=True, exist_ok=True)
        for path in [output / MEASUREMENTS, *output.glob("bench-*.log"), *output.glob("ready-*")]:
            path.unlink(missing_ok=True)

    def run(self):
        """Measures; returns the exit code."""
        sizes = self._sizes
        self._measure("device", {"kind": "device"})
        devices = [row for row in read_rows(self._output) if row["kind"] == "device"]
        if not devices:
            return 1
        if self._gpus and not devices[0]["gpus"]:
            print(f"Keras sees no GPU here: nothing measured. Its messages are in {self._output}/bench-device.log")
            return 0
        first, others = list_trainings(sizes)
        if "training" in ONLY.value:
            self._measure("training", {"kind": "training", "trainings": first})
        for workers in sizes.workers if "workers" in ONLY.value else ():
            self._measure_workers(workers, first[-1])
        if "prediction" in ONLY.value:
            self._measure("prediction", {"kind": "prediction"})
        if "full_run" in ONLY.value:
            self._run_all_members()
        if "more_training" in ONLY.value:
            self._measure("more training", {"kind": "training", "trainings": others})
        print(f"written to {self._output / 'gpu.json'} and {self._output / 'gpu.md'}")
        return 0

    def _measure(self, name, part):
        self._run_jobs(name, [self._job(name, part)], self._environments(1))

    def _measure_workers(self, workers, training):
        name = f"{workers} worker{'s' if workers > 1 else ''}"
        jobs = [
            self._job(
                f"{name}, number {number}",
                {"kind": "worker", "workers": workers, "worker": number, "training": training},
            )
            for number in range(workers)
        ]
        self._run_jobs(name, jobs, self._environments(workers))

    def _run_all_members(self):
        experiments, began = self._output / "full-run", time.time()
        own = [
            f"--flagfile={FULL_RUN.value}",
            f"--data={DATA.value}",
            f"--experiments={experiments}",
            "--overwrite",
        ]
        if not self._gpus:
            own += ["--width=4", "--input_size=16", "--epochs=1", "--optimizer=sgd", "--runs=cnn_0", "--folds=0"]
        launch = [sys.executable, "-m", "fer_ensemble.launch", *own]
        # All visible GPUs, and as many workers as the launcher chooses.
        environment = {} if self._gpus else self._environments(1)[0]
        ended = self._run_jobs("full run", [Job("full run", launch, self._log("full run"))], [environment])
        records = [path for path in experiments.glob("exp_*/*/member.json") if path.stat().st_mtime >= began]
        if records:
            seconds = [json.loads(path.read_text())["training_seconds"] for path in records]
            row = {"kind": "full run", "ended": ended, "members": len(records), "seconds": time.time() - began}
            write_row(self._output, {**row, "training_seconds_of_a_member": statistics.mean(seconds)})
        self._write()

    def _environments(self, workers):
        if self._gpus:
            return worker_environments(self._gpus, workers)
        return [{"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}] * workers

    def _job(self, name, part):
        own = [f"--device={DEVICE.value}", f"--data={DATA.value}", f"--output={self._output}"]
        part = json.dumps({**part, "until": self._deadline})
        program = [sys.executable, str(pathlib.Path(__file__).resolve())]
        return Job(name, [*program, *own, f"--part={part}"], self._log(name))

    def _log(self, name):
        return self._output / f"bench-{name.replace(', ', '-').replace(' ', '-')}.log"

    def _run_jobs(self, name, jobs, environments):
        """Runs one part; returns whether it came to its end."""
        left = self._deadline - time.time()
        if left < 5:
            self._skip(f"{name}: no time left")
            return False
        print(f"{name} ({left:.0f} s left)", flush=True)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environments = [{**environment, "PYTHONPATH": path} for environment in environments]
        self._runs = []
        try:
            run_jobs(jobs, environments, self._watch, grace=SECONDS_TO_END / 2)
        except TimeoutError as error:
            self._skip(f"{name}: {error}")
        finally:
            self._write()
        for run in self._runs:
            if run.exit_code and run.exit_code > 0:
                last = run.read_last_lines(1) or ["it said nothing"]
                self._skip(f"{run.job.name}: {last[0]} (exit code {run.exit_code}; {run.job.log})")
        return not any(run.exit_code for run in self._runs)

    def _watch(self, runs):
        self._runs = list(runs)
        self._write()
        if time.time() > self._deadline:
            raise TimeoutError("stopped, as the time is over")
        if any(run.exit_code for run in runs) and any(run.exit_code is None for run in runs):
            raise TimeoutError("stopped, as one of its workers failed")  # the others would wait for it

    def _skip(self, line):
        print(f"  {line}", flush=True)
        self._skipped.append(line)

    def _write(self):
        rows = read_rows(self._output)
        skipped = [*self._skipped, *(row["skipped"] for row in rows if "skipped" in row)]
        results = {"rows": [row for row in rows if "skipped" not in row], "skipped": skipped}
        write_text(self._output / "gpu.json", json.dumps(results, indent=2) + "\n")
        write_text(self._output / "gpu.md", format_results(**results))


def list_trainings(sizes):
    """Returns the trainings to measure first, and those that can wait, both in the order of their importance."""
    order = [
        {"precision": precision, "batch_size": batch_size, "width": width, "model": model}
        for precision in ("mixed_float16", "mixed_bfloat16", "float32")
        for batch_size in sizes.batch_sizes
        for width in sizes.widths
        for model in ("resnet", "cnn")
    ]
    first = order[: 2 * len(sizes.widths)]
    # One step per call: what is lost when Keras reads the loss after each.
    return first, [*({**training, "steps_per_call": 1} for training in first), *order[len(first) :]]


def measure_part(part, output):
    """Makes one measurement in this process, and appends its rows to the file of all measurements."""
    sizes = SIZES[DEVICE.value]
    if part["kind"] == "device":
        measure_device(sizes, output)
    elif part["kind"] == "training":
        measure_trainings(part["trainings"], part["until"], sizes, output)
    elif part["kind"] == "worker":
        wait = functools.partial(wait_for_workers, output, part["workers"], part["worker"], part["until"])
        row = measure_training(part["training"], sizes, wait)
        write_row(output, {**row, "kind": "worker", "workers": part["workers"], "worker": part["worker"]})
    else:
        measure_prediction(sizes, output)
    return 0


def measure_device(sizes, output):
    from fer_ensemble.device import GPUS, describe_device, keras

    backend = keras.backend.backend()
    versions = {"keras": keras.__version__, backend: sys.modules[backend].__version__}
    write_row(
        output,
        {"kind": "device", "device": describe_device(), "gpus": GPUS, "backend": backend, "versions": versions},
    )
    if DEVICE.value == "gpu" and not GPUS:
        return
    for precision in ("float16", "bfloat16", "float32"):
        teraflops = measure_matmul(sizes.matrix, precision)
        write_row(output, {"kind": "peak", "precision": precision, "size": sizes.matrix, "teraflops": teraflops})


def measure_matmul(size, precision):
    """Returns the TFLOP/s of the product of two square matrices; for float32, GPUs may round to TF32."""
    from keras import ops

    # A product with such a matrix keeps the size of the numbers.
    values = np.random.default_rng(0).normal(0, size**-0.5, (size, size)).astype(np.float32)
    matrix = product = ops.cast(ops.convert_to_tensor(values), precision)
    best = np.inf
    for _ in range(6):  # the first two warm up
        ops.convert_to_numpy(product[:1, :1])
        began = time.perf_counter()
        for _ in range(10):
            product = ops.matmul(matrix, product)
        ops.convert_to_numpy(product[:1, :1])  # waits for the device
        best = min(best, (time.perf_counter() - began) / 10)
    return 2 * size**3 / best / 1e12


def measure_trainings(trainings, until, sizes, output):
    from fer_ensemble.device import keras

    longest = 0.0
    for training in trainings:
        name = " ".join(str(value) for value in training.values())
        began = time.time()
        if began + longest > until:
            write_row(output, {"kind": "training", "skipped": f"training {name}: no time left"})
            continue
        try:
            write_row(output, measure_training(training, sizes))
        except Exception as error:  # such as a GPU that is too small for one of them: the others may do
            line = str(error).partition("\n")[0]
            write_row(output, {"kind": "training", "skipped": f"training {name}: {type(error).__name__}: {line}"})
        keras.backend.clear_session()
        longest = max(longest, time.time() - began)


def measure_training(training, sizes, wait=lambda: None):
    """Trains as `fer_ensemble.training.fit` does, for some seconds after the warm-up.

    Args:
        training: Dictionary with `model`, `width`, `batch_size`, `precision` and maybe `steps_per_call`.
        sizes: `Sizes`.
        wait: Function that is called between the warm-up and the measurement.

    Returns:
        Dictionary, the row.
    """
    from fer_ensemble.data.dataset import TRAINING
    from fer_ensemble.data.store import load_dataset
    from fer_ensemble.device import compile_options, keras
    from fer_ensemble.training.batches import TrainingBatches
    from fer_ensemble.training.fit import _build_training_model
    from fer_ensemble.training.optimizers import build_optimizer

    names = ("model", "width", "batch_size", "precision")
    settings = TrainingSettings(
        input_size=sizes.input_size, optimizer=sizes.optimizer, **{name: training[name] for name in names}
    )
    dataset = load_dataset(DATA.value, "")
    chosen = np.resize(np.flatnonzero((dataset.usage == TRAINING) & (dataset.labels >= 0)), sizes.training_images)
    labels, classes = dataset.labels[chosen].astype(np.int64), len(dataset.class_names)
    core, model = _build_training_model(dataset.images[chosen], classes, settings)
    batches = TrainingBatches(labels, classes, settings, seed=0)
    options = compile_options(training=True)
    if "steps_per_call" in training:
        options["steps_per_execution"] = training["steps_per_call"]
    model.compile(
        optimizer=build_optimizer(settings, len(batches)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        **options,
    )

    class Stopwatch(keras.callbacks.Callback):
        steps, calls = 0, 0

        def on_epoch_begin(self, epoch, logs=None):
            self._last = -1

        def on_train_batch_end(self, batch, logs=None):
            batch = min(batch, self.params["steps"] - 1)
            self.calls += 1
            if self.calls == WARM_UP_CALLS:
                self.warm_up_seconds = time.perf_counter() - began
                wait()
                self._started = time.perf_counter()
            elif self.calls > WARM_UP_CALLS:
                self.steps += batch - self._last
                self.seconds = time.perf_counter() - self._started
                self.model.stop_training = self.seconds >= sizes.seconds
            self._last = batch

    stopwatch, began = Stopwatch(), time.perf_counter()
    model.fit(batches, epochs=1_000_000, shuffle=False, verbose=0, callbacks=[stopwatch])
    speed = stopwatch.steps * settings.batch_size / stopwatch.seconds
    return {
        "kind": "training",
        **training,
        "steps_per_call": options.get("steps_per_execution", 1),
        "warm_up_seconds": stopwatch.warm_up_seconds,
        "steps": stopwatch.steps,
        "images_per_second": speed,
        "teraflops": speed * count_training_operations(core) / 1e12,
    }


def count_training_operations(core):
    """Returns the floating-point operations of training on one image, of convolutions and dense layers alone.

    Two for each multiplication of the forward pass, and twice as many for the two gradients.
    """
    multiplications = 0
    for layer in core.layers:
        if hasattr(layer, "kernel"):
            places = int(np.prod(layer.output.shape[1:-1]))  # 1 for a dense layer
            multiplications += places * int(np.prod(layer.kernel.shape))
    return 3 * 2 * multiplications


def wait_for_workers(output, workers, worker, until):
    """Waits until all workers have warmed up."""
    (output / f"ready-{workers}-{worker}").touch()
    while len(list(output.glob(f"ready-{workers}-*"))) < workers and time.time() < until:
        time.sleep(0.02)


def measure_prediction(sizes, output):
    from fer_ensemble.members.inference import predict_probabilities
    from fer_ensemble.training.fit import _build_plain_model

    images = np.random.default_rng(0).integers(0, 256, (sizes.predicted_images, 48, 48), dtype=np.uint8)
    for width in sizes.widths:
        row = {"kind": "prediction", "members": 16, "images": len(images), "width": width}
        row |= {"warm_up_seconds": 0.0, "seconds": 0.0}
        for model in ("cnn", "resnet"):
            settings = TrainingSettings(model=model, width=width, input_size=sizes.input_size)
            began = time.perf_counter()
            network = _build_plain_model(7, settings)
            predict_probabilities(network, images)
            warm = time.perf_counter()
            for _ in range(8):
                predict_probabilities(network, images)
            row["warm_up_seconds"] += warm - began
            row["seconds"] += time.perf_counter() - warm
        write_row(output, row)


def write_row(output, row):
    with (output / MEASUREMENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_rows(output):
    path = output / MEASUREMENTS
    lines = (
        path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    )  # the last may be half a line
    return [json.loads(line) for line in lines]


def format_results(rows, skipped):
    """Returns the results as Markdown."""
    found = {}
    for row in rows:
        found.setdefault(row["kind"], []).append(row)
    lines = ["# Speed on a GPU", ""] if DEVICE.value == "gpu" else ["# A trial on the CPU, with tiny sizes", ""]
    for row in found.get("device", []):
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
        lines += [f"{row['device']}, {versions}", ""]
    peaks = {row["precision"]: row["teraflops"] for row in found.get("peak", [])}
    table = [
        [precision, f"{row['size']:,}", f"{row['teraflops']:.3g}"]
        for precision, row in zip(peaks, found.get("peak", []), strict=True)
    ]
    lines += format_table("Product of two square matrices", ["precision", "size", "TFLOP/s"], table)
    table = []
    for row in found.get("training", []):
        peak = peaks.get(row["precision"].removeprefix("mixed_"))
        share = f"{row['teraflops'] / peak:.1%}" if peak else ""
        values = [row[name] for name in ("model", "width", "batch_size", "precision", "steps_per_call")]
        table.append([*values, f"{row['images_per_second']:,.0f}", share, f"{row['warm_up_seconds']:.0f}"])
    columns = ["model", "width", "batch", "precision", "steps per call", "images/s", "share of the peak"]
    lines += format_table("Training", [*columns, "warm-up, s"], table)
    by_count = {}
    for row in found.get("worker", []):
        by_count.setdefault(row["workers"], []).append(row)
    table = [
        [
            workers,
            *(own[0][name] for name in ("model", "width")),
            f"{sum(row['images_per_second'] for row in own):,.0f}",
        ]
        for workers, own in by_count.items()
        if len(own) == workers
    ]
    lines += format_table("Workers on one GPU", ["workers", "model", "width", "images/s of all"], table)
    table = [
        [row["width"], f"{row['images']:,}", f"{row['seconds']:.2f}", f"{row['warm_up_seconds']:.0f}"]
        for row in found.get("prediction", [])
    ]
    lines += format_table("Prediction with 16 members", ["width", "images", "seconds", "warm-up, s"], table)
    for row in found.get("full run", []):
        end = "" if row["ended"] else ", then the time was over"
        lines += [
            f"Full run: {row['members']} members in {row['seconds']:.0f} s{end}; "
            f"a member trained {row['training_seconds_of_a_member']:.0f} s.",
            "",
        ]
    lines += [f"- not measured: {line}" for line in skipped]
    return "\n".join(lines).rstrip() + "\n"


def format_table(title, columns, rows):
    if not rows:
        return []
    cells = [columns, ["---"] * len(columns), *([str(value) for value in row] for row in rows)]
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in cells), ""]


if __name__ == "__main__":
    command.run(main)
