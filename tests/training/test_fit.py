import contextlib
import csv
import io
import signal

import keras
import numpy as np
import pytest

from fer_ensemble.base import stop_signals
from fer_ensemble.data.dataset import TRAINING, UNLABELLED
from fer_ensemble.members import directory
from fer_ensemble.models import build_model
from fer_ensemble.models.layers import FusedBatchNormalization
from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.checkpoint import Checkpoint
from fer_ensemble.training.fit import TrainingData, fit_model
from fer_ensemble.training.history import HISTORY_COLUMNS, format_history
from fer_ensemble.training.optimizers import build_optimizer
from fer_ensemble.training.schedules import count_plateaus
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.state import read_notes

PLAIN = {"shift": 0.0, "rotation": 0.0, "zoom": 0.0, "flip": False, "brightness": 0.0, "contrast": 0.0}
TINY = {
    "width": 4, "input_size": 16, "batch_size": 12, "precision": "float32",
    "optimizer": "sgd", "learning_rate": 0.05, "warmup": 0.1, "clip_norm": 0.0, "ema": 0.0, "validate_every": 1,
}  # fmt: skip


@pytest.fixture
def fit(tiny_dataset, tmp_path):
    labelled = np.flatnonzero((tiny_dataset.usage == TRAINING) & (tiny_dataset.labels != UNLABELLED))
    images, labels = tiny_dataset.images[labelled], tiny_dataset.labels[labelled].astype(int)
    held_out = np.arange(len(labels)) % 4 == 0  # 12 of 48

    def fit(seed=0, folder=tmp_path, tensorboard=False, **changes):
        settings = TrainingSettings(**{**TINY, **changes})
        targets = np.eye(3)[labels[~held_out]]
        data = TrainingData(images[~held_out], targets, images[held_out], labels[held_out])
        return fit_model(data, settings, seed, Checkpoint(folder, {"whose": "mine"}), tensorboard)

    return fit


@contextlib.contextmanager
def stopped_within(epoch, monkeypatch):
    """Expects a training that is stopped by a signal in the middle of an epoch, counted from 0."""
    get_batch, request = TrainingBatches.__getitem__, stop_signals._Request
    monkeypatch.setattr(request, "number", None)  # and so it will be afterwards, whatever happens

    def get_batch_and_be_stopped(batches, index):
        if batches.epoch == epoch and index == 1:
            request.number = request.number or signal.SIGTERM  # as a signal would
        return get_batch(batches, index)

    with monkeypatch.context() as patch, pytest.raises(stop_signals.Stopped):
        patch.setattr(TrainingBatches, "__getitem__", get_batch_and_be_stopped)
        yield
    request.number = None


def test_the_loss_falls(fit):
    changes = {**PLAIN, "dropout": 0.0, "label_smoothing": 0.0, "validate_every": 0}
    _, history = fit(epochs=12, learning_rate=0.05, **changes)
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.7 > history[0]["accuracy"]


def test_every_augmentation_together_trains(fit):
    light = {"brightness": 0.2, "contrast": 0.2, "degradation": 0.5}
    model, history = fit(epochs=1, erasing=0.5, mixup=0.3, cutmix=1.0, clip_norm=1.0, **light)
    assert np.isfinite(history[0]["loss"]) and np.isfinite(model.get_weights()[0]).all()


def test_the_model_is_plain_float32_keras_from_pixels_to_probabilities(fit):
    model, _ = fit(epochs=1, precision="mixed_bfloat16", validate_every=0)
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in model.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    faces = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1))
    np.testing.assert_allclose(model.predict(faces, verbose=0).sum(axis=1), 1, atol=1e-6)
    assert keras.config.dtype_policy().name == "float32"  # and nothing lingers for the next network


def test_the_history_has_a_row_for_each_epoch(fit, tmp_path):
    _, history = fit(epochs=5, validate_every=2, learning_rate=0.1, warmup=0.2, seed=3)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert all(tuple(row) == HISTORY_COLUMNS for row in history)
    # Every second epoch and the last.
    assert [row["val_loss"] is not None for row in history] == [False, True, False, True, True]
    assert [row["val_accuracy"] is not None for row in history] == [False, True, False, True, True]
    # 3 steps an epoch: the rate at the end of each.
    schedule = build_optimizer(TrainingSettings(epochs=5, learning_rate=0.1, warmup=0.2), 3)._learning_rate
    rates = [float(schedule(3 * epoch)) for epoch in range(1, 6)]
    np.testing.assert_allclose([row["learning_rate"] for row in history], rates, atol=1e-6)
    assert rates[0] == pytest.approx(0.1) and rates[-1] == pytest.approx(0, abs=1e-6)
    assert all(row["seconds"] > 0 and row["images_per_second"] > 0 for row in history)
    assert (tmp_path / "history.csv").read_text() == format_history(history)
    assert read_notes(tmp_path / "state.npz") == {"whose": "mine", "history": history}


