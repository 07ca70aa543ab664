import numpy as np
import pytest

from fer_ensemble.classifier.explanation import explain, explain_by_covering, spread_cells
from fer_ensemble.classifier.explanation_picture import AGAINST, FOR, draw_explanation


class Maps:
    """A network of two classes with known class maps."""

    def __init__(self, maps):
        self.maps = np.asarray(maps, np.float32)

    def class_maps(self, faces):
        return np.repeat(self.maps[None], len(faces), axis=0)

    def predict(self, faces):
        logits = self.class_maps(faces).sum((2, 3)) / 100
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


class Brightness:
    """A network without class maps: its first logit is the mean brightness of the upper left patch."""

    def predict(self, faces):
        logits = np.stack([faces[:, :8, :8].mean((1, 2)) / 64, np.zeros(len(faces))], axis=1)
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)


def test_spreading_keeps_the_sum_and_the_place():
    cells = np.zeros((1, 6, 6))
    cells[0, 0, 5] = 2.0
    pixels = spread_cells(cells)[0]
    assert pixels.sum() == pytest.approx(2.0, abs=1e-12)
    assert pixels[:12, 36:].sum() == pytest.approx(2.0, abs=1e-12)  # half a cell beyond its own 8 pixels
    assert pixels[:8, 40:].sum() > 1


def test_an_explanation_sums_to_the_logit_of_the_class_less_the_mean_of_all():
    maps = np.arange(18.0).reshape(2, 3, 3)  # logits 36 and 117: class 1, 117 - 76.5
    explanations = explain(Maps(maps), FACES)
    assert explanations.shape == (3, 48, 48)
    assert explanations.dtype == np.float32
    np.testing.assert_allclose(explanations.sum((1, 2)), 40.5, rtol=1e-5)


def test_the_class_to_explain_can_be_chosen():
    maps = np.arange(18.0).reshape(2, 3, 3)
    np.testing.assert_allclose(explain(Maps(maps), FACES, [0, 0, 1]).sum((1, 2)), [-40.5, -40.5, 40.5], rtol=1e-5)


def test_no_faces_have_no_explanations():
    assert explain(Brightness(), FACES[:0]).shape == (0, 48, 48)


def test_covering_explains_what_the_network_looks_at():
    face = np.full((48, 48), 50, np.uint8)
    face[:8, :8] = 200
    explanation = explain_by_covering(Brightness().predict, face, 0)
    # Covered with the mean, 54, the logit of class 0 falls from 200/64 to 54/64; half of it is the mean's.
    assert explanation.sum() == pytest.approx((200 - 54) / 64 / 2, rel=1e-5)
    assert explanation[:12, :12].sum() == pytest.approx(explanation.sum(), rel=1e-5)


def test_a_network_without_class_maps_is_explained_by_covering():
    np.testing.assert_array_equal(
        explain(Brightness(), FACES[:1], [1])[0], explain_by_covering(Brightness().predict, FACES[0], 1)
    )


def test_what_speaks_for_the_class_is_drawn_red_and_what_speaks_against_it_blue():
    explanation = np.zeros((48, 48))
    explanation[:24], explanation[24:] = 1.0, -1.0
    picture = draw_explanation(np.full((48, 48), 100, np.uint8), explanation, size=48)
    assert picture.shape == (48, 48, 3)
    np.testing.assert_allclose(picture[4, 4], 0.25 * 100 + 0.75 * np.array(FOR), atol=1)
    np.testing.assert_allclose(picture[-4, -4], 0.25 * 100 + 0.75 * np.array(AGAINST), atol=1)
