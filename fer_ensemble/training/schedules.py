"""How the learning rate changes from step to step, and in the one-cycle schedule the momentum with it."""

import math

import keras
from keras import ops

from fer_ensemble.training.settings import TrainingSettings, parse_milestones


def build_schedule(settings: TrainingSettings, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Builds the schedule that the settings name.

    Args:
        settings: `TrainingSettings`.
        steps: Steps of the whole training.

    Returns:
        `keras.optimizers.schedules.LearningRateSchedule`, a function of the number of steps done before.
    """
    peak, warmup_steps = settings.learning_rate, min(round(settings.warmup * steps), steps - 1)
    if settings.schedule == "onecycle":
        return OneCycle(peak, warmup_steps, steps)
    if settings.schedule == "step":
        drops = [round(share * steps) for share in parse_milestones(settings.milestones)]
        return Steps(peak, warmup_steps, drops, settings.decay_factor)
    if settings.schedule == "plateau":
        return Plateau(peak, warmup_steps, settings.patience, settings.decay_factor)
    return keras.optimizers.schedules.CosineDecay(  # which wants a step after the warm-up
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=steps - warmup_steps,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """The rate rises from 1/25 of its peak, then falls to 1/250,000 of it; the momentum falls, then rises.

    Args:
        peak: The highest learning rate.
        rising_steps: Steps before it is reached; 0 to begin with it.
        steps: Steps of the whole training. The last has the lowest rate.

    Source:
        Smith & Topin (2017), https://arxiv.org/abs/1708.07120, and Smith (2018), https://arxiv.org/abs/1803.09820,
        for the momentum. Departures, all of them those of fastai and of PyTorch's `OneCycleLR`: cosines, not
        straight lines; one fall to the end, instead of one to the start and a short one below it; 1/25 and
        1/250,000 of the peak at the ends. A rise over 0.3 of the training is usual there.
    """

    lowest_start, lowest_end = 1 / 25, 1 / 25e4  # shares of the peak
    highest_momentum, lowest_momentum = 0.95, 0.85

    def __init__(self, peak: float, rising_steps: int, steps: int):
        self._peak = peak
        self._rising = rising_steps
        self._falling = max(steps - 1 - rising_steps, 1)

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate after that number of steps."""
        rising, height = self._locate(step)
        lowest = self._peak * ops.where(rising, self.lowest_start, self.lowest_end)
        return lowest + (self._peak - lowest) * height

    def momentum(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the momentum after that number of steps."""
        return self.highest_momentum - (self.highest_momentum - self.lowest_momentum) * self._locate(step)[1]

    def _locate(self, step):
        # Whether the rate rises, and how high it is: 0 at the ends, 1 at the peak.
        step = ops.cast(step, "float32")
        before = (self._rising - step) / max(self._rising, 1)
        after = ops.minimum((step - self._rising) / self._falling, 1.0)
        rising = step < self._rising
        return rising, (1 + ops.cos(math.pi * ops.where(rising, before, after))) / 2


class Steps(keras.optimizers.schedules.LearningRateSchedule):
    """A warm-up from 0, then a constant rate, which is multiplied by a factor at each of some steps.

    Args:
        peak: Learning rate after the warm-up.
        warmup_steps: Steps before it is reached, along a straight line.
        drops: List of the numbers of steps after which the rate drops.
        factor: What the rate is multiplied by.
    """

    def __init__(self, peak: float, warmup_steps: int, drops: list[int], factor: float):
        self._peak = peak
        self._warmup_steps = warmup_steps
        self._drops = drops
        self._factor = factor

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate after that number of steps."""
        step = ops.cast(step, "float32")
        rate = self._peak * (ops.minimum(step / self._warmup_steps, 1.0) if self._warmup_steps else 1.0)
        for drop in self._drops:
            rate = rate * ops.where(step < drop, 1.0, self._factor)
        return ops.convert_to_tensor(rate, "float32")


class Plateau(Steps):
    """A warm-up from 0, then a rate that is multiplied by a factor whenever the held-out loss stops falling.

    The images that steer the training are then not quite unseen: their score flatters it, if only a little.

    Args:
        peak: Learning rate after the warm-up.
        warmup_steps: Steps before it is reached, along a straight line.
        patience: Looks without a new lowest loss after which the rate drops.
        factor: What the rate is multiplied by.
    """

    def __init__(self, peak: float, warmup_steps: int, patience: int, factor: float):
        super().__init__(peak, warmup_steps, [], factor)
        self._patience = patience
        self._scale = None

    def add_variable(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Keeps what the rate is multiplied by among the optimiser's variables, which are saved and given back."""
        self._scale = optimizer.add_variable(shape=(), initializer="ones", name="plateau_scale")

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate after that number of steps."""
        return super().__call__(step) * ops.convert_to_tensor(self._scale)

    def follow(self, losses: list[float]) -> None:
        """Sets the rate by all held-out losses so far: nothing else is remembered."""
        self._scale.assign(self._factor ** count_plateaus(losses, self._patience))


def count_plateaus(losses: list[float], patience: int) -> int:
    """Counts how often a loss stopped falling: a plateau is as many values in a row without a new lowest one.

    As `keras.callbacks.ReduceLROnPlateau` does it, with a `min_delta` of 0 and no cooldown.

    Args:
        losses: List of floats.
        patience: Length of a plateau, 1 or more. A longer one counts again each time it grows by that much.

    Example:

    >>> count_plateaus([1.0, 0.8, 0.9, 0.8, 0.7, 0.7, 0.7], patience=2)  # 0.9 and 0.8; 0.7 and 0.7
    2
    """
    lowest, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < lowest else waited + 1
        lowest = min(loss, lowest)
        if waited == patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus


class Exponential(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that grows by the same factor at each step.

    Args:
        first: Learning rate of the first step.
        last: That of the last.
        steps: How many there are, 2 or more.
    """

    def __init__(self, first: float, last: float, steps: int):
        self._first = first
        self._growth = math.log(last / first) / (steps - 1)

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate after that number of steps."""
        return self._first * ops.exp(self._growth * ops.cast(step, "float32"))
