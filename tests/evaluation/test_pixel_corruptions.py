import numpy as np
import pytest

from fer_ensemble.evaluation import pixel_corruptions
from fer_ensemble.evaluation.pixel_corruptions import disc_kernel, filter_each, path_kernel, to_pixels


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def grey(value, images=1):
    return np.full((images, 48, 48), value, np.uint8)


def halves(left, right):
    """One image, its left half of one grey and its right half of another."""
    image = grey(left)
    image[:, :, 24:] = right
    return image


def test_noise_has_the_standard_deviation_that_is_asked_for_and_no_mean(generator):
    noise = pixel_corruptions.add_noise(grey(128, 20), 10, generator).astype(float) - 128
    assert noise.std() == pytest.approx(10, abs=0.1)
    assert noise.mean() == pytest.approx(0, abs=0.2)


def test_a_strength_makes_the_same_noise_louder():
    quiet, loud = (
        pixel_corruptions.add_noise(grey(128), amount, np.random.default_rng(3)).astype(int) - 128
        for amount in (10, 20)
    )
    assert np.abs(loud - 2 * quiet).max() <= 2  # rounding, once and twice


def test_noise_stays_within_the_grey_values(generator):
    assert set(np.unique(pixel_corruptions.add_noise(grey(255), 50, generator))) <= set(range(256))
    assert pixel_corruptions.add_noise(grey(255), 50, generator).max() == 255


def test_a_small_disc_is_one_pixel_and_a_larger_one_weighs_its_neighbours_by_what_it_covers():
    np.testing.assert_array_equal(disc_kernel(0.5), [[1]])
    kernel = disc_kernel(1.5)
    assert kernel.shape == (3, 3) and kernel.sum() == pytest.approx(1)
    # Of its area, pi * 1.5^2 = 7.07 pixels, the middle one is one.
    assert kernel[1, 1] == pytest.approx(1 / 7.07, rel=0.02)
    assert kernel[0, 0] < kernel[0, 1] < kernel[1, 1]
    np.testing.assert_allclose(kernel, kernel.T)


def test_defocus_spreads_a_point_over_the_disc(generator):
    image = grey(0)
    image[0, 20, 30] = 255
    blurred = pixel_corruptions.defocus(image, 1.5, generator)[0]
    assert blurred[20, 30] == round(255 * float(disc_kernel(1.5)[1, 1]))
    assert np.count_nonzero(blurred) == 9
    assert blurred.sum() == pytest.approx(255, abs=5)


def test_a_level_path_of_three_pixels_is_a_row_of_three():
    kernel = path_kernel(3, 0.0)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel[kernel.shape[0] // 2, 1:4], [1 / 3, 1 / 3, 1 / 3], atol=0.06)
    assert kernel[0].sum() == kernel[-1].sum() == 0


def test_an_upright_path_is_a_level_one_turned():
    np.testing.assert_allclose(path_kernel(5, np.pi / 2), path_kernel(5, 0.0).T, atol=1e-6)


def test_motion_draws_a_direction_for_each_image(generator):
    image = grey(0, 2)
    image[:, 24, 24] = 255
    smeared = pixel_corruptions.smear(image, 7, generator)
    assert (smeared[0] != smeared[1]).any()
    assert smeared[0, 24, 24] < 255


def test_filtering_goes_on_beyond_the_border_with_its_last_pixels():
    kernel = np.full((3, 3), 1 / 9, np.float32)
    np.testing.assert_array_equal(filter_each(grey(90), [kernel]), grey(90))


def test_a_flat_image_survives_jpeg_and_an_edge_does_not(generator):
    np.testing.assert_array_equal(pixel_corruptions.compress(grey(128), 20, generator), grey(128))
    image = halves(0, 255)
    image[:, :, 23] = 255  # not at the border of an 8x8 block
    assert (pixel_corruptions.compress(image, 20, generator) != image).any()


def test_brightness_goes_up_or_down_by_the_amount(generator):
    changed = pixel_corruptions.shift_brightness(grey(100, 40), 75, generator)
    assert set(np.unique(changed)) == {25, 175}
    assert set(np.unique(pixel_corruptions.shift_brightness(grey(200, 40), 75, generator))) == {125, 255}


def test_contrast_shrinks_the_distance_to_the_mean(generator):
    # Mean 100: 100 -/+ 0.25 * 60.
    lowered = pixel_corruptions.lower_contrast(halves(40, 160), 0.25, generator)
    np.testing.assert_array_equal(lowered, halves(85, 115))


def test_backlight_is_gamma(generator):
    darkened = pixel_corruptions.darken(halves(128, 255), 2, generator)
    np.testing.assert_array_equal(darkened, halves(64, 255))  # 255 * (128 / 255)^2 = 64.25
    assert pixel_corruptions.darken(grey(0), 3, generator).max() == 0


def test_low_resolution_averages_areas_and_interpolates_between_them(generator):
    image = grey(0)
    image[0, ::2, ::2] = 200  # a quarter of each 2x2 cell
    np.testing.assert_array_equal(pixel_corruptions.lower_resolution(image, 24, generator), grey(50))
    blurred = pixel_corruptions.lower_resolution(halves(0, 200), 8, generator)[0, 0].astype(int)
    assert blurred[0] == 0 and blurred[-1] == 200
    assert (np.diff(blurred) >= 0).all() and len(set(blurred)) > 4


def test_pixels_are_rounded_and_kept_within_0_and_255():
    np.testing.assert_array_equal(to_pixels(np.array([-3.0, 0.4, 0.6, 254.6, 300.0])), [0, 0, 1, 255, 255])
