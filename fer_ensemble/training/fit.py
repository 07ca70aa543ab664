"""The training of one network, from its first step, or the last that was saved, to its last."""

import dataclasses
import importlib.util
from collections.abc import Callable

import keras
import numpy as np

from fer_ensemble.base import stop_signals
from fer_ensemble.base.errors import MissingPackageError
from fer_ensemble.base.memory import keep_freed_memory
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.scoring.metrics import loss_and_accuracy
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.checkpoint import Checkpoint
from fer_ensemble.training.epoch_progress import EpochProgress
from fer_ensemble.training.epoch_recorder import EpochRecorder
from fer_ensemble.training.network import TrainingNetwork
from fer_ensemble.training.optimizers import build_optimizer
from fer_ensemble.training.schedules import Plateau, build_schedule
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.state import describe_position


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What a network is trained on, and what is only looked at.

    Attributes:
        images: uint8, shape `(images, 48, 48)`.
        targets: Float, shape `(images, classes)`, each row summing to 1: what it is to say of them.
        held_out_images: As `images`; there may be none.
        held_out_labels: int, shape `(held-out images,)`.
    """

    images: np.ndarray
    targets: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray


@stop_signals.deferred()
def fit_model(
    data: TrainingData,
    settings: TrainingSettings,
    seed: int,
    checkpoint: Checkpoint,
    tensorboard: bool = False,
    initialize: Callable[[keras.Model], None] | None = None,
) -> tuple[keras.Model, list[dict]]:
    """Trains a network and returns the model to save.

    Args:
        data: The images.
        settings: How it is trained.
        seed: Seed of this member.
        checkpoint: Where its state is kept, and what it goes on from.
        tensorboard: Whether to write TensorBoard logs.
        initialize: Function that gives a plain float32 model the weights to start from; None for random ones. Not
            called where a saved state is.

    Returns:
        The model, from grey values to probabilities, of standard Keras layers in float32 only; and the history, a
        list of dictionaries with the keys of `HISTORY_COLUMNS`.

    Raises:
        UserError: If the loss stops being a finite number, or the saved state is damaged.
        MissingPackageError: If TensorBoard logs are asked for, and a package that they take is missing.
        Stopped: After a stop signal; the state of the step that it came in is saved.
    """
    loggers = [_tensorboard(checkpoint.folder)] if tensorboard else []
    keep_freed_memory()
    keras.utils.set_random_seed(seed)
    network = TrainingNetwork(data.images, data.targets.shape[1], settings)
    saved, history = checkpoint.notes, checkpoint.history
    if initialize and not saved:
        network.initialize(initialize)
    batches = TrainingBatches(data.targets, settings, seed)
    schedule = build_schedule(settings, settings.epochs * len(batches))
    network.compile(build_optimizer(settings, len(batches), schedule))
    checkpoint.variables = network.variables
    if saved:
        checkpoint.restore()
        print(f"going on after {describe_position(saved, settings.epochs)}", flush=True)
    progress = EpochProgress(checkpoint.folder, settings.epochs, batches.steps, batches.batch_size)
    validation = Validation(network, batches, data, settings, schedule)
    recorder = EpochRecorder(batches, checkpoint, progress, lambda epoch: validation.run(epoch, history))

    def fit_until(epoch):
        try:
            network.training.fit(
                batches.for_fit(),
                epochs=epoch,
                initial_epoch=len(history),
                shuffle=False,
                verbose=0,
                callbacks=[recorder, progress, *loggers],
            )
        finally:
            progress.stop()
        # Keras ends by overwriting the weights with their averages; the saved state has both.
        checkpoint.restore()

    stop_signals.check()
    if saved and saved.get("step"):
        recorder.set_model(network.training)
        recorder.finish_interrupted_epoch(saved, fit_until)
    if len(history) < settings.epochs:
        fit_until(settings.epochs)
    return network.update_plain(batches), history


class Validation:
    """Looks at the held-out images after the epochs that the settings name, and tells a plateau's schedule."""

    def __init__(
        self,
        network: TrainingNetwork,
        batches: TrainingBatches,
        data: TrainingData,
        settings: TrainingSettings,
        schedule: object,
    ):
        self._network = network
        self._batches = batches
        self._data = data
        self._settings = settings
        self._schedule = schedule

    def run(self, epoch: int, history: list[dict]) -> tuple[float, float] | None:
        """Returns the loss, in nats, and the accuracy after an epoch, counted from 1; None where it is not due."""
        every, last = self._settings.validate_every, epoch == self._settings.epochs
        if not len(self._data.held_out_labels) or not (last or (every and epoch % every == 0)):
            return None
        model = self._network.update_plain(self._batches)
        found = loss_and_accuracy(
            predict_probabilities(model, self._data.held_out_images), self._data.held_out_labels
        )
        if isinstance(self._schedule, Plateau):
            losses = [row["val_loss"] for row in history if row["val_loss"] is not None]
            self._schedule.follow([*losses, found[0]])
        return found


def _tensorboard(folder):
    if not all(importlib.util.find_spec(package) for package in ("tensorflow", "tensorboard")):
        raise MissingPackageError(
            "--tensorboard takes the packages tensorflow and tensorboard, whatever the backend. "
            "Install them, or leave it out: history.csv has the same curves."
        )
    return keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
