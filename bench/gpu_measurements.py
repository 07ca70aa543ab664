"""The measurements of gpu.py, each made in a process of its own."""

import dataclasses
import functools
import json
import sys
import time

import numpy as np
from train_step import count_flops

from fer_ensemble.training.settings import TrainingSettings

MEASUREMENTS = "measurements.jsonl"
WARM_UP_CALLS = 3  # of the training step, not counted: the first one compiles


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


def measure_part(part, data, output):
    """Makes one measurement in this process, and appends its rows to the file of all measurements.

    Args:
        part: Dictionary with `kind`, `device` (a key of `SIZES`), `until` and what else the kind needs.
        data: The data set, as for model_train.py.
        output: Folder of the results.
    """
    sizes = SIZES[part["device"]]
    if part["kind"] == "device":
        measure_device(sizes, part["device"], output)
    elif part["kind"] == "training":
        measure_trainings(part["trainings"], part["until"], data, sizes, output)
    elif part["kind"] == "worker":
        wait = functools.partial(wait_for_workers, output, part["workers"], part["worker"], part["until"])
        row = measure_training(part["training"], data, sizes, wait)
        write_row(output, {**row, "kind": "worker", "workers": part["workers"], "worker": part["worker"]})
    else:
        measure_prediction(sizes, output)
    return 0


def measure_device(sizes, device, output):
    from fer_ensemble.models.device import GPUS, describe_device, keras

    backend = keras.backend.backend()
    versions = {"keras": keras.__version__, backend: sys.modules[backend].__version__}
    write_row(
        output,
        {"kind": "device", "device": describe_device(), "gpus": GPUS, "backend": backend, "versions": versions},
    )
    if device == "gpu" and not GPUS:
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


def measure_trainings(trainings, until, data, sizes, output):
    from fer_ensemble.models.device import keras

    longest = 0.0
    for training in trainings:
        name = " ".join(str(value) for value in training.values())
        began = time.time()
        if began + longest > until:
            write_row(output, {"kind": "training", "skipped": f"training {name}: no time left"})
            continue
        try:
            write_row(output, measure_training(training, data, sizes))
        except Exception as error:  # such as a GPU that is too small for one of them: the others may do
            line = str(error).partition("\n")[0]
            write_row(output, {"kind": "training", "skipped": f"training {name}: {type(error).__name__}: {line}"})
        keras.backend.clear_session()
        longest = max(longest, time.time() - began)


def measure_training(training, data, sizes, wait=lambda: None):
    """Trains as `fer_ensemble.training.fit` does, for some seconds after the warm-up.

    Args:
        training: Dictionary with `model`, `width`, `batch_size`, `precision` and maybe `steps_per_call`.
        data: The data set, as for model_train.py.
        sizes: `Sizes`.
        wait: Function that is called between the warm-up and the measurement.

    Returns:
        Dictionary, the row.
    """
    from fer_ensemble.data.dataset import TRAINING
    from fer_ensemble.data.store import load_dataset
    from fer_ensemble.models.device import compile_options, keras
    from fer_ensemble.training.batches import TrainingBatches
    from fer_ensemble.training.network import TrainingNetwork
    from fer_ensemble.training.optimizers import build_optimizer

    names = ("model", "width", "batch_size", "precision")
    settings = TrainingSettings(
        input_size=sizes.input_size, optimizer=sizes.optimizer, **{name: training[name] for name in names}
    )
    dataset = load_dataset(data)
    chosen = np.resize(np.flatnonzero((dataset.usage == TRAINING) & (dataset.labels >= 0)), sizes.training_images)
    labels, classes = dataset.labels[chosen].astype(np.int64), len(dataset.class_names)
    network = TrainingNetwork(dataset.images[chosen], classes, settings)
    core, model = network.core, network.training
    batches = TrainingBatches(np.eye(classes)[labels], settings, seed=0)
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
    model.fit(batches.for_fit(), epochs=1_000_000, shuffle=False, verbose=0, callbacks=[stopwatch])
    speed = stopwatch.steps * settings.batch_size / stopwatch.seconds
    return {
        "kind": "training",
        **training,
        "steps_per_call": options.get("steps_per_execution", 1),
        "warm_up_seconds": stopwatch.warm_up_seconds,
        "steps": stopwatch.steps,
        "images_per_second": speed,
        "teraflops": speed * count_flops(core) / 1e12,
    }


def wait_for_workers(output, workers, worker, until):
    """Waits until all workers have warmed up."""
    (output / f"ready-{workers}-{worker}").touch()
    while len(list(output.glob(f"ready-{workers}-*"))) < workers and time.time() < until:
        time.sleep(0.02)


def measure_prediction(sizes, output):
    from fer_ensemble.members.predictions import predict_probabilities
    from fer_ensemble.models.device import choose_precision
    from fer_ensemble.models.folding import fold_model
    from fer_ensemble.training.network import build_plain_model

    images = np.random.default_rng(0).integers(0, 256, (sizes.predicted_images, 48, 48), dtype=np.uint8)
    for width in sizes.widths:
        row = {"kind": "prediction", "members": 16, "images": len(images), "width": width}
        row |= {"warm_up_seconds": 0.0, "seconds": 0.0}
        for model in ("cnn", "resnet"):
            settings = TrainingSettings(model=model, width=width, input_size=sizes.input_size)
            began = time.perf_counter()
            network = fold_model(build_plain_model(7, settings), choose_precision("auto"))
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
