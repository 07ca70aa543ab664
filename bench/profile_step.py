"""Says where the time of our training step goes, from TensorFlow's own trace of its operations.

python bench/profile_step.py [--models cnn resnet] [--width 32] [--batch_size 128] [--optimizer sgd] [--steps 10]

A moment in which several operations run side by side is shared evenly between them, so that the parts add up to
the wall-clock time. `host` is the time in which none runs: Python, Keras's loop, TensorFlow's start of a step.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

# The first that occurs in the operation's name, `functional/resnet/conv2d_3/convolution:Conv2D`, decides.
PARTS = {
    "muon": "optimiser",
    "sgd": "optimiser",
    "adamw": "optimiser",
    "augmented_images": "augmentation",
    "rescaling": "augmentation",
    "normalization": "normalisation",  # its kernel applies the ReLU behind it, where there is one
    "Conv2DBackpropFilter:": "convolutions: gradient of the kernels",
    "Conv2DBackpropInput:": "convolutions: gradient of the features",
    "conv2d": "convolutions: forward",
    "activation": "ReLU and additions",
    "add_": "ReLU and additions",
    "/add/": "ReLU and additions",
    "AddN": "ReLU and additions",
    "pooling": "pooling",
    "IteratorGetNext": "waiting for the batch",
}
STEP_MARK = ":ImageProjectiveTransformV3"  # runs once in each step
REST = "dense layers, loss, metrics"
HOST = "host"


def trace(measure, steps):
    """Returns the operations of `steps` training steps and one more, as (start, end, name), in seconds."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            measure(steps)
        space = xplane_pb2.XSpace()
        space.ParseFromString(next(pathlib.Path(folder).rglob("*.xplane.pb")).read_bytes())
    operations = []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # The operations of the compiled step: `StatefulPartitionedCall/LAYER/.../OPERATION:TYPE`.
                if name.startswith("StatefulPartitionedCall/") or name.endswith(":IteratorGetNext"):
                    start = line.timestamp_ns * 1e-9 + event.offset_ps * 1e-12
                    operations.append((start, start + event.duration_ps * 1e-12, name))
    return operations


def share_time(operations):
    """Returns the seconds of each part, from the start of the first step to the start of the last."""
    marks = [start for start, _, name in operations if name.endswith(STEP_MARK)]
    first, last = min(marks), max(marks)
    moments = []
    for start, end, name in operations:
        moments += [(min(max(start, first), last), 1, name), (min(max(end, first), last), -1, name)]
    seconds, running, before = collections.Counter(), collections.Counter(), first
    for now, change, name in sorted(moments, key=lambda moment: moment[0]):
        together = sum(running.values())
        for part, count in running.items():
            seconds[part] += (now - before) * count / together
        if not together:
            seconds[HOST] += now - before
        part = next((part for piece, part in PARTS.items() if piece in name), REST)
        running[part] += change
        if not running[part]:
            del running[part]
        before = now
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["cnn", "resnet"], choices=["cnn", "resnet"])
    parser.add_argument("--width", type=int, default=32, help="Channels of the first layers.")
    parser.add_argument("--batch_size", type=int, default=128, help="Images per training step.")
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adamw", "muon"])
    parser.add_argument("--steps", type=int, default=10, help="Training steps that are traced.")
    flags = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from train_step import WARM_UP_STEPS, prepare_ours

    for model in flags.models:
        _, measure = prepare_ours(model, flags.width, flags.batch_size, flags.optimizer)
        measure(WARM_UP_STEPS)
        untraced = measure(flags.steps) / flags.steps
        seconds = share_time(trace(measure, flags.steps))
        total = sum(seconds.values())
        print(f"\n{model}, width {flags.width}, batch {flags.batch_size}, {flags.optimizer}: ", end="")
        print(f"{untraced * 1e3:.0f} ms per step, {total / flags.steps * 1e3:.0f} ms while traced")
        for part, found in seconds.most_common():
            print(f"{part:<42}{found / flags.steps * 1e3:>8.1f} ms{found / total:>7.1%}")


if __name__ == "__main__":
    main()
