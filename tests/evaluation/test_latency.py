import numpy as np
import pytest

from fer_ensemble.evaluation.latency import measure_latency


def test_networks_take_turns_and_are_timed_alone_and_in_a_batch():
    now, asked = 0.0, []

    def network(name, seconds):
        def predict(faces):
            nonlocal now
            asked.append((name, len(faces)))
            now += seconds * len(faces)

        return predict

    networks = {"slow": network("slow", 0.02), "quick": network("quick", 0.001)}
    found = measure_latency(networks, np.zeros((10, 48, 48), np.uint8), rounds=3, clock=lambda: now)
    assert asked == [("slow", 1), ("quick", 1)] * 4 + [("slow", 64), ("quick", 64)] * 4
    assert found["slow"] == {"one": pytest.approx(20), "each_of_64": pytest.approx(20)}
    assert found["quick"] == {"one": pytest.approx(1), "each_of_64": pytest.approx(1)}
