"""How long a network takes to answer, measured side by side."""

import statistics
import time

import numpy as np

ROUNDS = 15
BATCH = 64


def measure_latency(networks: dict, faces: np.ndarray, rounds: int = ROUNDS) -> dict:
    """Times the answer for one face and for many.

    The networks take turns, so that what else the machine does strikes all of them alike. Each has answered once
    before, unmeasured.

    Args:
        networks: Dict from a name to anything with `predict`.
        faces: uint8, shape `(images, 48, 48)`, at least one; the first 64 are used, repeated if there are fewer.
        rounds: How often each is asked.

    Returns:
        Dict from the name to `one`, milliseconds for one face, and `each_of_64`, milliseconds per face in a batch
        of 64: medians.
    """
    batch = np.resize(faces[:BATCH], (BATCH, *faces.shape[1:]))
    sizes = {"one": batch[:1], "each_of_64": batch}
    seconds = {(name, size): [] for name in networks for size in sizes}
    for network in networks.values():
        for asked in sizes.values():
            network.predict(asked)
    for _ in range(rounds):
        for name, network in networks.items():
            for size, asked in sizes.items():
                began = time.perf_counter()
                network.predict(asked)
                seconds[name, size].append((time.perf_counter() - began) / len(asked))
    return {name: {size: 1000 * statistics.median(seconds[name, size]) for size in sizes} for name in networks}
