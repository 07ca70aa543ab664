import os
import pathlib
import subprocess
import sys

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory, free_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
GROUPS = pathlib.Path("/sys/fs/cgroup/memory")  # those of version 1, which anybody may make who is root


def test_what_is_free_is_less_than_there_is():
    assert 0 < free_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_what_does_not_fit_is_told_with_its_size():
    check_memory(1000, "Nine faces")
    with pytest.raises(
        UserError, match=r"^Nine faces take 1,000,000,000 MB of memory\. Received: [\d,]+ MB that are"
    ):
        check_memory(10**15, "Nine faces")


def test_a_limit_of_the_address_space_counts(python):
    code = """
import resource
from fer_ensemble.base.memory import free_memory
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(free_memory())
"""
    assert 0 < int(python("-c", code).stdout) < 1 << 30


@pytest.fixture
def group():
    """A control group of 500 MB, as SLURM makes one for --mem."""
    folder = GROUPS / f"fer-ensemble-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text("500000000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    folder.rmdir()


def test_a_limit_of_a_control_group_counts(group):
    code = "from fer_ensemble.base.memory import free_memory; print(free_memory())"
    command = f'echo $$ > {group}/cgroup.procs && exec "$0" -c "{code}"'
    result = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=True)
    assert 0 < int(result.stdout) < 500_000_000


def test_what_was_freed_is_kept_for_the_next_time(python):
    code = """
import ctypes, resource
from fer_ensemble.base.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
size = 64 << 20


def fill():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(size)
    libc.memset(block, 1, size)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


fill()
handed_back = fill()
keep_freed_memory()
fill()
print(handed_back, fill())
"""
    handed_back, kept = map(int, python("-c", code).stdout.split())
    assert kept < handed_back / 4
