"""These tests run on the backend that KERAS_BACKEND names; `test_augmentation.py` runs them again on JAX."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.training.degradation import (
    blur_matrix,
    cosine_matrix,
    degrade,
    noise_square,
    shrink_matrix,
    smoothers,
)
from fer_ensemble.training.draws import BLURS, SIZES, draw_batch
from fer_ensemble.training.settings import TrainingSettings

cv2 = pytest.importorskip("cv2", reason="OpenCV draws what is compared with")


@pytest.fixture(scope="module")
def faces():
    return draw_sample(168, 0)[0][:8]


def apply(faces, *draws):
    """Applies (smoother, quality, deviation of noise, top, left), of which the last may be left out."""
    draws = np.array([[*draw, *(5 - len(draw)) * [0]] for draw in draws], np.float32)
    images = ops.convert_to_tensor(faces.astype(np.float32)[..., None])
    result = degrade(images, ops.convert_to_tensor(draws))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    return ops.convert_to_numpy(result)[..., 0]


def test_nothing_changes_nothing(faces):
    np.testing.assert_allclose(apply(faces, *[[0]] * 8), faces, atol=1e-3)


def test_every_smoother_keeps_the_mean_grey_of_a_row():
    assert smoothers().shape == (1 + len(BLURS) + len(SIZES), 48, 48)
    np.testing.assert_allclose(smoothers().sum(axis=2), 1, atol=1e-5)


def test_a_blur_is_that_of_opencv(faces):
    for number, deviation in enumerate(BLURS, start=1):
        expected = [
            cv2.GaussianBlur(face.astype(np.float32), (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
            for face in faces
        ]
        np.testing.assert_allclose(apply(faces, *[[number]] * 8), expected, atol=0.5)


def test_a_low_resolution_is_that_of_opencv(faces):
    for number, size in enumerate(SIZES, start=1 + len(BLURS)):
        small = [cv2.resize(face.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) for face in faces]
        expected = [cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in small]
        np.testing.assert_allclose(apply(faces, *[[number]] * 8), expected, atol=0.1)


@pytest.mark.parametrize("quality", [8, 25, 50, 60])
def test_a_poor_jpeg_is_that_of_opencv_but_for_rounding(faces, quality):
    written = [cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for face in faces]
    expected = np.stack([cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) for file in written]).astype(float)
    result = apply(faces, *[[0, quality]] * 8)
    assert np.abs(result - expected).mean() < 1
    assert np.abs(result - faces).mean() > 1


def test_the_cosine_transform_is_orthonormal_and_its_first_row_the_mean_of_a_block():
    matrix = cosine_matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(48), atol=1e-5)
    np.testing.assert_allclose(matrix[8], [0] * 8 + [1 / np.sqrt(8)] * 8 + [0] * 32, atol=1e-6)


def test_small_matrices_by_hand():
    np.testing.assert_allclose(shrink_matrix(24)[0, :4], [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(shrink_matrix(24)[1, :4], [0.375, 0.375, 0.125, 0.125])  # three quarters, a quarter
    row = blur_matrix(1.0)[24, 23:26]
    np.testing.assert_allclose(row / row[1], [np.exp(-0.5), 1, np.exp(-0.5)])


def test_noise_is_a_part_of_the_square_as_loud_as_drawn():
    grey = np.full((2, 48, 48), 128, np.uint8)
    result = apply(grey, [0, 0, 10, 3, 200], [0, 0, 20, 208, 0])
    np.testing.assert_allclose(result[0], 128 + 10 * noise_square()[3:51, 200:248], atol=1e-3)
    np.testing.assert_allclose(result[1], 128 + 20 * noise_square()[208:, :48], atol=1e-3)
    assert noise_square().std() == pytest.approx(1, abs=0.01)
    assert apply(np.full((1, 48, 48), 250, np.uint8), [0, 0, 40, 0, 0]).max() == 255


def test_each_image_has_its_own_draw(faces):
    result = apply(faces, [0], [3], *[[0]] * 6)
    np.testing.assert_allclose(result[0], faces[0], atol=1e-3)
    assert np.abs(result[1] - faces[1]).mean() > 1


def test_an_image_gets_at_most_one_of_the_four_and_each_as_often():
    settings = TrainingSettings(degradation=0.8)
    smoother, quality, deviation, top, left = draw_batch(np.random.default_rng(0), 8000, settings)["degrade"].T
    kinds = [(smoother > 0) & (smoother <= len(BLURS)), smoother > len(BLURS), quality > 0, deviation > 0]
    assert np.sum(kinds, axis=0).max() == 1
    assert np.mean(kinds, axis=1) == pytest.approx([0.2] * 4, abs=0.02)
    assert set(smoother.tolist()) == set(range(1 + len(BLURS) + len(SIZES)))
    assert set(quality[quality > 0].tolist()) == set(range(8, 61))
    assert deviation[deviation > 0].min() >= 5 and deviation.max() <= 40
    assert (top.min(), top.max(), left.min(), left.max()) == (0, 208, 0, 208)


def test_without_it_the_draws_are_what_they_were():
    settings = {"erasing": 0.5, "mixup": 0.2}
    before = draw_batch(np.random.default_rng(0), 10, TrainingSettings(**settings))
    after = draw_batch(np.random.default_rng(0), 10, TrainingSettings(degradation=0.5, **settings))
    assert set(after) - set(before) == {"degrade"}
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values)
