"""What the tests with any bytes (Hypothesis) share: how many of them there are, how files are damaged, memory.

Quick, and the same examples in each run. EXAMPLES=5000 looks further, at others each time.
"""

import contextlib
import os
import resource

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("EXAMPLES", 0))
few = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
MEMORY = 1_000_000  # kB that reading anything here may add


@st.composite
def damaged(draw, whole):
    """One of the whole files, of which some bytes are overwritten, left out, repeated or cut off."""
    content = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 4))):
        size, edge = len(content), min(len(content), 200)  # headers, and lists of what is in an archive
        position = draw(st.integers(0, size) | st.integers(0, edge) | st.integers(size - edge, size))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(("overwrite", "insert", "remove", "repeat", "cut")))
        if kind == "overwrite":
            new = draw(st.binary(max_size=8) | st.sampled_from((b"\xff" * 8, bytes(8), b"\x7f\xff\xff\xff")))
            content[position : position + len(new)] = new
        elif kind == "insert":
            content[position:position] = draw(st.binary(max_size=40))
        elif kind == "remove":
            del content[position : position + length]
        elif kind == "repeat":
            content[position:position] = content[position : position + length] * 3
        else:
            del content[position:]
    return bytes(content)


@contextlib.contextmanager
def within_memory():
    """Fails if the block has the process take more than `MEMORY` that it never had before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
