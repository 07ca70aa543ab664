"""What happens at the end of an epoch, and at a stop signal within it."""

import math
import time
from collections.abc import Callable

import keras
from keras import ops

from fer_ensemble.base import stop_signals
from fer_ensemble.base.errors import UserError
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.checkpoint import Checkpoint
from fer_ensemble.training.epoch_progress import EpochProgress
from fer_ensemble.training.history import HISTORY_COLUMNS


class EpochRecorder(keras.callbacks.Callback):
    """After each epoch validates, and saves the history and all that the next step needs.

    After a stop signal it saves what the training can go on from at once: in the middle of an epoch the number of
    steps done and the sums that the epoch's loss and accuracy are made of; during validation what the epoch itself
    came to.

    Args:
        batches: The epoch's batches.
        checkpoint: Where the history and the state are kept.
        progress: Knows the images per second.
        validate: Function of the number of the epoch, from 1; returns the loss and the accuracy of the held-out
            images, or None where they are not looked at.
    """

    def __init__(
        self,
        batches: TrainingBatches,
        checkpoint: Checkpoint,
        progress: EpochProgress,
        validate: Callable[[int], tuple[float, float] | None],
    ):
        super().__init__()
        self._batches = batches
        self._checkpoint = checkpoint
        self._progress = progress
        self._validate = validate
        self._seconds_before = 0.0
        self._sums = []

    def finish_interrupted_epoch(self, notes: dict, fit_until: Callable[[int], None]) -> None:
        """Does what is left of the epoch whose state was saved, with `notes`, at a signal."""
        epoch = len(self._checkpoint.history)
        self._seconds_before = notes["seconds"]
        if "logs" in notes:  # only the validation is left
            self._began = time.monotonic()
            self.on_epoch_end(epoch, notes["logs"])
            self._progress.on_epoch_end(epoch, notes["logs"])
            return
        self._batches.first_step, self._sums = notes["step"], notes["sums"]
        fit_until(epoch + 1)
        self._batches.first_step = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._batches.epoch = epoch
        self._began = time.monotonic()
        if self._sums:
            targets = ops.convert_to_tensor(self._batches[0][1])
            self.model.compute_metrics(None, targets, targets)  # Keras makes the variables at the first use
            for variable, value in zip(self.model.metrics_variables, self._sums, strict=True):
                variable.assign(value)
            self._sums = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self._batches.first_step + batch + 1  # the last of the call: a GPU is given several
        if stop_signals.received() and step < self._batches.steps:  # else it is for `on_epoch_end`
            # On JAX, asking for `self.model` is what gives the variables their present values.
            sums = [float(ops.convert_to_numpy(variable)) for variable in self.model.metrics_variables]
            self._checkpoint.save(step=step, sums=sums, seconds=self._seconds())
            stop_signals.check()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"The loss must be a finite number, but was {logs['loss']} in epoch {epoch + 1}. "
                "Start afresh with --overwrite and a lower --learning_rate, or with --clip_norm=1."
            )
        try:
            validated = self._validate(epoch + 1)
        except stop_signals.Stopped:
            self._checkpoint.save(step=self._batches.steps, logs=logs, seconds=self._seconds())
            raise
        if validated:
            logs["val_loss"], logs["val_accuracy"] = validated
        facts = {
            **logs,
            "epoch": epoch + 1,
            "learning_rate": float(ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "images_per_second": self._progress.images_per_second,
            "seconds": self._seconds(),
        }
        self._checkpoint.history.append({name: facts.get(name) for name in HISTORY_COLUMNS})
        self._seconds_before = 0.0
        self._checkpoint.save()
        stop_signals.check()

    def _seconds(self):
        return self._seconds_before + time.monotonic() - self._began
