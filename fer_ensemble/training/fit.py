"""The training of one network, from its first step, or the last that was saved, to its last."""

import contextlib
import csv
import importlib.util
import io
import math
import time

import keras
import numpy as np
from keras import ops

from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.device import choose_precision, compile_options
from fer_ensemble.models.layers import set_pixel_statistics
from fer_ensemble.training.augmentation import AugmentedImages
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.draws import draw_batch
from fer_ensemble.training.epoch_progress import Progress
from fer_ensemble.training.optimizers import averaged_weights, build_optimizer
from fer_ensemble.training.schedules import Plateau, build_schedule
from fer_ensemble.training.state import describe_position, load_state, read_notes, save_state

HISTORY_COLUMNS = (
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second", "seconds",
)  # fmt: skip


@stop_signals.deferred()
def fit_model(images, targets, held_out, settings, seed, folder, identity, tensorboard=False, initialize=None):
    """Trains a network and returns the model to save.

    Args:
        images: uint8, shape `(images, 48, 48)`: what it trains on.
        targets: Float array of shape `(images, classes)`, each row summing to 1: what it is to say of them.
        held_out: Tuple of images, as above, and labels, int, shape `(images,)`: looked at but not trained on.
            There may be none.
        settings: `TrainingSettings`.
        seed: Seed of this member, an int.
        folder: The member's folder, for its state, history and progress.
        identity: JSON value, saved with the state, from which a later process sees whose state it is.
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
    loggers = [_tensorboard(folder)] if tensorboard else []
    keras.utils.set_random_seed(seed)
    classes = targets.shape[1]
    core, training = build_training_model(images, classes, settings)
    plain = build_plain_model(classes, settings)
    saved = read_notes(folder / directory.STATE)
    if initialize and not saved:
        initialize_model(core, plain, initialize)
    batches = TrainingBatches(targets, settings, seed)
    schedule = build_schedule(settings, settings.epochs * len(batches))
    optimizer = build_optimizer(settings, len(batches), schedule)
    compile_training(training, core, optimizer)
    variables = core.variables + training.optimizer.variables
    history = saved["history"] if saved else []
    if saved:
        load_state(folder / directory.STATE, variables)
        print(f"going on after {describe_position(saved, settings.epochs)}", flush=True)

    def update_plain_model():
        plain.set_weights(core.get_weights())
        for variable, value in zip(
            plain.trainable_variables, averaged_weights(training.optimizer, core.trainable_variables), strict=True
        ):
            variable.assign(ops.copy(value))  # JAX would share the array, and predicting gives it away
        return plain

    batch_size = min(settings.batch_size, len(targets))
    progress = Progress(folder, settings.epochs, batches.steps, batch_size)

    def look_at_held_out():
        held_out_images, held_out_labels = held_out
        return _score(predict_probabilities(update_plain_model(), held_out_images), held_out_labels)

    def save(**position):
        save_state(folder / directory.STATE, variables, {**identity, "history": history, **position})
        write_text(folder / directory.HISTORY, format_history(history))

    look = look_at_held_out if len(held_out[1]) else None
    recorder = _Recorder(batches, history, settings, schedule, progress, look, save)

    def fit_until(epoch):
        try:
            training.fit(
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
        load_state(folder / directory.STATE, variables)

    stop_signals.check()
    if saved and saved.get("step"):
        recorder.set_model(training)
        recorder.finish_interrupted_epoch(saved, fit_until)
    if len(history) < settings.epochs:
        fit_until(settings.epochs)
    return update_plain_model(), history


def build_training_model(images, classes, settings):
    """Returns the network that is saved, nothing random in front of it, and one from positions and draws on."""
    with _dtype_policy(choose_precision(settings.precision)):
        core = build_model(settings, classes, fast=True)
    if settings.pixel_statistics == "dataset":
        set_pixel_statistics(core, images.mean(dtype=np.float64), images.std(dtype=np.float64))
    draws = draw_batch(np.random.default_rng(0), 1, settings)
    inputs = {name: keras.Input(values.shape[1:], name=name) for name, values in draws.items()}
    inputs["positions"] = keras.Input((), dtype="int32", name="positions")
    return core, keras.Model(inputs, core(AugmentedImages(images)(inputs)))


def compile_training(training, core, optimizer, **options):
    """Compiles what `build_training_model` returned; `options` go before those that suit the device."""
    training.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        **{**compile_options(training=True), **options},
    )
    training.optimizer.build(core.trainable_variables)


def initialize_model(core, plain, initialize):
    """Gives `core` the weights that `initialize` gives `plain`, its plain twin."""
    plain.set_weights(core.get_weights())
    initialize(plain)
    core.set_weights(plain.get_weights())


def build_plain_model(classes, settings):
    """Returns the twin of what is trained that is saved: float32, layers of Keras only, probabilities."""
    with _dtype_policy("float32"):
        return add_softmax(build_model(settings, classes))


def _tensorboard(folder):
    if not all(importlib.util.find_spec(package) for package in ("tensorflow", "tensorboard")):
        raise MissingPackageError(
            "--tensorboard takes the packages tensorflow and tensorboard, whatever the backend. "
            "Install them, or leave it out: history.csv has the same curves."
        )
    return keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)


@contextlib.contextmanager
def _dtype_policy(name):
    """Sets Keras's dtype policy for the layers that are made within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _Recorder(keras.callbacks.Callback):
    """After each epoch looks at the held-out images, and saves the history and all that the next step needs.

    After a stop signal it saves what it can go on from at once: in the middle of an epoch the number of steps done
    and the sums that the epoch's loss and accuracy are made of; while it looks at the held-out images, what the
    epoch itself came to.
    """

    def __init__(self, batches, history, settings, schedule, progress, look_at_held_out, save):
        super().__init__()
        self._batches = batches
        self._history = history
        self._settings = settings
        self._schedule = schedule
        self._progress = progress
        self._look_at_held_out = look_at_held_out
        self._save = save
        self._seconds_before = 0.0
        self._sums = []

    def finish_interrupted_epoch(self, notes, fit_until):
        """Does what is left of the epoch whose state was saved, with `notes`, at a signal."""
        epoch = len(self._history)
        self._seconds_before = notes["seconds"]
        if "logs" in notes:  # only the look at the held-out images is left
            self._began = time.monotonic()
            self.on_epoch_end(epoch, notes["logs"])
            self._progress.on_epoch_end(epoch, notes["logs"])
            return
        self._batches.first_step, self._sums = notes["step"], notes["sums"]
        fit_until(epoch + 1)
        self._batches.first_step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._batches.epoch = epoch
        self._began = time.monotonic()
        if self._sums:
            targets = ops.convert_to_tensor(self._batches[0][1])
            self.model.compute_metrics(None, targets, targets)  # Keras makes the variables at the first use
            for variable, value in zip(self.model.metrics_variables, self._sums, strict=True):
                variable.assign(value)
            self._sums = []

    def on_train_batch_end(self, batch, logs=None):
        step = self._batches.first_step + batch + 1  # the last of the call: a GPU is given several
        if stop_signals.received() and step < self._batches.steps:  # else it is for `on_epoch_end`
            # On JAX, asking for `self.model` is what gives the variables their present values.
            sums = [float(ops.convert_to_numpy(variable)) for variable in self.model.metrics_variables]
            self._save(step=step, sums=sums, seconds=self._seconds())
            stop_signals.check()

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"The loss must be a finite number, but was {logs['loss']} in epoch {epoch + 1}. "
                "Start afresh with --overwrite and a lower --learning_rate, or with --clip_norm=1."
            )
        every, last = self._settings.validate_every, epoch + 1 == self._settings.epochs
        if self._look_at_held_out and (last or (every and (epoch + 1) % every == 0)):
            try:
                logs["val_loss"], logs["val_accuracy"] = self._look_at_held_out()
            except stop_signals.Stopped:
                self._save(step=self._batches.steps, logs=logs, seconds=self._seconds())
                raise
            if isinstance(self._schedule, Plateau):
                losses = [row["val_loss"] for row in self._history if row["val_loss"] is not None]
                self._schedule.follow([*losses, logs["val_loss"]])
        facts = {
            **logs,
            "epoch": epoch + 1,
            "learning_rate": float(ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "images_per_second": self._progress.images_per_second,
            "seconds": self._seconds(),
        }
        self._history.append({name: facts.get(name) for name in HISTORY_COLUMNS})
        self._seconds_before = 0.0
        self._save()
        stop_signals.check()

    def _seconds(self):
        return self._seconds_before + time.monotonic() - self._began


def _score(probabilities, labels):
    correct = probabilities.argmax(axis=1) == labels
    true_class = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)
    return float(-np.log(true_class).mean()), float(correct.mean())


def format_history(history):
    """Returns the history as CSV text; what was not measured stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    for row in history:
        values = [row[name] for name in HISTORY_COLUMNS]
        writer.writerow(
            ["" if value is None else f"{value:.6g}" if isinstance(value, float) else value for value in values]
        )
    return text.getvalue()
