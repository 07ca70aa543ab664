import numpy as np
import pytest

from fer_ensemble.evaluation.network_scores import compare_networks, describe_network

NAMES = ("sad", "happy")
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)


def test_a_network_is_described_by_all_that_takes_labels():
    found = describe_network(PROBABILITIES, np.array([0, 1, 1, 1]), NAMES, 0.65)
    assert found["images"] == 4 and found["accuracy"] == 0.75
    assert found["confusion"] == [[1, 0], [1, 2]]
    assert [one["recall"] for one in found["classes"]] == [1, pytest.approx(2 / 3)]
    assert found["calibration"]["ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    assert found["risk"]["unsure"] == 0.25 and found["risk"]["sure_accuracy"] == 1


def test_networks_are_compared_on_the_same_faces():
    (pair,) = compare_networks({"a": PROBABILITIES, "b": PROBABILITIES[:, ::-1]}, np.array([0, 1, 1, 1]))
    assert (pair["first"], pair["second"], pair["first_only"], pair["second_only"]) == ("a", "b", 3, 1)
    assert pair["difference"] == 0.5 and pair["p"] == pytest.approx(0.625)  # 2 * (1 + 4) / 2^4
