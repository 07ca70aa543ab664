"""The same numbers, to the bit, each time."""

import os


def make_deterministic() -> None:
    """Makes this process compute the same from the same, for its rest. Call it before Keras is imported.

    The order of the images, their augmentation and dropout are functions of (seed, epoch, step) or of saved state
    in any case. What is left is the order in which numbers are summed up, which GPUs leave to chance where that is
    faster. It still depends on the device, on its number of cores, and on the versions of the packages.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()  # read when a backend starts
    from fer_ensemble.models.device import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
