"""How a training tells how far it is: a bar for a person, lines for a log, a file for the launcher."""

import pathlib
import time

import keras

from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.members.notes import write_progress

SECONDS_BETWEEN_FILES = 2


class EpochProgress(keras.callbacks.Callback):
    """Shows loss, accuracy, images per second and time left, and keeps `progress.json` up to date.

    Args:
        folder: The member's folder.
        epochs: Epochs of the whole training.
        steps: Steps in a whole epoch; the first epoch of a resumed training may have fewer.
        batch_size: Images per step.
    """

    def __init__(self, folder: pathlib.Path, epochs: int, steps: int, batch_size: int):
        super().__init__()
        self._folder = folder
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size
        self._written = 0.0
        self._timed_steps = 0
        self._seconds_in_steps = 0.0
        self._bar = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._step_ended = None
        self._skipped = self._steps - self.params["steps"]

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._last_step = self._skipped - 1
        self._began = time.monotonic()
        self._bar = ProgressBar(f"epoch {epoch + 1}/{self._epochs}", "steps", self._steps, time_left=False)
        self._bar.start()
        self._bar.add(self._skipped)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        now = time.monotonic()
        # Of several steps per call, Keras counts those that are missing at the end, too.
        batch = min(self._skipped + batch, self._steps - 1)
        advanced, self._last_step = batch - self._last_step, batch
        # The first call is the one that compiles: it says nothing about the others.
        if self._step_ended is not None:
            self._seconds_in_steps += now - self._step_ended
            self._timed_steps += advanced
        self._step_ended = now
        facts = f"loss {logs['loss']:.3f}  accuracy {logs['accuracy']:.1%}  {self._describe_speed()}"
        self._bar.add(advanced, facts)
        if time.time() - self._written >= SECONDS_BETWEEN_FILES:
            self._write(self._epoch + (batch + 1) / self._steps)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        held_out = f"  held out: {logs['val_accuracy']:.1%}" if logs.get("val_accuracy") is not None else ""
        line = (
            f"epoch {epoch + 1}/{self._epochs}  loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.1%}"
            f"{held_out}  {self._describe_speed()}"
        )
        self.stop()
        print(line, flush=True)
        self._step_ended = time.monotonic()  # looking at the held-out fold is not training
        self._write(epoch + 1)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar off the screen."""
        if self._bar:
            self._bar.stop()

    @property
    def images_per_second(self) -> float | None:
        """Images per second of training steps, without compiling and validation; None before two steps."""
        if not self._seconds_in_steps:
            return None
        return self._timed_steps * self._batch_size / self._seconds_in_steps

    def _seconds_left(self, epochs_done):
        speed = self.images_per_second
        images = (self._epochs - epochs_done) * self._steps * self._batch_size
        return images / speed if speed else None

    def _describe_speed(self):
        speed = self.images_per_second
        if not speed:
            return ""
        left = self._seconds_left(self._epoch + (self._last_step + 1) / self._steps)
        minutes, seconds = divmod(round(left), 60)
        return f"{speed:,.0f} images/s  {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"

    def _write(self, epochs_done):
        self._written = time.time()
        progress = {
            "epoch": epochs_done,
            "epochs": self._epochs,
            "images_per_second": self.images_per_second,
            "seconds_left": self._seconds_left(epochs_done),
        }
        write_progress(self._folder, progress)
