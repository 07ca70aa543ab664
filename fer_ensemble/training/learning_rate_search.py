"""The search for a learning rate: some real training steps, each with a higher rate than the one before."""

import sys

import numpy as np

from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.data.store import load_dataset, resolve_dataset
from fer_ensemble.members.directory import fold_name
from fer_ensemble.models.device import keras
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.material import gather_material
from fer_ensemble.training.member import advise_smaller_batches, is_out_of_memory, member_seed
from fer_ensemble.training.network import TrainingNetwork
from fer_ensemble.training.optimizers import build_optimizer
from fer_ensemble.training.pretrained import find_pretrained, load_pretrained
from fer_ensemble.training.schedules import Exponential
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.splits import split_training
from fer_ensemble.training.training_options import TrainingOptions

LOWEST, HIGHEST = 1e-6, 10.0  # learning rates
RECENT_STEPS = 5  # whose mean loss tells whether it diverges
DIVERGED = 4.0  # times the lowest such mean


def run_range_test(
    settings: TrainingSettings, options: TrainingOptions, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Trains a fresh network by the settings, but with a learning rate that grows by the same factor at each step.

    Nothing of a member is read or written. The momentum is the optimiser's usual one, whatever the schedule.

    Args:
        settings: `TrainingSettings`.
        options: `TrainingOptions`; the data are used.
        steps: How many steps lead from the lowest rate to the highest.

    Returns:
        `(rates, losses)`: two float64 arrays of shape `(steps done,)`, the learning rate of each step, and the
        loss of its batch before it, in nats. They end where the loss diverges, and have finite values only.

    Raises:
        MemoryError: If the memory of the device or of the host does not suffice.

    Source:
        Smith (2015), https://arxiv.org/abs/1506.01186, section 3.3. Departures: the rate grows exponentially, and
        the loss of the training batches is looked at, both as in fastai's `lr_find`.
    """
    path = resolve_dataset(options.data, options.classes)
    dataset = load_dataset(path, options.classes)
    own = split_training(dataset, path, settings)[0]
    images, targets, _ = gather_material(settings, dataset, path, own)
    seed = member_seed(settings)
    print(
        f"{settings.run}, fold {fold_name(settings.fold)}: {steps} steps on {len(images):,} images, learning "
        f"rates {LOWEST:g} to {HIGHEST:g}",
        flush=True,
    )
    try:
        return _test_rates(images, targets, dataset.class_names, settings, seed, steps)
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(advise_smaller_batches(settings)) from error
        raise


def _test_rates(images, targets, class_names, settings, seed, steps):
    keras.utils.set_random_seed(seed)
    network = TrainingNetwork(images, len(class_names), settings)
    if settings.pretrained:
        pretrained = find_pretrained(settings)
        network.initialize(lambda model: load_pretrained(model, pretrained, settings, class_names))
    batches = TrainingBatches(targets, settings, seed)
    optimizer = build_optimizer(settings, len(batches), Exponential(LOWEST, HIGHEST, steps))
    network.compile(optimizer, steps_per_execution=1)
    return take_steps(network.training, batches, steps)


def take_steps(training: keras.Model, batches: TrainingBatches, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Takes the steps of `run_range_test`.

    Args:
        training: Compiled `keras.Model`, whose optimiser has the rising learning rate.
        batches: `TrainingBatches`.
        steps: How many to take, if the loss stays finite and does not diverge.
    """
    rates, losses, lowest = [], [], np.inf
    with ProgressBar("learning rates", "steps", steps, time_left=False) as bar:
        for step in range(steps):
            batches.epoch, index = divmod(step, len(batches))
            rate = float(keras.ops.convert_to_numpy(training.optimizer.learning_rate))
            training.reset_metrics()
            loss = float(training.train_on_batch(*batches[index], return_dict=True)["loss"])
            if not np.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            facts = f"learning rate {rate:.2e}  loss {loss:.3f}"
            bar.add(1, facts)
            if not sys.stderr.isatty() and (step + 1) % max(1, steps // 10) == 0:
                print(f"step {step + 1}/{steps}  {facts}", flush=True)
            recent = float(np.mean(losses[-RECENT_STEPS:]))
            if len(losses) >= RECENT_STEPS:
                lowest = min(lowest, recent)
            if recent > DIVERGED * lowest:
                break
    return np.array(rates), np.array(losses)


def smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Averages each value with those up to `reach` places before and after it.

    Example:

    >>> smooth(np.array([0.0, 3.0, 6.0, 0.0]), reach=1)
    array([1.5, 3. , 3. , 3. ])
    """
    return np.array([values[max(0, index - reach) : index + reach + 1].mean() for index in range(len(values))])


def suggest_rates(rates: np.ndarray, smoothed: np.ndarray, reach: int) -> tuple[float, float]:
    """Finds where the loss falls fastest, per factor of the rate, and where it is lowest.

    Args:
        rates: Float array of shape `(steps,)`, each the same factor above the one before.
        smoothed: Float array of shape `(steps,)`, the smoothed losses.
        reach: Steps before and after a rate between which the fall is measured: over single steps it is noise.

    Returns:
        `(steepest, lowest)`, two learning rates, the first not above the second; None if the loss is never lower
        than at the beginning, or is lowest before `reach` steps.
    """
    lowest = int(smoothed.argmin())
    if lowest < max(reach, 1) or len(smoothed) <= 2 * reach:
        return None
    falls = smoothed[: -2 * reach] - smoothed[2 * reach :]  # about the rates from `reach` on
    return float(rates[reach + falls[: lowest - reach + 1].argmax()]), float(rates[lowest])
