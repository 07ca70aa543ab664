import pathlib

import numpy as np
import pytest

import fer_ensemble
from fer_ensemble.classifier.explanation_checks import compare_explanations, cover, deletion_test, find_marked
from fer_ensemble.classifier.onnx_network import OnnxNetwork
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.data.drawn_faces import draw_face

SHIPPED = pathlib.Path(fer_ensemble.__file__).parent / "assets" / "network.onnx"
FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)


class OneCell:
    """Class maps of 3x3 cells, of which one speaks for class 0: as much as its cell of the face is bright."""

    class_names = ("a", "b")

    def __init__(self, row, column):
        self.row, self.column = row, column

    def class_maps(self, faces):
        maps = np.zeros((len(faces), 2, 3, 3), np.float32)
        cell = faces[:, 16 * self.row : 16 * self.row + 16, 16 * self.column : 16 * self.column + 16]
        maps[:, 0, self.row, self.column] = (cell.astype(float) ** 2).mean((1, 2)) / 5000
        return maps

    def predict(self, faces):
        logits = self.class_maps(faces).sum((2, 3))
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_a_square_is_covered_with_the_mean_grey_and_nothing_else():
    covered = cover(FACES, np.array([0, 10, 32, 5]), np.array([0, 20, 32, 7]))
    grey = round(FACES[1].mean())
    assert (covered[1, 10:26, 20:36] == grey).all()
    kept = np.ones((48, 48), bool)
    kept[10:26, 20:36] = False
    np.testing.assert_array_equal(covered[1][kept], FACES[1][kept])


def test_the_square_of_the_largest_sum_is_found():
    explanation = np.zeros((2, 48, 48))
    explanation[0, 20:36, 3:19], explanation[1] = 1.0, -1.0
    explanation[1, 32:, 32:] = 0.5
    tops, lefts = find_marked(explanation)
    assert (tops.tolist(), lefts.tolist()) == ([20, 32], [3, 32])


def test_covering_what_is_marked_costs_more_than_covering_anything():
    found = deletion_test(OneCell(1, 2), FACES)
    assert found["marked"] > 2 * found["random"] > 0
    assert found["marked_more"] > 0.7


def test_explanations_of_one_network_are_alike_and_of_another_are_not():
    np.testing.assert_allclose(compare_explanations(OneCell(1, 1), OneCell(1, 1), FACES), 1)
    assert compare_explanations(OneCell(0, 0), OneCell(2, 2), FACES).max() < 0


def test_of_random_weights_explanations_are_others(shipped_networks):
    trained, random, faces = shipped_networks
    assert abs(np.mean(compare_explanations(trained, random, faces))) < 0.5
    np.testing.assert_allclose(compare_explanations(trained, trained, faces), 1, atol=1e-6)


def test_covering_what_the_shipped_network_marks_costs_more_than_a_random_region(shipped_networks):
    trained, _, faces = shipped_networks
    found = deletion_test(trained, faces)
    # A drawing is little but eyes and mouth, which most regions touch; of real faces docs/explain.md tells more.
    assert found["marked"] > 1.25 * found["random"] and found["marked_more"] > 0.6
    assert found["marked_changed"] > found["random_changed"]


@pytest.fixture(scope="module")
def shipped_networks(tmp_path_factory):
    """The network that ships, the same with shuffled weights, and the drawn faces of the sample."""
    pytest.importorskip("onnx")
    from fer_ensemble.export.shuffled_weights import shuffle_weights

    shuffled = tmp_path_factory.mktemp("networks") / "shuffled.onnx"
    shuffle_weights(SHIPPED, shuffled)
    random = np.random.default_rng(0)
    faces = np.stack([draw_face(name, random) for name in CLASS_NAMES for _ in range(30)])
    return OnnxNetwork(SHIPPED), OnnxNetwork(shuffled), faces
