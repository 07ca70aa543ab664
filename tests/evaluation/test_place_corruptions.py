import itertools

import numpy as np
import pytest

from fer_ensemble.evaluation import place_corruptions
from fer_ensemble.evaluation.place_corruptions import MASK, turning, warp_each


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def grey(value, images=1):
    return np.full((images, 48, 48), value, np.uint8)


def slope():
    """One image whose grey values rise by 4 from column to column, from 20."""
    return np.broadcast_to(np.uint8(20) + 4 * np.arange(48, dtype=np.uint8), (1, 48, 48)).copy()


def test_the_bar_over_the_eyes_is_black_and_as_high_as_asked(generator):
    covered = place_corruptions.cover_eyes(grey(99), 4, generator)[0]
    # Centred on 18.65: rows 17 to 20.
    assert np.flatnonzero((covered == 0).all(axis=1)).tolist() == [17, 18, 19, 20]
    assert (covered[[16, 21]] == 99).all()


def test_the_bar_over_the_mouth_is_light_and_as_high_as_asked(generator):
    covered = place_corruptions.cover_mouth(grey(99), 5, generator)[0]
    assert np.flatnonzero((covered == MASK).all(axis=1)).tolist() == [34, 35, 36, 37, 38]
    assert np.count_nonzero(covered != 99) == 5 * 48


@pytest.mark.parametrize("cover", [place_corruptions.cover_eyes, place_corruptions.cover_mouth])
def test_a_higher_bar_contains_the_lower_one(generator, cover):
    bars = [cover(grey(99), height, generator) != 99 for height in (4, 5, 9, 16, 21)]
    for smaller, larger in itertools.pairwise(bars):
        assert (smaller <= larger).all() and smaller.sum() < larger.sum()


def test_a_box_is_square_and_inside_and_a_larger_one_contains_it():
    boxes = [
        place_corruptions.cover_box(grey(99, 200), side, np.random.default_rng(5)) != 99 for side in (8, 13, 28)
    ]
    seen = boxes[0].any(axis=(1, 2))  # a box may be drawn as grey as the image
    assert seen.sum() > 190
    for box, side in zip(boxes, (8, 13, 28), strict=True):
        assert (box[seen].sum(axis=(1, 2)) == side**2).all()
        assert (box[seen].any(axis=1).sum(axis=1) == side).all()
    assert (boxes[0] <= boxes[1]).all() and (boxes[1] <= boxes[2]).all()
    assert boxes[0].any(axis=0)[[0, 47]].any(), "boxes reach the border"


def test_a_turn_by_a_right_angle_moves_each_pixel_to_its_place():
    image = grey(0)
    image[0, 3, 10] = 250  # row 3, column 10: clockwise to row 10, column 47 - 3
    turned = warp_each(image, [turning(90)])
    assert turned[0, 10, 44] == 250 and np.count_nonzero(turned) == 1


def test_a_roll_goes_to_either_side_and_keeps_the_centre(generator):
    image = np.repeat(slope(), 30, axis=0)
    rolled = place_corruptions.roll(image, 12, generator)
    right = rolled[:, 0, 24].astype(int) - rolled[:, 47, 24]
    assert (right > 0).any() and (right < 0).any()
    # What lies above the centre moves right when a face rolls clockwise: there it is darker then.
    assert set(np.abs(right).tolist()) <= set(range(36, 43))  # 47 rows * tan 12 degrees * 4 grey values = 40
    assert np.abs(rolled[:, 23:25, 23:25].astype(int) - image[:, 23:25, 23:25]).max() <= 1


def test_a_shift_by_two_pixels_moves_the_face_by_two():
    moved = warp_each(slope(), [turning(0, 1, (2, 0))])[0]
    np.testing.assert_array_equal(moved[:, 2:], slope()[0, :, :-2])
    assert (moved[:, :2] == 20).all(), "the border goes on"


def test_a_zoom_by_two_stretches_about_the_centre():
    zoomed = warp_each(slope(), [turning(0, 2)])[0].astype(int)
    np.testing.assert_array_equal(np.diff(zoomed[0]), np.full(47, 2))
    assert abs((zoomed[0, 23] + zoomed[0, 24]) / 2 - (20 + 4 * 23.5)) <= 1


def test_a_misplaced_crop_is_shifted_by_the_share_and_zoomed_by_one_and_a_half_of_it():
    maps = place_corruptions.misplacements(50, 0.1, np.random.default_rng(0))
    centre = np.array([23.5, 23.5, 1])
    distances = [np.hypot(*(one @ centre - centre[:2])) for one in maps]
    np.testing.assert_allclose(distances, 4.8)
    zooms = {round(float(one[0, 0]), 6) for one in maps}
    assert zooms == {1.15, round(1 / 1.15, 6)}
