import concurrent.futures

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.detector import DetectorSettings, FaceDetector, overlap
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces

FACES = sample_faces()[:168]


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def alone(detector):
    """Detections of 40 drawn faces, each in a picture that it fills, 192 pixels."""
    return [detector.detect(compose_picture(FACES[i : i + 1], [(0, 0)], (192, 192)))[0] for i in range(40)]


def test_every_drawn_face_is_found(detector):
    alone = [detector.detect(compose_picture([face], [(0, 0)], (192, 192))) for face in FACES]
    assert [len(one) for one in alone] == [1] * len(FACES)
    corners = [(x, y) for y in (20, 250) for x in (10, 220, 430)]
    within = [detector.detect(compose_picture(FACES[i : i + 6], corners, (640, 480))) for i in range(0, 168, 6)]
    assert max(map(len, within)) == 6 and sum(map(len, within)) >= 0.98 * len(FACES)


def test_boxes_and_landmarks_are_where_the_faces_were_put(detector, alone):
    """In pictures with four faces each, at random places."""
    random = np.random.default_rng(0)
    overlaps, distances = [], []
    for start in range(0, 40, 4):
        corners = [(x + int(random.integers(0, 120)), y + int(random.integers(0, 100)))
                   for x in (0, 320) for y in (0, 300)]  # fmt: skip
        found = detector.detect(compose_picture(FACES[start : start + 4], corners, (640, 600)))
        for (x, y), one in zip(corners, alone[start : start + 4], strict=True):
            box = (one.box[0] + x, one.box[1] + y, *one.box[2:])
            best = max(found, key=lambda each, box=box: overlap(each.box, box))
            overlaps.append(overlap(best.box, box))
            if overlaps[-1] >= 0.6:
                distances.append(abs((best.landmarks - one.landmarks - (x, y)).mean(axis=0)).max() / 4)
    assert np.mean(np.array(overlaps) >= 0.6) >= 0.98
    assert np.mean(distances) < 1  # pixels of the 48


def test_a_face_that_fills_a_large_picture_is_found_beside_a_small_one(detector):
    picture = compose_picture([FACES[0]], [(0, 0)], (960, 640), scale=13)
    assert len(detector.detect(picture)) == 1
    picture[20:116, 820:916] = compose_picture([FACES[1]], [(0, 0)], (96, 96), scale=2)
    large, small = detector.detect(picture)
    assert large.box[2] > 300 and 820 <= small.box[0] < 916


def test_a_tiny_picture_is_enlarged_for_the_search(detector):
    (one,) = detector.detect(FACES[0])
    assert 0 < one.box[2] <= 48


def test_several_threads_may_search_at_once(detector):
    pictures = [
        compose_picture([face], [(10 * i, 5 * i)], (300 + 10 * i, 260)) for i, face in enumerate(FACES[:12])
    ]
    expected = [detector.detect(picture)[0].box for picture in pictures]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert [found[0].box for found in pool.map(detector.detect, pictures)] == expected


@pytest.mark.parametrize(("name", "value"), [("size", 8), ("least_score", 0.0), ("most_overlap", 1.0)])
def test_settings_out_of_range_are_an_error(name, value):
    with pytest.raises(UserError, match=str(value)):
        DetectorSettings(**{name: value})
