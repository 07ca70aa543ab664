"""These tests run on the backend that KERAS_BACKEND names; the last one runs them again on JAX."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.training.augmentation import AugmentedImages, augment
from fer_ensemble.training.draws import draw_batch, label_weights
from fer_ensemble.training.settings import TrainingSettings

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0]
MIRROR = [-1, 0, 47, 0, 1, 0, 0, 0]


def apply(images=IMAGES, **draws):
    draws = {name: ops.convert_to_tensor(np.array(values, np.float32)) for name, values in draws.items()}
    result = augment(ops.convert_to_tensor(images), draws)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert tuple(result.shape) == (*images.shape, 1)
    return ops.convert_to_numpy(result)[..., 0]


def test_no_draws_change_nothing():
    np.testing.assert_array_equal(apply(), IMAGES)


def test_the_identity_changes_nothing():
    np.testing.assert_allclose(apply(transform=[IDENTITY] * 3), IMAGES, atol=1e-3)


def test_shifts_by_whole_pixels_and_repeats_the_edge():
    # Pixel (x, y) of the result comes from (x + 3, y - 2).
    result = apply(transform=[[1, 0, 3, 0, 1, -2, 0, 0], IDENTITY, [1, 0, -50, 0, 1, 0, 0, 0]])
    rows, columns = np.clip(np.arange(48) - 2, 0, 47), np.clip(np.arange(48) + 3, 0, 47)
    np.testing.assert_allclose(result[0], IMAGES[0][rows][:, columns], atol=1e-3)
    np.testing.assert_allclose(result[1], IMAGES[1], atol=1e-3)
    np.testing.assert_allclose(result[2], np.repeat(IMAGES[2][:, :1], 48, axis=1), atol=1e-3)


def test_mirrors_left_to_right():
    result = apply(transform=[MIRROR, IDENTITY, MIRROR])
    np.testing.assert_allclose(result[0], IMAGES[0][:, ::-1], atol=1e-3)
    np.testing.assert_allclose(result[1], IMAGES[1], atol=1e-3)


def test_half_a_pixel_is_the_mean_of_two():
    result = apply(transform=[[1, 0, 0.5, 0, 1, 0, 0, 0]] * 3)
    expected = (IMAGES[..., :-1].astype(float) + IMAGES[..., 1:]) / 2
    np.testing.assert_allclose(result[..., :-1], expected, atol=1e-3)


def test_a_quarter_turn():
    # Pixel (x, y) of the result comes from (47 - y, x).
    result = apply(transform=[[0, -1, 47, 1, 0, 0, 0, 0]] * 3)
    np.testing.assert_allclose(result, np.rot90(IMAGES, axes=(1, 2)), atol=1e-3)


def test_contrast_about_mid_grey_then_brightness_then_clipping():
    images = np.full((3, 48, 48), 100, np.uint8)
    images[2] = 250
    result = apply(images, light=[[2, 10], [0.5, -20], [1.5, 30]])
    # (100 - 127.5) * 2 + 127.5 + 10 = 82.5; (100 - 127.5) / 2 + 127.5 - 20 = 93.75; 341.25 is clipped.
    np.testing.assert_allclose(result[:, 0, 0], [82.5, 93.75, 255], atol=1e-4)
    np.testing.assert_allclose(apply(images, light=[[2, -90], [1, 0], [1, 5]])[:, 0, 0], [0, 100, 255], atol=1e-4)


def test_erases_the_rectangle_and_nothing_else():
    result = apply(erase=[[10, 20, 30, 48, 77.5], [0, 0, 5, 5, 99], [47, 48, 0, 1, 3]])
    expected = IMAGES.astype(float)
    expected[0, 10:20, 30:48] = 77.5
    expected[2, 47, 0] = 3
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_mixes_with_the_next_image_of_the_batch():
    result = apply(mix=[[0.75, 0, 0, 0, 0], [1, 8, 16, 40, 48], [1, 0, 0, 0, 0]])
    images = IMAGES.astype(float)
    np.testing.assert_allclose(result[0], 0.75 * images[0] + 0.25 * images[1], atol=1e-4)
    expected = images[1].copy()
    expected[8:16, 40:48] = images[2, 8:16, 40:48]
    np.testing.assert_allclose(result[1], expected, atol=1e-4)
    np.testing.assert_allclose(result[2], images[2], atol=1e-4)


def test_the_last_image_of_a_batch_is_mixed_with_the_first():
    result = apply(mix=[[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 48, 0, 48]])
    np.testing.assert_allclose(result[2], IMAGES[0], atol=1e-4)


def test_what_is_left_of_an_image_is_the_weight_of_its_label():
    # Image 0 white, its partner black: the mean grey is the share of image 0.
    mix = np.array([[0.3, 0, 0, 0, 0], [1, 0, 0, 0, 0]]), np.array([[1, 5, 25, 7, 19], [1, 0, 0, 0, 0]])
    images = np.zeros((2, 48, 48), np.uint8)
    images[0] = 255
    for draws in mix:
        mean = apply(images, mix=draws)[0].mean() / 255
        assert mean == pytest.approx(label_weights(draws)[0], abs=1e-5)


def test_the_order_is_transform_light_erase_mix():
    draws = {
        "transform": [MIRROR] * 3,
        "light": [[0.5, 10]] * 3,
        "erase": [[0, 10, 0, 10, 200]] * 3,
        "mix": [[0.5, 0, 0, 0, 0]] * 3,
    }
    expected = (IMAGES[..., ::-1] - 127.5) * 0.5 + 137.5
    expected[:, :10, :10] = 200
    np.testing.assert_allclose(apply(**draws), (expected + np.roll(expected, -1, axis=0)) / 2, atol=1e-3)


def test_grey_values_stay_in_their_range_under_every_draw():
    settings = TrainingSettings(erasing=0.5, mixup=0.5, cutmix=0.5, brightness=0.5, contrast=0.5, rotation=90.0)
    images = np.repeat(IMAGES, 20, axis=0)
    result = apply(images, **draw_batch(np.random.default_rng(0), 60, settings))
    assert result.min() >= 0 and result.max() <= 255 and np.isfinite(result).all()


def test_the_layer_takes_images_by_their_position():
    layer = AugmentedImages(IMAGES)
    inputs = {"positions": np.array([2, 0], np.int32), "transform": np.array([IDENTITY, MIRROR], np.float32)}
    result = ops.convert_to_numpy(layer({name: ops.convert_to_tensor(value) for name, value in inputs.items()}))
    np.testing.assert_allclose(result[..., 0], [IMAGES[2], IMAGES[0][:, ::-1]], atol=1e-3)


def test_the_layer_holds_the_images_as_they_are_and_learns_nothing():
    layer = AugmentedImages(IMAGES)
    assert layer.trainable_variables == []
    assert layer.images.dtype == "uint8"
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.images), IMAGES)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the JAX run")
def test_all_of_this_holds_on_jax(python):
    pytest.importorskip("jax", reason="JAX is optional, and not installed")
    degradation = __file__.replace("augmentation", "degradation")
    # And one training, with its looks at the held-out fold and its saved states.
    training = __file__.replace("augmentation", "fit") + "::test_the_history_has_a_row_for_each_epoch"
    result = python("-m", "pytest", __file__, degradation, training, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout
