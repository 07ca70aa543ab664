import numpy as np
import pytest

from fer_ensemble.training.draws import draw_batch, label_weights
from fer_ensemble.training.settings import TrainingSettings

NOTHING = {
    "shift": 0.0, "rotation": 0.0, "zoom": 0.0, "flip": False, "brightness": 0.0, "contrast": 0.0,
    "erasing": 0.0, "mixup": 0.0, "cutmix": 0.0,
}  # fmt: skip
EVERYTHING = {"erasing": 0.5, "mixup": 0.4, "cutmix": 1.0}
IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0]


def draw(images=2000, seed=0, **changes):
    return draw_batch(np.random.default_rng(seed), images, TrainingSettings(**{**NOTHING, **changes}))


def test_the_same_generator_gives_the_same_draws():
    one, same, other = draw(seed=1, **EVERYTHING), draw(seed=1, **EVERYTHING), draw(seed=2, **EVERYTHING)
    assert one.keys() == same.keys()
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["erase"], other["erase"])


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"transform": 8}),
        ({"brightness": 0.1}, {"transform": 8, "light": 2}),
        ({"contrast": 0.1}, {"transform": 8, "light": 2}),
        ({"erasing": 0.1}, {"transform": 8, "erase": 5}),
        ({"mixup": 0.1}, {"transform": 8, "mix": 5}),
        ({"cutmix": 0.1}, {"transform": 8, "mix": 5}),
        ({"brightness": 0.1, **EVERYTHING}, {"transform": 8, "light": 2, "erase": 5, "mix": 5}),
    ],
)
def test_only_the_arrays_that_the_settings_need(changes, names):
    draws = draw(3, **changes)
    assert {name: values.shape for name, values in draws.items()} == {name: (3, n) for name, n in names.items()}
    assert {values.dtype for values in draws.values()} == {np.dtype(np.float32)}


def test_without_augmentation_the_transform_is_the_identity():
    np.testing.assert_array_equal(draw(5)["transform"], [IDENTITY] * 5)


def test_flip_mirrors_half_of_the_images():
    # Pixel x of the result comes from pixel 47 - x.
    transforms = draw(flip=True)["transform"]
    mirrored = transforms[:, 0] < 0
    np.testing.assert_allclose(transforms[mirrored], [[-1, 0, 47, 0, 1, 0, 0, 0]] * mirrored.sum(), atol=1e-6)
    np.testing.assert_array_equal(transforms[~mirrored], [IDENTITY] * (~mirrored).sum())
    assert 0.45 < mirrored.mean() < 0.55


def test_the_shift_is_a_share_of_the_side():
    transforms = draw(shift=0.25)["transform"]
    np.testing.assert_array_equal(transforms[:, [0, 1, 3, 4]], [[1, 0, 0, 1]] * 2000)
    shifts = transforms[:, [2, 5]]
    assert np.abs(shifts).max() <= 12 and (np.abs(shifts).max(axis=0) > 11.8).all()
    assert (np.abs(shifts.mean(axis=0)) < 0.6).all()  # both ways
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.1  # each way by itself


def test_a_padded_crop_is_a_shift_by_whole_pixels_each_as_often():
    shifts = draw(4500, crop_padding=4)["transform"][:, [2, 5]]
    for values in shifts.T:
        numbers, counts = np.unique(values, return_counts=True)
        np.testing.assert_array_equal(numbers, np.arange(-4, 5))
        assert counts.min() > 400 and counts.max() < 600  # 500 each
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.1


def test_a_padded_crop_comes_besides_the_shift_and_changes_no_other_draw_of_the_transform():
    both = draw(shift=0.1, rotation=10.0, flip=True, crop_padding=4)["transform"]
    alone = draw(shift=0.1, rotation=10.0, flip=True)["transform"]
    names = np.abs(both - alone)
    np.testing.assert_array_equal(names[:, [0, 1, 3, 4, 6, 7]], 0)
    crops = (both - alone)[:, [2, 5]]
    np.testing.assert_allclose(crops, np.round(crops), atol=1e-5)
    assert np.abs(crops).max() > 3.9


def test_the_draws_of_settings_without_a_padded_crop_are_what_they_always_were():
    settings = TrainingSettings(shift=0.1, rotation=10.0, zoom=0.1, flip=True, erasing=0.5, mixup=0.2, cutmix=0.3)
    draws = draw_batch(np.random.default_rng([3, 2, 1]), 2, settings)
    expected = {
        "transform": [0.91688997, -0.10647225, 4.9779711, 0.10647225, 0.91688997, 0.45506158, 0, 0],
        "light": [1.0265141, -17.235716],
        "erase": [17, 17, 2, 2, 175.43913],
        "mix": [0.00272488, 46, 46, 20, 20],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(draws[name][0], values, rtol=1e-6)


def test_the_rotation_is_in_degrees_about_the_centre():
    transforms = draw(rotation=30.0)["transform"].astype(float)
    a, b = transforms[:, :3], transforms[:, 3:6]
    angles = np.degrees(np.arctan2(b[:, 0], b[:, 1]))
    assert 29.8 < angles.max() <= 30.0001 and -30.0001 <= angles.min() < -29.8
    np.testing.assert_allclose(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], 1, atol=1e-6)  # sizes stay
    center = np.array([23.5, 23.5, 1])
    np.testing.assert_allclose(np.stack([a @ center, b @ center]), 23.5, atol=1e-5)


