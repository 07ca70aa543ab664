import numpy as np
import pytest

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.evaluation.faceless import KINDS, cut_patches, describe_faceless, draw_faceless


@pytest.fixture(scope="module")
def faces():
    return draw_sample(168, seed=0)[0][:20]


def test_each_kind_is_drawn_as_often_as_asked_and_the_same_again(faces):
    crops, again = draw_faceless(faces, 5), draw_faceless(faces, 5)
    assert list(crops) == list(KINDS)
    for kind, images in crops.items():
        assert images.dtype == np.uint8 and images.shape == (5, 48, 48)
        np.testing.assert_array_equal(images, again[kind])
        assert len({image.tobytes() for image in images}) == 5, kind


def test_each_kind_is_what_it_is_called(faces):
    crops = draw_faceless(faces, 50)
    assert np.ptp(crops["flat grey"], axis=(1, 2)).max() == 0
    assert {len(np.unique(image)) for image in crops["stripes"]} <= {1, 2}
    assert abs(crops["white noise"].mean() - 127.5) < 1
    steps = np.abs(np.diff(crops["clouds"].astype(int), axis=2)).mean()
    assert 0 < steps < np.abs(np.diff(crops["white noise"].astype(int), axis=2)).mean() / 2
    assert np.abs(np.diff(crops["gradients"].astype(int), n=2, axis=2)).max() <= 2


def test_a_shuffled_face_has_the_squares_of_a_face_in_another_order(faces):
    def squares(image):
        return sorted(image.reshape(4, 12, 4, 12).transpose(0, 2, 1, 3).reshape(16, 144).tolist())

    known = [squares(face) for face in faces]
    for image in draw_faceless(faces, 10)["shuffled faces"]:
        assert squares(image) in known
        assert not (image == faces).all(axis=(1, 2)).any()


def test_patches_come_from_the_pictures():
    pictures = [np.full((60, 100), 10, np.uint8), np.full((30, 40), 20, np.uint8)]
    patches = cut_patches(pictures, 6)
    assert patches.shape == (6, 48, 48) and patches.dtype == np.uint8
    assert [image.max() for image in patches] == [image.min() for image in patches] == [10, 20] * 3
    np.testing.assert_array_equal(patches, cut_patches(pictures, 6))


def test_patches_of_a_picture_differ_in_place():
    picture = np.arange(200 * 200).reshape(200, 200).astype(np.uint8)
    assert len({patch.tobytes() for patch in cut_patches([picture], 8)}) == 8


def test_sure_answers_where_there_is_no_face_are_counted():
    crops = {
        "noise": np.array([[0.9, 0.1], [0.6, 0.4]], np.float32),
        "flat": np.array([[0.45, 0.55], [0.2, 0.8]], np.float32),
    }
    faces = np.array([[0.95, 0.05], [0.3, 0.7]], np.float32)
    found = describe_faceless(crops, ("sad", "happy"), 0.6, faces, np.array([0, 1]))
    noise, flat = found["kinds"]
    assert (noise["kind"], noise["crops"], noise["sure"], noise["most_common"]) == ("noise", 2, 1.0, "sad")
    assert (flat["sure"], flat["most_common"]) == (0.5, "happy")
    assert flat["confidence"] == pytest.approx(0.675)
    assert found["sure"] == 0.75
    # Sure: both faces, right, and three crops, wrong.
    assert found["risk"]["sure_accuracy"] == pytest.approx(2 / 5)
