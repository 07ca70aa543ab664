"""Compares the training step with a plain Keras script's and with PyTorch's, on the CPU.

python bench/train_step.py [--models cnn resnet] [--width 32] [--batch_size 128] [--rounds 5] [--steps 6]

Every row is a process of its own that builds the network, warms up, and then waits. They measure in turns, one at
a time, round by round: what else the machine does then falls on all alike. A measurement is repeated, up to ten
times, while other processes take more than a tenth of the processor. Medians over the rounds. Same networks, same
optimiser (SGD, Nesterov momentum 0.9), random images and labels; all augment by shift, rotation, zoom, mirror,
brightness and contrast:

    ours            what fer_ensemble.training.fit runs; "freed memory handed back": without keep_freed_memory
    plain Keras     standard layers, Random* layers in front, a tf.data pipeline; Keras's defaults, float32
    PyTorch         affine_grid and grid_sample on the batch; images already in memory, no DataLoader
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASSES = 7
IMAGES = 8192
WARM_UP_STEPS = 3
# Row: function that prepares it, further arguments, precision of its arithmetic.
ROWS = {
    "ours": ("ours", {"optimizer": "sgd"}, None),
    "ours, default optimiser (muon)": ("ours", {"optimizer": "muon"}, None),
    "ours, freed memory handed back": ("ours", {"optimizer": "sgd", "keep": False}, None),
    "plain Keras, float32": ("keras", {}, "float32"),
    "PyTorch, float32": ("torch", {"best": False}, "float32"),
    "PyTorch, bfloat16, channels last": ("torch", {"best": True}, "bfloat16"),
}


def prepare_ours(model, width, batch_size, optimizer, keep=True):
    from fer_ensemble.base.memory import keep_freed_memory
    from fer_ensemble.models.device import choose_precision, compile_options, describe_device, keras
    from fer_ensemble.training.batches import TrainingBatches
    from fer_ensemble.training.network import TrainingNetwork
    from fer_ensemble.training.optimizers import build_optimizer
    from fer_ensemble.training.settings import TrainingSettings

    if keep:
        keep_freed_memory()
    settings = TrainingSettings(model=model, width=width, batch_size=batch_size, optimizer=optimizer)
    images, labels = draw_data()
    network = TrainingNetwork(images, CLASSES, settings)
    core, training = network.core, network.training
    batches = TrainingBatches(np.eye(CLASSES)[labels], settings, seed=0)
    training.compile(
        optimizer=build_optimizer(settings, len(batches)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        **compile_options(training=True),
    )
    precision = choose_precision(settings.precision).removeprefix("mixed_")
    facts = {"device": describe_device(), "precision": precision}
    facts |= {"parameters": count_parameters(core), "flops": count_flops(core)}
    return facts, keras_stopwatch(training, batches)


def prepare_keras(model, width, batch_size):
    from fer_ensemble.models.device import keras  # first: it silences TensorFlow's start

    import tensorflow as tf  # isort: skip
    from keras import layers

    from fer_ensemble.models import build_model
    from fer_ensemble.training.settings import TrainingSettings

    core = build_model(TrainingSettings(model=model, width=width), CLASSES)
    network = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(10 / 360),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.1),
            layers.RandomBrightness(0.1),
            layers.RandomContrast(0.2, value_range=(0, 255)),
            core,
        ]
    )
    network.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    images, labels = draw_data()
    data = tf.data.Dataset.from_tensor_slices((images[..., None], labels))
    data = data.shuffle(len(images)).batch(batch_size).repeat().prefetch(tf.data.AUTOTUNE)
    return {"parameters": count_parameters(core)}, keras_stopwatch(network, data)


def keras_stopwatch(model, data):
    """Returns a function that trains for some steps and returns the seconds from its first to its last step."""
    from fer_ensemble.models.device import keras

    class StepTimes(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # the step is over once its loss is known
            self.ends.append(time.perf_counter())

    def measure(steps):
        times = StepTimes()
        # One more: the first step waits for the pipeline to start.
        model.fit(data, steps_per_epoch=steps + 1, shuffle=False, verbose=0, callbacks=[times])
        return times.ends[-1] - times.ends[0]

    return measure


def prepare_torch(model, width, batch_size, best):
    import torch
    from torch.nn import functional
    from torch_networks import build

    network = build(model, width, CLASSES).train()
    if best:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
    images, labels = (torch.from_numpy(values) for values in draw_data())

    def uniform(*shape):
        return 2 * torch.rand(*shape) - 1

    def augment(batch):
        angle, scale = np.pi / 18 * uniform(batch_size), 1 + 0.1 * uniform(batch_size)
        mirror = torch.sign(uniform(batch_size))
        cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
        x, y = 0.2 * uniform(2, batch_size)  # 0.2 of grid_sample's range -1..1 are 0.1 of the side
        rows = torch.stack([mirror * cosine, -sine, x, mirror * sine, cosine, y], dim=1)
        grid = functional.affine_grid(rows.view(-1, 2, 3), batch.shape, align_corners=False)
        batch = functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)
        factor, offset = 1 + 0.2 * uniform(batch_size, 1, 1, 1), 25.5 * uniform(batch_size, 1, 1, 1)
        return ((batch - 127.5) * factor + 127.5 + offset).clamp(0, 255) / 127.5 - 1

    def step():
        chosen = torch.randint(len(images), (batch_size,))
        batch = augment(images[chosen, None].float())
        precision = torch.autocast("cpu", torch.bfloat16) if best else contextlib.nullcontext()
        with precision:
            logits = network(batch.to(memory_format=torch.channels_last) if best else batch)
        loss = functional.cross_entropy(logits.float(), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def measure(steps):
        began = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - began

    return {"parameters": sum(weights.numel() for weights in network.parameters())}, measure


def prepare_peak(precision, side=2048):
    """The largest speed there is to reach: products of square matrices by the library under TensorFlow."""
    from fer_ensemble.models.device import keras  # noqa: F401  it silences TensorFlow's start

    import tensorflow as tf  # isort: skip

    matrix = tf.cast(tf.random.normal((side, side)), precision)

    def measure(steps):
        began = time.perf_counter()
        for _ in range(steps):
            tf.matmul(matrix, matrix).numpy()
        return time.perf_counter() - began

    return {"flops": 2 * side**3}, measure


def draw_data():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (IMAGES, 48, 48)).astype(np.uint8)
    return images, generator.integers(0, CLASSES, IMAGES)


def count_parameters(model):
    return sum(int(np.prod(weights.shape)) for weights in model.trainable_variables)


def count_flops(model):
    """Counts the operations of a training step per image: 2 per multiplication, and 3 passes."""
    multiplications = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = np.prod(layer.output.shape[1:-1])  # of a dense layer: 1
            multiplications += int(np.prod(layer.kernel.shape) * positions)
    return 3 * 2 * multiplications


class Worker:
    """A process that holds one row of the table and measures when it is told to."""

    def __init__(self, kind, arguments):
        command = [sys.executable, __file__, "--worker", kind, json.dumps(arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._answer()

    def measure(self, steps, tries=10):
        """Returns the seconds of some steps, and the share of them that other processes took of the processor."""
        for _ in range(tries):
            began = time.perf_counter(), processor_seconds(), processor_seconds(self._process.pid)
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
            seconds = self._answer()
            ended = time.perf_counter(), processor_seconds(), processor_seconds(self._process.pid)
            elapsed, all_of_them, own = (after - before for after, before in zip(ended, began, strict=True))
            others = max(0, all_of_them - own) / elapsed / os.cpu_count()
            if others < 0.1:
                break
        return seconds, others

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A process of the comparison ended early; its message stands above.")
        return json.loads(line)


def processor_seconds(process=None):
    """Returns the processor time that a process has used, or all together; 0 where it is not known."""
    try:
        if process:
            ticks = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
        else:
            cpu = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()
            ticks = cpu[1:4] + cpu[6:8]  # without idling and waiting for files
    except OSError:  # not Linux
        return 0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def work(kind, arguments):
    preparations = {"ours": prepare_ours, "keras": prepare_keras, "torch": prepare_torch, "peak": prepare_peak}
    facts, measure = preparations[kind](**arguments)
    measure(WARM_UP_STEPS)
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(int(line))), flush=True)


def compare(model, width, batch_size, rounds, steps):
    """Prints the table of one architecture."""
    workers, missing = {}, []
    for name, (kind, further, _) in ROWS.items():
        if kind == "torch" and not importlib.util.find_spec("torch"):
            missing.append(name)
            continue
        arguments = {"model": model, "width": width, "batch_size": batch_size, **further}
        workers[name] = Worker(kind, arguments)
    parameters = {worker.facts["parameters"] for worker in workers.values()}
    if len(parameters) > 1:
        raise SystemExit(f"The networks must be the same. Received different numbers of weights: {parameters}.")
    ours = workers["ours"].facts
    precisions = ["float32", "bfloat16"] if ours["precision"] == "bfloat16" else ["float32"]
    peaks = {precision: Worker("peak", {"precision": precision}) for precision in precisions}
    seconds, disturbances = {name: [] for name in [*workers, *peaks]}, []
    for _ in range(rounds):
        for name, worker in [*workers.items(), *peaks.items()]:
            found, others = worker.measure(10 * steps if name in peaks else steps)
            seconds[name].append(found)
            disturbances.append(others)
    for worker in [*workers.values(), *peaks.values()]:
        worker.close()

    peak = {name: 10 * steps * peaks[name].facts["flops"] / statistics.median(seconds[name]) for name in peaks}
    print(f"\n{ours['device']}; {list_versions()}")
    print(f"width {width}, batch {batch_size}, {rounds} rounds of {steps} steps; ", end="")
    print(f"other processes took {statistics.mean(disturbances):.0%}, at most {max(disturbances):.0%}")
    print(f"{model}: {ours['flops'] / 1e9:.2f} GFLOP per image; matmul peak (GFLOP/s): ", end="")
    print(", ".join(f"{name} {speed / 1e9:,.0f}" for name, speed in peak.items()))
    print(f"{'':<34}{'images/s':>9}{'min':>7}{'max':>7}{'ours is':>10}{'of peak':>9}")
    middle = statistics.median(seconds["ours"])
    for name, (_, _, precision) in ROWS.items():
        if name in missing:
            print(f"{name:<34}not installed: pip install -r bench/requirements.txt")
            continue
        speeds = sorted(steps * batch_size / second for second in seconds[name])
        speed = statistics.median(speeds)
        share = speed * ours["flops"] / peak.get(precision or ours["precision"], float("nan"))
        ratio = statistics.median(seconds[name]) / middle
        print(f"{name:<34}{speed:>9.0f}{speeds[0]:>7.0f}{speeds[-1]:>7.0f}{ratio:>9.2f}x{share:>9.0%}")


def list_versions():
    found = [f"Python {platform.python_version()}"]
    for package in ("tensorflow", "tensorflow-cpu", "keras", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    return ", ".join(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["cnn", "resnet"], choices=["cnn", "resnet"])
    parser.add_argument("--width", type=int, default=32, help="Channels of the first layers.")
    parser.add_argument("--batch_size", type=int, default=128, help="Images per training step.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each row measures.")
    parser.add_argument("--steps", type=int, default=6, help="Training steps per measurement.")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # bench/gpu.py measures those
    sys.path.insert(0, str(ROOT))
    if flags.worker:
        return work(flags.worker[0], json.loads(flags.worker[1]))
    for model in flags.models:
        compare(model, flags.width, flags.batch_size, flags.rounds, flags.steps)


if __name__ == "__main__":
    main()
