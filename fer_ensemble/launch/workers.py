"""How many members train at a time on this machine, and on what."""

import os
import shutil
import subprocess


def find_gpus():
    """Names the GPUs that a worker may use, as CUDA_VISIBLE_DEVICES would.

    CUDA_VISIBLE_DEVICES decides if it is set, as it does for CUDA itself: empty or -1 means none. Else
    `nvidia-smi` is asked, because importing TensorFlow to ask it takes seconds and some memory of every GPU.

    Returns:
        List of strings: numbers, or the UUIDs that the variable holds.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        # CUDA, too, ignores all that follows an invalid name.
        invalid = [position for position, name in enumerate(names) if not name or name.startswith("-")]
        return names[: invalid[0]] if invalid else names
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):  # the tool is there, the driver is not
        return []
    gpus = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(gpus))]


def worker_environments(gpus, workers_per_gpu):
    """Returns what each worker's environment adds to ours, a dictionary for each.

    The workers of one GPU are not neighbours in the list, so that a few members spread over all GPUs. Without a
    GPU there is one worker: TensorFlow has the cores busy with one network already.

    Example:

    >>> worker_environments(["0", "1"], 1)
    [{'CUDA_VISIBLE_DEVICES': '0'}, {'CUDA_VISIBLE_DEVICES': '1'}]
    >>> worker_environments([], 1)
    [{}]
    """
    return [{"CUDA_VISIBLE_DEVICES": gpu} for _ in range(workers_per_gpu) for gpu in gpus] or [{}]
