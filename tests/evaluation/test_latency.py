import time

import numpy as np

from fer_ensemble.evaluation.latency import measure_latency


class Slow:
    def __init__(self, seconds):
        self.seconds, self.asked = seconds, []

    def predict(self, faces):
        self.asked.append(len(faces))
        time.sleep(self.seconds)


def test_networks_take_turns_and_are_timed_alone_and_in_a_batch():
    slow, quick = Slow(0.02), Slow(0)
    found = measure_latency({"slow": slow, "quick": quick}, np.zeros((10, 48, 48), np.uint8), rounds=3)
    assert slow.asked == quick.asked == [1, 64] * 4
    # Sleeping takes at least as long as asked for.
    assert found["slow"]["one"] >= 20 and found["slow"]["each_of_64"] >= 20 / 64
    assert found["quick"]["one"] < found["slow"]["one"]
