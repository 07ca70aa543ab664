"""The network that ships, on a real photo and on pictures composed of drawn faces."""

import numpy as np
import pytest

import fer_ensemble
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces, say_the_same_in_pictures


@pytest.fixture(scope="module")
def classifier():
    return fer_ensemble.load()


def test_the_astronaut_is_one_face_and_happy(classifier):
    """A portrait of Eileen Collins, NASA, in the public domain."""
    data = pytest.importorskip("skimage.data", reason="its photo is in scikit-image")
    (face,) = classifier.find_faces(data.astronaut())
    assert face.expression == "happy" and face.probability > 0.8 and not face.unsure


@pytest.mark.parametrize("scale", [3, 4])
def test_drawn_faces_show_in_pictures_what_they_show_alone(classifier, scale):
    same = say_the_same_in_pictures(classifier, sample_faces()[::7], scale)
    assert len(same) == 168 and np.mean(same) >= 0.9


def test_the_same_picture_gives_the_same_answer(classifier):
    picture = compose_picture(sample_faces()[:3], [(0, 0), (200, 10), (420, 30)], (640, 240))
    first, second = ([face.to_record() for face in classifier.find_faces(picture)] for _ in range(2))
    assert first == second and len(first) == 3
