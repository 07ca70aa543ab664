import json

import cv2
import numpy as np
import PIL.Image
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.classifier import load
from fer_ensemble.faces.drawn_pictures import compose_picture
from tests.drawn import sample_faces


@pytest.fixture(scope="module")
def picture():
    """Two drawn faces, the larger one on the right."""
    faces = sample_faces()[:2]
    large = compose_picture(faces[1:], [(300, 20)], (640, 360), 6)
    small = compose_picture(faces[:1], [(20, 100)], (300, 360), 4)
    large[:, :300] = small
    return large


@pytest.fixture
def classifier(write_network):
    return load(write_network())


def test_a_path_bytes_a_pil_image_and_an_array_give_the_same_faces(classifier, picture, tmp_path):
    path = tmp_path / "two.png"
    PIL.Image.fromarray(picture).save(path)
    sources = [path, str(path), path.read_bytes(), PIL.Image.open(path), picture, picture[:, :, 0]]
    answers = [[face.to_record() for face in classifier.find_faces(source)] for source in sources]
    assert len(answers[0]) == 2
    assert all(answer == answers[0] for answer in answers)


def test_many_pictures_come_in_their_order_and_what_cannot_be_read_says_why(classifier, picture, tmp_path):
    two, none = tmp_path / "two.png", tmp_path / "none.png"
    PIL.Image.fromarray(picture).save(two)
    none.write_bytes(b"no picture")
    found = list(classifier.find_faces_in([none, two]))
    assert [one.source for one in found] == [none, two] and [len(one.faces) for one in found] == [0, 2]
    assert "Received" in found[0].problem and found[1].problem is None
    assert found[1].faces[0].to_record() == classifier.find_faces(two)[0].to_record()


def test_bgr_is_what_opencv_reads(classifier, picture):
    coloured = picture.copy()
    coloured[:, :, 2] //= 2
    expected = classifier.find_faces(coloured)[0].crop
    turned = classifier.find_faces(cv2.cvtColor(coloured, cv2.COLOR_RGB2BGR), bgr=True)[0].crop
    np.testing.assert_array_equal(turned, expected)


def test_the_largest_face_comes_first(classifier, picture):
    first, second = classifier.find_faces(picture)
    assert first.box[0] > 300 > second.box[0]
    assert first.box[2] * first.box[3] > second.box[2] * second.box[3]


def test_a_picture_without_a_face_has_none(classifier):
    assert classifier.find_faces(np.full((200, 300, 3), 90, np.uint8)) == []


def test_whole_pictures_are_faces_when_asked_for(classifier):
    face = sample_faces()[0]
    (found,) = classifier.find_faces(face, faces="whole")
    np.testing.assert_array_equal(found.crop, face)
    assert found.box == (0, 0, 48, 48)
    assert found.landmarks is None and found.detector_score is None
    np.testing.assert_allclose(list(found.probabilities.values()), classifier.predict(face[None])[0])


def test_given_boxes_are_kept_in_their_order_and_cut_as_faces_that_are_found(classifier, picture):
    first, second = classifier.find_faces(picture)
    boxes = [(18, 98, 194, 194), (first.box[0] - 20, *first.box[1:])]
    small, large = classifier.find_faces(picture, boxes=boxes)
    assert small.box == boxes[0] and large.box == boxes[1]
    # The landmarks decide how a face is cut, whichever box is drawn.
    assert abs(small.landmarks - second.landmarks).mean() < 192 / 48
    assert abs(large.landmarks - first.landmarks).mean() < 288 / 48
    (empty,) = classifier.find_faces(picture, boxes=[(0, 0, 40, 30)])  # no face there
    assert empty.landmarks is None and np.ptp(empty.crop) == 0


def test_a_record_is_plain_json_with_probabilities_that_sum_to_1(classifier, picture):
    record = classifier.find_faces(picture)[1].to_record("two.png", 1)
    assert json.loads(json.dumps(record)) == record
    assert list(record) == [
        "schema_version", "file", "frame", "time", "face", "box", "landmarks", "detector_score", "expression",
        "probability", "probabilities", "unsure", "smoothing",
    ]  # fmt: skip
    assert record["schema_version"] == 1 and record["file"] == "two.png" and record["face"] == 1
    assert record["frame"] is None and record["time"] is None
    assert abs(sum(record["probabilities"].values()) - 1) < 1e-5
    assert record["probability"] == max(record["probabilities"].values())
    assert record["probabilities"][record["expression"]] == record["probability"]


def test_an_answer_is_unsure_where_the_best_is_below_the_threshold(write_network):
    path = write_network()
    light = np.full((1, 48, 48), 255, np.uint8)[0]  # 0.731 "light"
    assert not load(path).find_faces(light, faces="whole")[0].unsure  # the network's own threshold is 0.6
    assert load(path, unsure_below=0.74).find_faces(light, faces="whole")[0].unsure
    with pytest.raises(UserError, match=r"`unsure_below` must be a probability.*1.5"):
        load(path, unsure_below=1.5)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((9, 9, 3)), "uint8.*float64"),
        (np.zeros((9, 9, 2), np.uint8), r"shape \(9, 9, 2\)"),
        (np.zeros((0, 9), np.uint8), r"shape \(0, 9\)"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_an_error_that_says_what_is(classifier, picture, message):
    with pytest.raises(UserError, match=message):
        classifier.find_faces(picture)


def test_a_folder_without_an_ensemble_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"ensemble.json"):
        load(tmp_path)


def test_boxes_outside_the_picture_are_an_error(classifier, picture):
    for box in [(700, 0, 9, 9), (0, 0, 0, 9), (0, 0, float("nan"), 9), (0, 0, 9)]:
        with pytest.raises(UserError, match="A box must be"):
            classifier.find_faces(picture, boxes=[box])
