"""Telling how much memory something takes before it is tried, bounding it, and keeping it."""

import contextlib
import ctypes
import os
import pathlib
import platform
from collections.abc import Iterator

from fer_ensemble.base.errors import UserError

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4

# Where Linux keeps the control groups of memory, of version 2 and of version 1, and what their files are called.
_GROUPS = {
    "": ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory() -> int | None:
    """Returns the bytes of memory that this process can still take, or None where the system does not say.

    It is the least of what is free on the machine, of what SLURM or a container leave (control groups), and of
    what `ulimit -v` leaves. Linux only.
    """
    return min((*_free_on_machine(), *_free_in_groups(), *_free_of_address_space()), default=None)


def check_memory(size: int, what: str) -> None:
    """Raises UserError if `size` bytes for `what` are more than are free, before the attempt ends in a kill."""
    free = free_memory()
    if free is not None and size > free:
        raise UserError(
            f"{what} take {size / 1e6:,.0f} MB of memory. Received: {max(free, 0) / 1e6:,.0f} MB that are free. "
            "Take a machine with more, or fewer images."
        )


def keep_freed_memory() -> None:
    """Keeps what this process frees for itself, from now on, instead of handing it back to the system.

    glibc asks the system for each block of more than 32 MiB anew, and each time all of its pages are zeroed. Such
    are most activations of a training step in float32; `bench/train_step.py` measures what that costs. Nothing
    happens where the C library is another.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)


def _free_on_machine() -> Iterator[int]:
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
        yield int(text.partition("MemAvailable:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return


def _free_in_groups() -> Iterator[int]:
    try:
        lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(",") or not controllers:
            root, limit, use, cache = _GROUPS["memory" if controllers else ""]
            # In a container the path may be that which the host sees; then the root is the container's own.
            group = pathlib.Path(root, path.lstrip("/"))
            for folder in (group, *group.parents):
                yield from _free_in_group(folder, limit, use, cache)


def _free_in_group(folder, limit, use, cache):
    try:
        most, used = int((folder / limit).read_text()), int((folder / use).read_text())
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        yield most - used + int(kept[cache])  # files that were read give way
    except (OSError, ValueError, KeyError):  # no such group, or no limit: "max"
        return


def _free_of_address_space() -> Iterator[int]:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - _address_space()
    except (ImportError, OSError, ValueError, IndexError):
        return


def _address_space():
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def bounded_growth(size: int) -> Iterator[None]:
    """Within the block this process may take `size` more bytes of address space: beyond, an allocation fails.

    Linux only; elsewhere nothing is bounded. All threads are meant: for a moment when no other works.
    """
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_AS)
        most = _address_space() + size
    except (ImportError, OSError):
        yield
        return
    if before[0] != resource.RLIM_INFINITY:
        most = min(most, before[0])
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
