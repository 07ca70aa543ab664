"""The network that ships, on a real photo and on pictures composed of drawn faces."""

import numpy as np
import pytest

import fer_ensemble
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces


@pytest.fixture(scope="module")
def classifier():
    return fer_ensemble.load()


def test_the_astronaut_is_one_face_and_happy(classifier):
    """A portrait of Eileen Collins, NASA, in the public domain."""
    data = pytest.importorskip("skimage.data", reason="its photo is in scikit-image")
    (face,) = classifier.find_faces(data.astronaut())
    assert face.expression == "happy" and face.probability > 0.8 and not face.unsure


def test_found_faces_show_what_the_untouched_ones_show_where_it_is_sure_of_them(classifier):
    """Where it is sure: of the other drawn faces, resampling alone changes more than one answer in three, whatever
    the frame (`python bench/crop.py`)."""
    faces = sample_faces()[:60]
    untouched = classifier.predict(faces)
    sure = untouched.max(axis=1) >= classifier.unsure_below
    same = []
    for face, row in zip(faces[sure], untouched[sure], strict=True):
        found = classifier.find_faces(compose_picture([face], [(150, 120)], (640, 480), 3))
        same += [classifier.class_names[row.argmax()] == one.expression for one in found]
    assert len(same) >= 0.95 * sure.sum() and np.mean(same) >= 0.85


def test_the_same_picture_gives_the_same_answer(classifier):
    picture = compose_picture(sample_faces()[:3], [(0, 0), (200, 10), (420, 30)], (640, 240))
    first, second = ([face.to_record() for face in classifier.find_faces(picture)] for _ in range(2))
    assert first == second and len(first) == 3
