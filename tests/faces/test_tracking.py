import math

import numpy as np
import pytest

from fer_ensemble.faces.found import FoundFace
from fer_ensemble.faces.tracking import LOST_AFTER, Smoother, Tracker
from tests.drawn import sample_faces

FACES = sample_faces()[:8]


def at(number, x, y=100.0, size=80.0):
    return FoundFace((x, y, size, size), None, 0.9, FACES[number])


def test_faces_keep_their_numbers_whatever_order_they_come_in():
    tracker = Tracker()
    assert tracker.update(0.0, [at(0, 0), at(1, 200), at(2, 400)]) == [0, 1, 2]
    assert tracker.update(0.2, [at(2, 405), at(0, 6), at(1, 190)]) == [2, 0, 1]
    assert tracker.update(0.4, [at(1, 180), at(3, 600)]) == [1, 3]


def test_numbers_survive_a_crossing_with_five_missed_frames():
    """Two faces walk past each other; while one hides the other, five times, only the front one is found."""
    tracker = Tracker()
    ids = []
    for step in range(21):
        left, right = at(0, 20.0 * step), at(1, 400 - 20.0 * step)
        hidden = 8 <= step <= 12
        ids.append(tracker.update(0.2 * step, [left] if hidden else [left, right]))
    assert all(one == ([0] if len(one) == 1 else [0, 1]) for one in ids)


def test_a_number_survives_five_missed_frames_and_ends_when_a_face_is_long_gone():
    tracker = Tracker()
    tracker.update(0.0, [at(0, 100)])
    for step in range(5):
        assert tracker.update(1.0 + step, []) == []
    assert tracker.update(6.0, [at(0, 104)]) == [0]
    for step in range(8):
        tracker.update(6.5 + LOST_AFTER + step, [])
    assert tracker.update(20.0, [at(0, 104)]) == [1]


def test_smoothing_is_exponential_in_time_and_keeps_the_sum():
    smoother = Smoother(0.5)
    first = smoother.update(0.0, [7], [[1.0, 0.0]])
    np.testing.assert_allclose(first, [[1, 0]])
    later = smoother.update(0.5, [7, 8], [[0.0, 1.0], [0.3, 0.7]])
    keep = math.exp(-1)
    np.testing.assert_allclose(later, [[keep, 1 - keep], [0.3, 0.7]])
    np.testing.assert_allclose(Smoother(0).update(0, [0], [[0.2, 0.8]]), [[0.2, 0.8]])
    assert later.sum(axis=1) == pytest.approx([1, 1])
