"""What Keras computes on here, and what suits it."""

import contextlib
import os
import pathlib
import platform
import sys
import tempfile

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.errors import MissingPackageError, UserError

BACKENDS = ("tensorflow", "jax", "torch")
# What else decides silently what a training becomes.
_CONFIGURATION = {
    "backend": BACKENDS,
    "image_data_format": ("channels_last",),
    "floatx": ("float32",),
    "epsilon": (1e-7,),
    "max_epochs": (None,),
    "max_steps_per_epoch": (None,),
}
# Training steps that a GPU is given at a time. Untried on a GPU: enough that waiting for it is rare.
STEPS_PER_EXECUTION = 8


@contextlib.contextmanager
def _quiet_start():
    """Keeps TensorFlow's start-up messages off the screen, unless TF_CPP_MIN_LOG_LEVEL asks for them.

    They are some 15 lines, one of them an error where there is no GPU, written by its C++ straight to the file
    descriptor before any log level counts. If the start fails, they are shown.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(screen, messages.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def _find_gpus():
    """Returns the names of the GPUs that Keras's backend computes on."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            # So that several processes can share a GPU. Only possible before anything is computed.
            tf.config.experimental.set_memory_growth(gpu, True)
        return [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform == "gpu"]
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _check_named_backend():
    named = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if named not in BACKENDS:
        raise UserError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {named!r}.")


def check_configuration() -> None:
    """Raises UserError if a keras.json or the environment has Keras build, train or save networks differently."""
    for name, wanted in _CONFIGURATION.items():
        found = getattr(keras.config, name)()
        if found not in wanted:
            raise UserError(
                f"Keras must be set to {name} {' or '.join(map(str, wanted))}. Received: {found!r}, from its "
                "keras.json or the environment. Correct that, or name another folder in KERAS_HOME."
            )


_check_named_backend()
with _quiet_start():
    try:
        import keras
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"Keras does not start ({str(error).splitlines()[0][:200]}). Is its keras.json damaged, in ~/.keras "
            "or in KERAS_HOME? It makes a new one where there is none."
        ) from error
    except ModuleNotFoundError as error:
        if error.name not in ("tensorflow", "jax", "torch"):
            raise
        raise MissingPackageError(
            f"Keras is to compute on {error.name}, which is not installed. Install it, or name another backend in "
            "the environment: KERAS_BACKEND=jax."
        ) from error

    check_configuration()
    GPUS = _find_gpus()


def describe_device() -> str:
    """Names the processor: `NVIDIA H200`, or the CPU's name with the number of its cores in use."""
    if GPUS:
        return GPUS[0]
    return f"{_cpu_fact('model name') or platform.processor() or platform.machine()}, {count_cores()} cores"


def choose_precision(precision: str) -> str:
    """Resolves `auto` to the dtype policy that measured best on such a device.

    With the fused batch normalisation, bfloat16 doubled the training speed of the CNN (width 16, batch 128) on
    a CPU with AVX-512 BF16; a CPU without such instructions emulates it.
    """
    if precision != "auto":
        return precision
    if GPUS:
        return "mixed_float16"
    native = {"avx512_bf16", "amx_bf16"} & set(_cpu_fact("flags").split())
    return "mixed_bfloat16" if native and keras.backend.backend() == "tensorflow" else "float32"


def compile_options(training: bool = False) -> dict:
    """Arguments for `keras.Model.compile`: XLA except on TensorFlow's CPU, where oneDNN is much faster.

    Args:
        training: Whether it is compiled for `fit`. A GPU then gets several steps per call: after each call Keras
            reads the loss, for which it waits until the GPU has nothing left to do. What is learnt is the same.
    """
    options = {"jit_compile": bool(GPUS) or keras.backend.backend() != "tensorflow"}
    if training and GPUS:
        options["steps_per_execution"] = STEPS_PER_EXECUTION
    return options


def _cpu_fact(name):
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
