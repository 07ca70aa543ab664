import numpy as np
import pytest

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt


@pytest.fixture(scope="module")
def faces():
    return draw_sample(168, seed=0)[0][:40]


def test_there_are_thirteen_with_five_strengths_each():
    assert len(CORRUPTIONS) == 13
    assert {len(one.amounts) for one in CORRUPTIONS.values()} == {5}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_0_changes_nothing_and_gives_a_new_array(faces, name):
    same = corrupt(faces, name, 0)
    np.testing.assert_array_equal(same, faces)
    assert not np.shares_memory(same, faces)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_strength_moves_a_set_of_faces_further_away(faces, name):
    before = faces.copy()
    distances = [np.abs(corrupt(faces, name, s).astype(int) - faces).mean() for s in (0, *STRENGTHS)]
    assert (np.diff(distances) > 0).all(), distances
    np.testing.assert_array_equal(faces, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_and_the_first_images_do_not_depend_on_those_that_follow(faces, name):
    all_of_them = corrupt(faces, name, 3, seed=1)
    assert all_of_them.dtype == np.uint8 and all_of_them.shape == faces.shape
    np.testing.assert_array_equal(all_of_them, corrupt(faces, name, 3, seed=1))
    np.testing.assert_array_equal(all_of_them[:7], corrupt(faces[:7], name, 3, seed=1))


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "brightness", "box", "roll", "crop"])
def test_another_seed_draws_something_else(faces, name):
    assert (corrupt(faces, name, 3, seed=0) != corrupt(faces, name, 3, seed=1)).any()


def test_corruptions_draw_independently_of_each_other(faces):
    darker = corrupt(faces, "brightness", 1).mean(axis=(1, 2)) < faces.mean(axis=(1, 2))
    one_face = np.repeat(faces[:1], 40, axis=0)
    rolled = corrupt(one_face, "roll", 5)
    clockwise = (rolled == rolled[0]).all(axis=(1, 2))
    assert 5 < darker.sum() < 35 and 5 < clockwise.sum() < 35
    assert (darker != clockwise).any() and (darker == clockwise).any()


def test_no_images_are_no_error():
    assert corrupt(np.empty((0, 48, 48), np.uint8), "jpeg", 2).shape == (0, 48, 48)


def test_what_is_no_face_corruption_or_strength_is_told(faces):
    with pytest.raises(ValueError, match=r"uint8 of shape \(images, 48, 48\)\. Received: float64"):
        corrupt(faces / 255, "jpeg", 1)
    with pytest.raises(ValueError, match="Received: snow, 1"):
        corrupt(faces, "snow", 1)
    with pytest.raises(ValueError, match="Received: jpeg, 6"):
        corrupt(faces, "jpeg", 6)