def test_the_zoom_is_a_share_of_the_size():
    # 1.25 times the size: a step in the result is 1 / 1.25 = 0.8 steps in the image.
    transforms = draw(zoom=0.25)["transform"]
    np.testing.assert_array_equal(transforms[:, 0], transforms[:, 4])
    assert 0.8 <= transforms[:, 0].min() < 0.802 and 1.33 < transforms[:, 0].max() <= 1 / 0.75 + 1e-6
    np.testing.assert_allclose(transforms[:, 2], 23.5 * (1 - transforms[:, 0]), atol=1e-5)


def test_light_is_a_factor_about_mid_grey_and_an_offset_in_grey_values():
    factor, offset = draw(contrast=0.2, brightness=0.1)["light"].T
    assert 0.8 <= factor.min() < 0.802 and 1.198 < factor.max() <= 1.2 + 1e-6
    assert -25.5 <= offset.min() < -25.3 and 25.3 < offset.max() <= 25.5
    np.testing.assert_array_equal(draw(brightness=0.1)["light"][:, 0], 1)
    np.testing.assert_array_equal(draw(contrast=0.1)["light"][:, 1], 0)


def assert_rectangles_inside(rectangles):
    top, bottom, left, right = rectangles.T
    np.testing.assert_array_equal(rectangles, np.round(rectangles))
    assert (top >= 0).all() and (top <= bottom).all() and (bottom <= 48).all()
    assert (left >= 0).all() and (left <= right).all() and (right <= 48).all()


def test_erased_rectangles_lie_inside_and_have_the_area_of_the_paper():
    erase = draw(erasing=1.0)["erase"]
    assert_rectangles_inside(erase[:, :4])
    heights, widths = erase[:, 1] - erase[:, 0], erase[:, 3] - erase[:, 2]
    share = heights * widths / 48**2
    # 2 % to 33 %, each side rounded to whole pixels; the mean of the range is 17.5 %.
    slack = (0.5 * (heights + widths) + 0.25) / 48**2
    assert (share >= 0.02 - slack).all() and (share <= 0.33 + slack).all()
    assert share.min() < 0.03 and share.max() > 0.31 and 0.165 < share.mean() < 0.185
    big = np.minimum(heights, widths) > 12  # where rounding hardly changes the aspect
    aspect = (heights / widths)[big]
    assert aspect.min() > 0.27 and aspect.max() < 3.7 and abs(np.log(aspect).mean()) < 0.1
    assert erase[:, 4].min() >= 0 and erase[:, 4].max() <= 255 and 120 < erase[:, 4].mean() < 135


def test_erasing_is_a_probability():
    erase = draw(erasing=0.3)["erase"]
    covered = (erase[:, 1] - erase[:, 0]) * (erase[:, 3] - erase[:, 2]) > 0
    assert 0.27 < covered.mean() < 0.33


def test_mixup_draws_weights_and_no_rectangle():
    mix = draw(mixup=1.0)["mix"]
    np.testing.assert_array_equal(mix[:, 1], mix[:, 2])
    assert mix[:, 0].min() >= 0 and mix[:, 0].max() <= 1
    # Beta(1, 1) is uniform: mean 1/2, variance 1/12.
    assert abs(mix[:, 0].mean() - 0.5) < 0.02 and abs(mix[:, 0].var() - 1 / 12) < 0.01


def test_cutmix_draws_square_rectangles_of_uniform_area_and_keeps_the_rest():
    mix = draw(cutmix=1.0)["mix"]
    np.testing.assert_array_equal(mix[:, 0], 1)
    assert_rectangles_inside(mix[:, 1:])
    np.testing.assert_array_equal(mix[:, 2] - mix[:, 1], mix[:, 4] - mix[:, 3])
    assert abs(label_weights(mix).mean() - 0.5) < 0.02


def test_with_both_each_image_takes_one_of_them():
    mix = draw(mixup=1.0, cutmix=1.0)["mix"]
    cut = mix[:, 2] > mix[:, 1]
    assert (mix[cut, 0] == 1).all() and (mix[~cut, 0] < 1).mean() > 0.97  # a few cuts round to no pixel
    assert 0.45 < cut.mean() < 0.55


def test_label_weights_by_hand():
    mix = np.array(
        [
            [0.7, 0, 0, 0, 0],  # MixUp
            [1, 0, 24, 0, 48],  # CutMix of the upper half
            [1, 10, 22, 40, 48],  # 12 x 8 of 48 x 48 pixels: 1/24
            [1, 0, 48, 0, 48],  # nothing left
            [0.5, 0, 24, 0, 24],  # three quarters, mixed
        ]
    )
    np.testing.assert_allclose(label_weights(mix), [0.7, 0.5, 23 / 24, 0, 0.375], atol=1e-12)
