import keras
import numpy as np
import pytest

from fer_ensemble.training.learning_rate_search import smooth, suggest_rates, take_steps
from fer_ensemble.training.schedules import Exponential

RATES = np.logspace(-4, 0, 41)


class Batches:
    """A line through the origin, learnt by one weight; the same four points in each step."""

    epoch = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        assert 0 <= index < 3
        points = np.array([[-1.0], [1.0], [2.0], [-2.0]], np.float32)
        return points, 3 * points


@pytest.fixture
def line():
    def build(steps, highest, first=1e-3):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        model.layers[0].kernel.assign([[0.0]])
        model.compile(keras.optimizers.SGD(Exponential(first, highest, steps)), loss="mse")
        return model

    return build


def test_each_step_has_its_rate_and_the_loss_before_it(line):
    rates, losses = take_steps(line(3, 0.1), Batches(), 3)
    np.testing.assert_allclose(rates, [1e-3, 1e-2, 1e-1], rtol=1e-5)
    # The mean square of the points is 2.5: the loss is 2.5 (3 - w)^2, a step leaves 1 - 5 * rate of the error.
    np.testing.assert_allclose(losses, [22.5, 22.5 * 0.995**2, 22.5 * (0.995 * 0.95) ** 2], rtol=1e-5)


def test_it_passes_through_epoch_after_epoch(line):
    batches = Batches()
    rates, _ = take_steps(line(10, 0.1), batches, 10)
    assert len(rates) == 10 and batches.epoch == 3


def test_it_ends_where_the_loss_diverges(line):
    # A step at a rate r multiplies the error by 1 - 5 r: above 2 / 5 it grows.
    rates, losses = take_steps(line(20, 10.0, first=0.3), Batches(), 20)
    np.testing.assert_allclose(losses[1:], 22.5 * np.cumprod(1 - 5 * rates[:-1]) ** 2, rtol=1e-4)
    means = np.convolve(losses, np.full(5, 0.2), mode="valid")
    assert len(losses) < 20 and means[-1] > 4 * means.min() and means[-2] <= 4 * means[:-1].min()


def test_a_loss_that_is_not_finite_is_none_of_the_losses(line):
    model = line(5, 0.1)
    model.layers[0].kernel.assign([[np.inf]])
    assert len(take_steps(model, Batches(), 5)[0]) == 0


def test_the_steepest_fall_and_the_lowest_loss_by_hand():
    # Flat, then a gentle fall from step 10, a steep one from 20 to 24, a gentle one to 30, then it rises.
    changes = np.zeros(41)
    changes[11:21], changes[21:25], changes[25:31], changes[31:] = -0.01, -0.2, -0.01, 0.3
    losses = 2 + changes.cumsum()
    steepest, lowest = suggest_rates(RATES, losses, 2)
    assert steepest == pytest.approx(RATES[22]) and lowest == pytest.approx(RATES[30])


def test_a_jump_at_one_step_is_not_a_fall():
    losses = np.concatenate([np.full(5, 2.0), [3.0], np.full(15, 2.0), np.linspace(1.9, 0.5, 20)])
    steepest, lowest = suggest_rates(RATES, smooth(losses, 2), 2)
    assert steepest > RATES[20] and lowest == RATES[40]


@pytest.mark.parametrize("losses", [np.linspace(2, 3, 41), np.full(41, 2.0), np.linspace(3, 2, 4)])
def test_a_loss_that_never_falls_suggests_nothing(losses):
    assert suggest_rates(RATES[: len(losses)], losses, 2) is None
