import math

import cv2
import numpy as np
import pytest

from fer_ensemble.faces.frame import FRAME_LANDMARKS, cut_face, fit_frame, frame_of_box, measure_roll, to_grey


def turn(points, degrees, scale=1.0, shift=(0, 0)):
    """Turns points clockwise as seen in a picture, whose y grows downwards."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return scale * points @ np.array([[cosine, sine], [-sine, cosine]]) + shift


def move(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_landmarks_in_the_frame_stay_where_they_are():
    np.testing.assert_allclose(fit_frame(FRAME_LANDMARKS), [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_scale_and_shift_are_found():
    np.testing.assert_allclose(
        move(fit_frame(3 * FRAME_LANDMARKS + [100, 50]), np.array([[100, 50], [244, 194]])),
        [[0, 0], [48, 48]],
        atol=1e-4,
    )


def test_the_roll_is_measured_clockwise():
    for degrees in (-100, -30, 0, 8, 45, 170):
        assert measure_roll(turn(FRAME_LANDMARKS, degrees, 2, (9, 4))) == pytest.approx(degrees, abs=1e-3)


def test_a_face_that_rolls_little_is_not_turned_and_one_that_rolls_more_by_what_is_beyond():
    small = fit_frame(turn(FRAME_LANDMARKS, 12))
    assert small[0, 1] == small[1, 0] == 0
    upright = move(fit_frame(turn(FRAME_LANDMARKS, 40, 2.5, (70, 20))), turn(FRAME_LANDMARKS, 40, 2.5, (70, 20)))
    assert measure_roll(upright) == pytest.approx(12, abs=1e-3)
    upright = move(fit_frame(turn(FRAME_LANDMARKS, -40), 0), turn(FRAME_LANDMARKS, -40))
    np.testing.assert_allclose(upright, FRAME_LANDMARKS, atol=1e-4)


def test_a_frame_at_the_pictures_own_scale_gives_the_pixels_back():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (60, 70), dtype=np.uint8)
    matrix = np.array([[1.0, 0, -7], [0, 1, -5]])
    np.testing.assert_array_equal(cut_face(picture, matrix), picture[5:53, 7:55])


def test_a_shrunk_face_is_averaged_over_each_pixel_of_the_frame():
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (240, 240), dtype=np.uint8)
    shrunk = cut_face(picture, np.array([[0.2, 0, 0], [0, 0.2, 0]]))
    means = picture.reshape(48, 5, 48, 5).mean(axis=(1, 3))
    assert abs(shrunk - means).max() <= 0.5 + 1e-6


def test_nothing_finer_than_a_pixel_of_the_frame_is_left():
    stripes = np.tile(np.array([0, 255], np.uint8), (960, 480))  # one pixel wide each: grey from afar
    shrunk = cut_face(stripes, fit_frame(19.7 * FRAME_LANDMARKS))
    assert shrunk.min() > 110 and shrunk.max() < 145


def test_borders_go_on_beyond_the_picture():
    picture = np.tile(np.array([[10], [200]], np.uint8), (1, 48)).repeat(24, axis=0)
    cut = cut_face(picture, np.array([[1.0, 0, 30], [0, 1, 30]]))
    assert (cut[:30, :] == 10).all() and (cut[:, :30] == cut[:, 30:31]).all()


def test_a_picture_longer_than_opencv_reads_is_cut_from_too():
    picture = np.zeros((64, 40_000), np.uint8)
    picture[:, 30_000:30_032] = 200
    cut = cut_face(picture, frame_of_box((29_984, 0, 64, 64)))
    assert abs(int(cut[24, 24]) - 200) < 10 and cut[:, :8].max() < 20 and cut[:, -8:].max() < 20
    whole = cut_face(picture, frame_of_box((0, 0, 40_000, 64)))
    assert whole.shape == (48, 48)


def test_a_box_is_made_square_around_its_middle():
    matrix = frame_of_box((10, 20, 48, 96))
    np.testing.assert_allclose(move(matrix, np.array([[-14, 20], [82, 116]])), [[0, 0], [48, 48]])


def test_grey_is_the_luma_of_red_green_and_blue():
    colours = np.array([[[200, 100, 50], [0, 255, 0], [0, 0, 255], [255, 0, 0]]], np.uint8)
    assert to_grey(colours).tolist() == [[124, 150, 29, 76]]  # 0.299 R + 0.587 G + 0.114 B
    assert to_grey(to_grey(colours)) is not None
    np.testing.assert_array_equal(to_grey(cv2.cvtColor(to_grey(colours), cv2.COLOR_GRAY2RGB)), to_grey(colours))
