import keras
import numpy as np
import pytest

from fer_ensemble.training.batches import TrainingBatches
from fer_ensemble.training.checkpoint import Checkpoint
from fer_ensemble.training.epoch_progress import EpochProgress
from fer_ensemble.training.epoch_recorder import EpochRecorder
from fer_ensemble.training.settings import TrainingSettings

PLAIN = {"label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0}
LABELS = np.arange(22) % 5


def make(seed=0, labels=LABELS, batch_size=4, epoch=0, **changes):
    settings = TrainingSettings(batch_size=batch_size, **{**PLAIN, **changes})
    batches = TrainingBatches(np.eye(5)[labels], settings, seed)
    batches.epoch = epoch
    return batches


def positions(batches, epoch):
    batches.epoch = epoch
    return np.stack([batches[step][0]["positions"] for step in range(len(batches))])


def assert_same(one, other):
    (inputs, targets), (other_inputs, other_targets) = one, other
    assert inputs.keys() == other_inputs.keys()
    assert all(np.array_equal(inputs[name], other_inputs[name]) for name in inputs)
    np.testing.assert_array_equal(targets, other_targets)


def test_each_image_comes_at_most_once_an_epoch():
    seen = positions(make(), 0)
    assert seen.shape == (5, 4) and seen.dtype == np.int32
    assert len(np.unique(seen)) == 20 and seen.min() >= 0 and seen.max() < 22


def test_each_epoch_is_shuffled_anew_and_leaves_others_out():
    batches = make()
    epochs = [positions(batches, epoch) for epoch in range(12)]
    assert len({tuple(order.ravel()) for order in epochs}) == 12
    left_out = {tuple(sorted(set(range(22)) - set(order.ravel()))) for order in epochs}
    assert len(left_out) > 8
    assert set(np.concatenate(epochs).ravel()) == set(range(22))


def test_fewer_images_than_a_batch_make_one_batch():
    batches = make(labels=LABELS[:3], batch_size=16)
    assert len(batches) == 1
    assert sorted(batches[0][0]["positions"]) == [0, 1, 2]


def test_a_batch_is_a_function_of_seed_epoch_and_step_alone():
    changes = {"mixup": 0.4, "erasing": 0.5, "brightness": 0.1}
    batches = make(seed=3, **changes)
    for epoch in (0, 4, 1):  # whatever was asked for before
        batches.epoch = epoch
        for step in (4, 0, 2):
            assert_same(batches[step], make(seed=3, epoch=epoch, **changes)[step])


def test_seed_epoch_and_step_each_change_the_draws():
    draws = [
        make(seed=seed, epoch=epoch)[step][0]["transform"]
        for seed, epoch, step in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1))
    ]
    assert len({values.tobytes() for values in draws}) == len(draws)


def test_targets_are_the_labels_of_the_images():
    inputs, targets = make()[2]
    np.testing.assert_array_equal(targets, np.eye(5)[LABELS[inputs["positions"]]])
    assert targets.dtype == np.float32


def test_label_smoothing_spreads_a_share_over_all_classes():
    # 0.9 + 0.1 / 5 for the label, 0.1 / 5 for the others.
    inputs, targets = make(label_smoothing=0.1)[0]
    expected = np.where(np.eye(5)[LABELS[inputs["positions"]]] == 1, 0.92, 0.02)
    np.testing.assert_allclose(targets, expected, atol=1e-6)


@pytest.mark.parametrize("changes", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 0.5}])
def test_targets_are_mixed_as_the_images_are(changes):
    inputs, targets = make(**changes)[1]
    labels = LABELS[inputs["positions"]]
    weight, top, bottom, left, right = inputs["mix"].astype(float).T
    own = weight * (48 * 48 - (bottom - top) * (right - left)) / (48 * 48)
    for row in range(4):
        expected = np.zeros(5)
        expected[labels[row]] += own[row]
        expected[labels[(row + 1) % 4]] += 1 - own[row]  # the next image; after the last comes the first
        np.testing.assert_allclose(targets[row], expected, atol=1e-6)


def test_mixed_and_smoothed_targets_sum_to_1():
    batches = make(mixup=0.4, cutmix=1.0, label_smoothing=0.1)
    for step in range(len(batches)):
        np.testing.assert_allclose(batches[step][1].sum(axis=1), 1, atol=1e-6)


class Recording(keras.Model):
    """Learns nothing, and notes the positions that Keras's fit hands to the training step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def train_step(self, data):
        inputs, _ = data
        self.seen.append(keras.ops.convert_to_numpy(inputs["positions"]))
        return {"loss": 1.0, "accuracy": 0.5}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the training step is written for TensorFlow")
@pytest.mark.parametrize("first", [0, 3])
def test_fit_hands_out_the_batches_of_its_epoch(first, tmp_path):
    # Keras may fetch batches ahead, but not those of another epoch; `first` is where a resumed training begins.
    batches, model = make(), Recording()
    model.compile(optimizer="sgd", run_eagerly=True)
    model.built = True
    progress = EpochProgress(tmp_path, 6, batches.steps, 4)
    checkpoint = Checkpoint(tmp_path, {})
    recorder = EpochRecorder(batches, checkpoint, progress, validate=lambda epoch: None)
    callbacks = [recorder, progress]
    model.fit(batches.for_fit(), epochs=6, initial_epoch=first, shuffle=False, verbose=0, callbacks=callbacks)
    expected = np.concatenate([positions(make(), epoch) for epoch in range(first, 6)])
    np.testing.assert_array_equal(model.seen, expected)
    assert [row["epoch"] for row in checkpoint.history] == list(range(first + 1, 7))
    assert not batches.for_fit().options().autotune.enabled  # its thread makes epochs wait
