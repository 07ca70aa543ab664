"""How many members train at a time on this machine, and on what."""

import os
import shutil
import subprocess

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.memory import free_memory

# What a choice of our own allows for each worker on the CPU, in MiB: a ResNet of width 32 trained in 1.7 GB.
CPU_MEMORY_PER_WORKER = 3072
# What a choice of our own allows for each worker. Untried on a GPU: guesses on the safe side.
MEMORY_PER_WORKER = 4096  # MiB: CUDA's context, the images, the network and its gradients at width 64
CORES_PER_WORKER = 2  # one draws the augmentation and hands out the steps, one feeds them
MOST_WORKERS_PER_GPU = 4  # beyond that, they would mostly wait for each other


def find_gpus() -> list[str]:
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
    gpus = [line for line in _ask_nvidia_smi("-L") if line.startswith("GPU ")]
    return [str(number) for number in range(len(gpus))]


def find_free_memory() -> list[int]:
    """Returns the free memory of each GPU of the machine, in MiB; an empty list if it cannot be told."""
    return parse_memory(_ask_nvidia_smi("--query-gpu=memory.free", "--format=csv,noheader,nounits"))


def parse_memory(lines: list[str]) -> list[int]:
    """Reads the lines of nvidia-smi: a number of MiB for each GPU.

    Returns:
        List of ints; empty if one of the lines is no number: some GPUs share the machine's memory and say `[N/A]`.

    Example:

    >>> parse_memory(["15095", "143156"])
    [15095, 143156]
    """
    return [int(line) for line in lines] if all(line.isdecimal() for line in lines) else []


def choose_workers_per_gpu(gpus: int, memory: list[int], cores: int) -> int:
    """Chooses how many members train on one GPU at a time: small networks leave most of a large GPU idle.

    Args:
        gpus: Number of GPUs in use.
        memory: Free memory of each GPU of the machine, in MiB. The least of them counts, as CUDA may number the
            GPUs in another order than nvidia-smi.
        cores: Number of CPU cores.

    Returns:
        At least 1; 1 where the memory is unknown.

    Example:

    >>> choose_workers_per_gpu(gpus=1, memory=[15095], cores=8)  # 15095 // 4096
    3
    """
    if not gpus or not memory:
        return 1
    return max(1, min(min(memory) // MEMORY_PER_WORKER, cores // (CORES_PER_WORKER * gpus), MOST_WORKERS_PER_GPU))


def cpu_environments(workers: int, cores: int, memory: int) -> list[dict[str, str]]:
    """Returns what each worker's environment adds to ours where there is no GPU, a dictionary for each.

    Networks this small train faster side by side, on a core each, than one after another on all cores, whose
    threads wait for each other after every layer.

    Args:
        workers: How many train at a time; 0 for as many as there are cores, and memory for.
        cores: Number of CPU cores.
        memory: Memory that new processes may take, in MiB; 0 where it is not known.

    Example:

    >>> cpu_environments(0, cores=8, memory=7000)  # 7000 // 3072 workers of 8 / 2 threads
    [{'TF_NUM_INTRAOP_THREADS': '4', 'TF_NUM_INTEROP_THREADS': '4', 'OMP_NUM_THREADS': '4'},
     {'TF_NUM_INTRAOP_THREADS': '4', 'TF_NUM_INTEROP_THREADS': '4', 'OMP_NUM_THREADS': '4'}]
    """
    workers = workers or max(1, min(cores, memory // CPU_MEMORY_PER_WORKER))
    if workers == 1:
        return [{}]
    threads = str(max(1, round(cores / workers)))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    # What a person has said of the threads stands.
    return [{name: threads for name in names if name not in os.environ} for _ in range(workers)]


def worker_environments(gpus: list[str], workers_per_gpu: int, cpu_workers: int = 0) -> list[dict[str, str]]:
    """Returns what each worker's environment adds to ours, a dictionary for each.

    The workers of one GPU are not neighbours in the list, so that a few members spread over all GPUs.

    TensorFlow takes a GPU's memory as it needs it (`fer_ensemble.models.device` sees to that), but JAX takes three
    quarters of it at the start, so that workers who share a GPU are given a share of it each.

    Args:
        gpus: List of names, as `find_gpus` returns them.
        workers_per_gpu: How many train on one GPU at a time; 0 to choose by its memory and the CPU's cores.
        cpu_workers: How many train at a time if there is no GPU; 0 to choose by the memory and the cores.

    Example:

    >>> worker_environments(["0", "1"], 1)
    [{'CUDA_VISIBLE_DEVICES': '0'}, {'CUDA_VISIBLE_DEVICES': '1'}]
    >>> worker_environments([], 0, cpu_workers=1)
    [{}]
    """
    if not gpus:
        return cpu_environments(cpu_workers, count_cores(), (free_memory() or 0) >> 20)
    if not workers_per_gpu:
        workers_per_gpu = choose_workers_per_gpu(len(gpus), find_free_memory(), count_cores())
    shares = _jax_memory_share(workers_per_gpu)
    return [{"CUDA_VISIBLE_DEVICES": gpu, **shares} for _ in range(workers_per_gpu) for gpu in gpus]


def _jax_memory_share(workers_per_gpu):
    # What a person has said of JAX's memory stands; JAX refuses the variable's two names side by side.
    names = {"XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_PREALLOCATE"}
    if workers_per_gpu < 2 or names & set(os.environ):
        return {}
    # 0.9: the rest is for CUDA's contexts, which JAX does not count.
    return {"XLA_CLIENT_MEM_FRACTION": f"{0.9 / workers_per_gpu:.3f}"}


def _ask_nvidia_smi(*arguments):
    """Returns the lines of its answer; none where the tool, the driver or the GPU is missing."""
    if not shutil.which("nvidia-smi"):
        return []
    try:
        answer = subprocess.run(
            ["nvidia-smi", *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # the tool is there, the driver is not
        return []
    return answer.stdout.splitlines()