def test_the_held_out_images_are_looked_at_once_at_the_end_if_never_before(fit):
    _, history = fit(epochs=2, validate_every=0)
    assert [row["val_loss"] is not None for row in history] == [False, True]


def test_without_held_out_images_there_is_nothing_to_look_at(tiny_dataset, tmp_path):
    images, targets = tiny_dataset.images[:24], np.eye(3)[np.maximum(tiny_dataset.labels[:24], 0)]
    data = TrainingData(images, targets, tiny_dataset.images[:0], tiny_dataset.labels[:0].astype(int))
    settings = TrainingSettings(**{**TINY, "epochs": 2, "fold": None})
    _, history = fit_model(data, settings, 0, Checkpoint(tmp_path, {}))
    assert [(row["val_loss"], row["val_accuracy"]) for row in history] == [(None, None)] * 2
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [row["val_loss"] for row in rows] == ["", ""] and all(row["loss"] for row in rows)


@pytest.mark.parametrize(
    ("schedule", "optimizer", "rates"),
    [
        # 4 epochs of 3 steps. Of 12 steps 4 rise; from step 5 to 12 the rate falls, 3 of 7, 6 of 7, all the way.
        ("onecycle", "adamw", [0.1 * (0.04 + 0.96 * (1 - np.cos(np.pi * 3 / 4)) / 2)]
         + [0.1 * (4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * part / 7)) / 2) for part in (2, 5, 7)]),
        ("plateau", "adamw", None),
    ],
)  # fmt: skip
def test_a_schedule_goes_on_in_the_middle_of_an_epoch(fit, tmp_path, monkeypatch, schedule, optimizer, rates):
    changes = {
        "epochs": 4, "schedule": schedule, "optimizer": optimizer, "learning_rate": 0.1, "patience": 1, "seed": 2,
        "warmup": 1 / 3 if schedule == "onecycle" else 0.0, "decay_factor": 0.5, "milestones": "0.5,0.75",
    }  # fmt: skip
    (tmp_path / "whole").mkdir()
    model, history = fit(folder=tmp_path / "whole", **changes)
    with stopped_within(2, monkeypatch):
        fit(**changes)
    again, same_history = fit(**changes)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    found = [row["learning_rate"] for row in same_history]
    assert found == [row["learning_rate"] for row in history]
    losses = [row["val_loss"] for row in same_history]
    if schedule == "plateau":
        rates = [0.1 * 0.5 ** count_plateaus(losses[: epoch + 1], 1) for epoch in range(4)]
        assert min(rates) < 0.1  # on TensorFlow this seed's held-out loss rises at first
    np.testing.assert_allclose(found, rates, rtol=1e-4)


def test_a_training_stopped_in_its_first_epoch_has_a_state_and_no_row_of_history(fit, tmp_path, monkeypatch):
    with stopped_within(0, monkeypatch):
        fit(epochs=2)
    assert {path.name for path in tmp_path.iterdir()} >= {"state.npz"}
    with pytest.raises(FileNotFoundError):
        directory.read_history(tmp_path)
    _, history = fit(epochs=2)
    assert [row["epoch"] for row in history] == [1, 2] == directory.read_history(tmp_path)["epoch"]


def test_a_finished_training_is_only_loaded(fit, tmp_path):
    model, history = fit(epochs=2)
    state = (tmp_path / "state.npz").read_bytes()
    again, same_history = fit(epochs=2, seed=5)
    assert same_history == history
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    assert (tmp_path / "state.npz").read_bytes() == state


def test_a_loss_that_is_not_finite_stops_the_training(fit, tmp_path):
    message = (
        r"The loss must be a finite number, but was (nan|inf) in epoch 1\. "
        r"Start afresh with --overwrite and a lower --learning_rate, or with --clip_norm=1\."
    )
    with pytest.raises(ValueError, match=message):
        fit(epochs=2, learning_rate=1e30, warmup=0.0)
    assert not (tmp_path / "history.csv").exists() and not (tmp_path / "state.npz").exists()


