"""How long a network takes to answer, measured side by side."""

import statistics
import time
from collections.abc import Callable

import numpy as np

ROUNDS = 15
SIZES = {"one": 1, "each_of_64": 64}  # faces at once


def measure_latency(
    networks: dict[str, Callable], faces: np.ndarray, rounds: int = ROUNDS, clock: Callable = time.perf_counter
) -> dict[str, dict[str, float]]:
    """Times the answer for one face and for many.

    The networks take turns, so that what else the machine does strikes all of them alike. Each has answered once
    before, unmeasured.

    Args:
        networks: Dict from a name to a function of uint8 faces, shape `(n, 48, 48)`.
        faces: uint8, shape `(images, 48, 48)`, at least one; the first 64 are used, repeated if there are fewer.
        rounds: How often each is asked.
        clock: Function that returns seconds. `time.process_time`, of a network with one thread, is what it takes
            on a machine that does nothing else.

    Returns:
        Dict from the name to `one`, milliseconds for one face, and `each_of_64`, milliseconds per face in a batch
        of 64: medians.
    """
    found = {name: {} for name in networks}
    for size, count in SIZES.items():
        asked = np.resize(faces[:count], (count, *faces.shape[1:]))
        seconds = {name: [] for name in networks}
        for predict in networks.values():
            predict(asked)
        for _ in range(rounds):
            for name, predict in networks.items():
                began = clock()
                predict(asked)
                seconds[name].append(clock() - began)
        for name, times in seconds.items():
            found[name][size] = 1000 * statistics.median(times) / count
    return found
