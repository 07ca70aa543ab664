import math

import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.training.optimizers import build_optimizer
from fer_ensemble.training.schedules import Exponential, build_schedule, count_plateaus
from fer_ensemble.training.settings import TrainingSettings


def rates(steps, numbers, **settings):
    schedule = build_schedule(TrainingSettings(learning_rate=0.4, **settings), steps)
    return [float(ops.convert_to_numpy(schedule(number))) for number in numbers]


def test_one_cycle_rises_and_falls_as_cosines_by_hand():
    # 101 steps, 30 of them rising: from 0.4 / 25 to 0.4, and to 0.4 / 250,000 at step 100, the last.
    settings = {"schedule": "onecycle", "warmup": 0.3}
    expected = {
        0: 0.016,
        10: 0.016 + 0.384 / 4,  # a third of the way: (1 - cos 60 degrees) / 2
        15: 0.208,
        30: 0.4,
        65: (0.4 + 1.6e-6) / 2,
        100: 1.6e-6,
        101: 1.6e-6,
    }
    assert rates(101, expected, **settings) == pytest.approx(list(expected.values()), rel=1e-4)


def test_the_momentum_of_one_cycle_is_low_where_the_rate_is_high():
    schedule = build_schedule(TrainingSettings(schedule="onecycle", warmup=0.3), 101)
    momenta = [float(ops.convert_to_numpy(schedule.momentum(number))) for number in (0, 10, 30, 65, 100)]
    assert momenta == pytest.approx([0.95, 0.925, 0.85, 0.9, 0.95], abs=1e-6)


def test_one_cycle_without_a_rise_begins_at_its_peak():
    assert rates(11, (0, 5, 10), schedule="onecycle", warmup=0.0) == pytest.approx([0.4, 0.2, 1.6e-6], rel=1e-4)
    assert rates(1, (0,), schedule="onecycle", warmup=0.9) == pytest.approx([0.4])


def test_the_rate_drops_by_its_factor_just_after_each_milestone():
    settings = {"schedule": "step", "warmup": 0.1, "milestones": "0.5,0.8", "decay_factor": 0.25}
    numbers = (0, 5, 10, 49, 50, 79, 80, 99)
    assert rates(100, numbers, **settings) == pytest.approx([0, 0.2, 0.4, 0.4, 0.1, 0.1, 0.025, 0.025], rel=1e-6)


def test_without_a_warm_up_steps_begin_at_the_peak():
    assert rates(4, range(4), schedule="step", warmup=0.0, milestones="0.5") == pytest.approx(
        [0.4, 0.4, 0.04, 0.04]
    )


@pytest.mark.parametrize("warmup_steps", [0, 20])
def test_the_cosine_is_that_of_keras(warmup_steps):
    expected = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else 0.4,
        decay_steps=100 - warmup_steps,
        warmup_target=0.4 if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    found = rates(100, range(101), warmup=warmup_steps / 100)
    assert found == [float(ops.convert_to_numpy(expected(number))) for number in range(101)]


@pytest.mark.parametrize(
    ("losses", "patience", "plateaus"),
    [
        ([], 1, 0),
        ([3.0, 2.0, 1.0], 1, 0),
        ([1.0, 1.0], 1, 1),  # as low is not lower
        ([1.0, 1.1, 0.9, 1.0, 0.95, 0.9], 2, 1),  # a new lowest begins the wait anew
        ([1.0, 2.0, 2.0, 2.0, 2.0], 2, 2),
        ([1.0, math.nan, math.nan, 0.5], 2, 1),
    ],
)
def test_plateaus_are_counted(losses, patience, plateaus):
    assert count_plateaus(losses, patience) == plateaus


def test_a_plateau_drops_the_rate_that_the_optimiser_takes_and_saves():
    schedule = build_schedule(settings := TrainingSettings(schedule="plateau", learning_rate=0.4, patience=2), 100)
    optimizer = build_optimizer(settings, 10, schedule)
    optimizer.build([keras.Variable(np.ones(3))])
    optimizer.iterations.assign(50)
    schedule.follow([1.0, 0.9])
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == pytest.approx(0.4)
    schedule.follow([1.0, 0.9, 0.9, 0.9])
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == pytest.approx(0.04)
    assert [float(ops.convert_to_numpy(v)) for v in optimizer.variables if "plateau_scale" in v.path] == [
        pytest.approx(0.1)
    ]
    optimizer.iterations.assign(5)  # the warm-up of 10 steps
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == pytest.approx(0.02)


def test_an_exponential_goes_from_its_first_to_its_last_rate():
    schedule = Exponential(1e-6, 10.0, 8)
    found = [float(ops.convert_to_numpy(schedule(number))) for number in range(8)]
    assert found == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10], rel=1e-5)