def test_the_moving_average_of_the_weights_is_what_is_saved(fit, tmp_path):
    changes = {"epochs": 2, "validate_every": 0}
    (tmp_path / "plain").mkdir()
    plain, _ = fit(ema=0.0, folder=tmp_path / "plain", **changes)
    model, _ = fit(ema=0.9, **changes)
    with np.load(tmp_path / "state.npz") as state:
        kernels = [state[name] for name in sorted(state.files) if state[name].shape == (3, 3, 1, 4)]
    raw, average = plain.get_weights()[0], model.get_weights()[0]
    # Averaging does not change the training itself; it is kept among the optimiser's variables.
    np.testing.assert_array_equal(kernels[0], raw)
    assert not np.allclose(average, raw, atol=1e-4)
    assert any(np.array_equal(average, kernel) for kernel in kernels[1:])


def test_averaged_weights_come_with_statistics_of_their_own(fit, tmp_path):
    """Batch normalisation of the averaged weights: by their own feature maps, not by those of the last weights."""
    model, _ = fit(ema=0.9, epochs=3, validate_every=0, **PLAIN)
    statistics = [weight for layer in model.layers for weight in layer.non_trainable_weights]
    with np.load(tmp_path / "state.npz") as state:
        raw = [state[name] for name in sorted(state.files) if state[name].shape == (4,)]
    # The first normalisation sees the pixels through the averaged first convolution.
    mean = keras.ops.convert_to_numpy(statistics[0])
    assert not any(np.array_equal(mean, values) for values in raw)
    again, _ = fit(ema=0.9, epochs=3, validate_every=0, **PLAIN)  # loaded: computed again, to the same
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_tensorboard_logs_are_written_when_asked_for(fit, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    fit(epochs=1, validate_every=0)
    assert not (tmp_path / "tensorboard").exists()
    (tmp_path / "logged").mkdir()
    fit(epochs=1, validate_every=0, folder=tmp_path / "logged", tensorboard=True)
    assert list((tmp_path / "logged" / "tensorboard").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])  # the latter inside a loss scaler
def test_while_the_backbone_is_frozen_only_the_head_learns(precision, fit):
    settings = {"precision": precision, "freeze_backbone_epochs": 1, "validate_every": 0}
    model, _ = fit(epochs=1, **settings)
    keras.utils.set_random_seed(0)
    fresh = build_model(TrainingSettings(**{**TINY, **settings}), 3)
    learnt = [
        not np.array_equal(before, after)
        for before, after in zip(fresh.trainable_variables, model.trainable_variables, strict=True)
    ]
    assert learnt == 27 * [False] + 8 * [True]  # nine convolutions; two dense layers, normalised, and the logits
    statistics = [
        layer.moving_mean for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert all(np.abs(mean).max() > 0 for mean in statistics)  # they move all the same


def test_the_pixel_statistics_are_those_of_the_images_it_trains_on(fit, tiny_dataset):
    labelled = np.flatnonzero((tiny_dataset.usage == TRAINING) & (tiny_dataset.labels != UNLABELLED))
    images = tiny_dataset.images[labelled[np.arange(len(labelled)) % 4 != 0]]
    # At 48 pixels: resizing would change the deviation.
    model, _ = fit(epochs=1, pixel_statistics="dataset", validate_every=0, input_size=48)
    seen = keras.Model(model.input, model.get_layer("pixel_statistics").output)
    values = keras.ops.convert_to_numpy(seen(images[..., None], training=False))
    assert (values.mean(), values.std()) == pytest.approx((0, 1), abs=1e-4)


def test_each_image_may_have_statistics_of_its_own():
    settings = TrainingSettings(**{**TINY, "pixel_statistics": "image", "input_size": 48})
    model = build_model(settings, 3)
    seen = keras.Model(model.input, model.get_layer("image_statistics").output)
    faces = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)) * np.reshape([0, 0.2, 1], (3, 1, 1, 1))
    found = keras.ops.convert_to_numpy(seen(faces))
    np.testing.assert_allclose(found.mean((1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std((1, 2, 3)), [0, 1, 1], atol=1e-3)  # a black one stays black
    assert not seen.weights


def test_the_history_as_text():
    row = dict(zip(HISTORY_COLUMNS, (1, 1.23456789, 0.5, None, None, 0.05, 1234.5678, 2.0), strict=True))
    text = format_history([row])
    assert text == ",".join(HISTORY_COLUMNS) + "\n1,1.23457,0.5,,,0.05,1234.57,2\n"
    assert next(csv.DictReader(io.StringIO(text)))["val_loss"] == ""
