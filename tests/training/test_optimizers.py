import math

import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.models import build_model
from fer_ensemble.training.optimizers import averaged_weights, build_optimizer
from fer_ensemble.training.settings import TrainingSettings

PLAIN = {"optimizer": "sgd", "epochs": 10, "warmup": 0.0, "weight_decay": 0.0, "clip_norm": 0.0, "ema": 0.0}
NAMES = ["sgd", "adamw", "muon"]


def make(steps_per_epoch=10, **changes):
    settings = TrainingSettings(**{**PLAIN, **changes})
    return build_optimizer(settings, steps_per_epoch)


def rate_at(optimizer, step):
    return float(ops.convert_to_numpy(optimizer._learning_rate(step)))


def make_network():
    keras.utils.set_random_seed(0)
    network = build_model(TrainingSettings(width=4, input_size=16), 3)
    for variable in network.trainable_variables:  # no zeros: weight decay must show
        variable.assign(variable + 0.3)
    return network


def values(variables):
    return [ops.convert_to_numpy(ops.convert_to_tensor(variable)).copy() for variable in variables]


def step(optimizer, network, gradients):
    """Takes one step, and returns how much it changed each variable."""
    before = values(network.trainable_variables)
    optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients], network.trainable_variables)
    return [after - old for after, old in zip(values(network.trainable_variables), before, strict=True)]


def random_gradients(network, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=tuple(v.shape)).astype(np.float32) for v in network.trainable_variables]


def find(network, path):
    """Positions of the trainable variables whose path ends so."""
    return [number for number, v in enumerate(network.trainable_variables) if v.path.endswith(path)]


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_rises_from_0_to_its_peak_and_falls_to_0_as_a_cosine(name):
    # 100 steps: 20 of warm-up, then 80 of cosine.
    optimizer = make(optimizer=name, learning_rate=0.4, warmup=0.2)
    expected = {0: 0, 5: 0.1, 10: 0.2, 20: 0.4, 40: 0.2 * (1 + math.cos(math.pi / 4)), 60: 0.2, 100: 0}
    for number, rate in expected.items():
        assert rate_at(optimizer, number) == pytest.approx(rate, abs=1e-6)


def test_without_warm_up_the_rate_begins_at_its_peak():
    optimizer = make(learning_rate=0.4)
    assert [rate_at(optimizer, number) for number in (0, 50, 100)] == pytest.approx([0.4, 0.2, 0], abs=1e-6)


def test_a_warm_up_of_less_than_half_a_step_is_none():
    assert rate_at(make(epochs=1, warmup=0.04, learning_rate=0.4), 0) == pytest.approx(0.4)


def test_a_long_warm_up_of_a_short_training_leaves_a_step_for_the_cosine():
    optimizer = make(steps_per_epoch=1, epochs=2, warmup=0.9, learning_rate=0.4)
    assert rate_at(optimizer, 1) == pytest.approx(0.4)


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_takes_its_share_of_the_kernels_and_leaves_the_rest_alone(name):
    network = make_network()
    optimizer = make(optimizer=name, learning_rate=0.1, weight_decay=0.01)
    before = values(network.trainable_variables)
    nothing = [np.zeros(value.shape, np.float32) for value in before]
    changes = step(optimizer, network, nothing)
    for variable, old, change in zip(network.trainable_variables, before, changes, strict=True):
        expected = -0.1 * 0.01 * old if variable.name == "kernel" else 0 * old
        np.testing.assert_allclose(change, expected, atol=1e-6, err_msg=variable.path)
    assert {variable.name for variable in network.trainable_variables} == {"kernel", "gamma", "beta", "bias"}


@pytest.mark.parametrize("name", NAMES)
def test_no_weight_decay_is_no_weight_decay(name):
    network = make_network()
    changes = step(make(optimizer=name), network, [0 * g for g in random_gradients(network)])
    assert max(np.abs(change).max() for change in changes) == 0


def test_sgd_is_nesterov_momentum_by_hand():
    # velocity -rate * g; the step looks ahead: 0.9 * velocity - rate * g = -1.9 * rate * g.
    network = make_network()
    gradients = random_gradients(network)
    changes = step(make(optimizer="sgd", learning_rate=0.01), network, gradients)
    for change, gradient in zip(changes, gradients, strict=True):
        np.testing.assert_allclose(change, -0.019 * gradient, atol=1e-6)


@pytest.mark.parametrize(("clip_norm", "norm"), [(0.0, None), (2.0, 2.0), (1e6, None)])
def test_the_norm_of_the_whole_gradient_is_clipped(clip_norm, norm):
    network = make_network()
    gradients = random_gradients(network)
    changes = step(make(optimizer="sgd", learning_rate=0.01, clip_norm=clip_norm), network, gradients)
    received = math.sqrt(sum((gradient.astype(float) ** 2).sum() for gradient in gradients))
    changed = math.sqrt(sum((change.astype(float) ** 2).sum() for change in changes)) / 0.019
    assert changed == pytest.approx(norm or received, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_each_number_of_the_gradient_is_clipped(name):
    def take_steps(clip_value, limit):
        network, optimizer = make_network(), make(optimizer=name, learning_rate=0.01, clip_value=clip_value)
        for seed in (0, 1):  # the size of a gradient does not show in Adam's first step
            gradients = [(1 + seed) * gradient for gradient in random_gradients(network, seed)]
            changes = step(optimizer, network, [np.clip(gradient, -limit, limit) for gradient in gradients])
        return np.concatenate([change.ravel() for change in changes])

    clipped = take_steps(0.5, 1e9)
    np.testing.assert_allclose(clipped, take_steps(0.0, 0.5), atol=1e-7)
    assert np.abs(clipped - take_steps(0.0, 1e9)).max() > 1e-3


def test_the_momentum_of_one_cycle_by_hand():
    # Steps of 5, of which 2 rise: momentum 0.95, 0.9, 0.85, 0.9, 0.95; rate 0.004, 0.052, 0.1, 0.0500002, 4e-7.
    cycle = {"schedule": "onecycle", "learning_rate": 0.1, "warmup": 0.4, "epochs": 1, "steps_per_epoch": 5}
    momenta, rates = [0.95, 0.9, 0.85, 0.9, 0.95], [0.004, 0.052, 0.1, 0.0500002, 4e-7]
    network, optimizer, expected = make_network(), make(optimizer="sgd", **cycle), None
    for number, (momentum, rate) in enumerate(zip(momenta, rates, strict=True)):
        gradients = random_gradients(network, number)
        old = expected or [0 * gradient for gradient in gradients]
        expected = [momentum * v - rate * g for v, g in zip(old, gradients, strict=True)]
        changes = step(optimizer, network, gradients)
        for change, velocity, gradient in zip(changes, expected, gradients, strict=True):
            np.testing.assert_allclose(change, momentum * velocity - rate * gradient, atol=1e-6)


def test_one_cycle_moves_adams_beta_1():
    # Without second moments to speak of: two steps of the same gradient g and sign are each about the rate.
    cycle = {"schedule": "onecycle", "learning_rate": 0.1, "warmup": 0.4, "epochs": 1, "steps_per_epoch": 5}
    network, optimizer = make_network(), make(optimizer="adamw", **cycle)
    ones = [np.ones(tuple(v.shape), np.float32) for v in network.trainable_variables]
    step(optimizer, network, ones)
    changes = step(optimizer, network, [0 * one for one in ones])
    # First moment 0.05, then 0.9 * 0.05; corrected by 1 - 0.9^2. Second 0.001 * 0.999, corrected by 1 - 0.999^2.
    expected = -0.052 * (0.045 / 0.19) / math.sqrt(0.000999 / (1 - 0.999**2))
    for change in changes:
        np.testing.assert_allclose(change, expected, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_momentum_that_changes_is_that_of_the_step_in_a_compiled_function_too(name):
    cycle = {"schedule": "onecycle", "learning_rate": 0.1, "warmup": 0.4, "epochs": 1, "steps_per_epoch": 5}
    changed = []
    for eager in (True, False):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1, name="logits")])
        model.compile(optimizer=make(optimizer=name, **cycle), loss="mse", run_eagerly=eager, jit_compile=False)
        inputs = np.random.default_rng(0).normal(size=(20, 3))
        model.fit(inputs, inputs[:, :1], batch_size=4, shuffle=False, verbose=0)
        changed.append(model.get_weights())
    for one, other in zip(*changed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_muon_makes_the_update_of_every_inner_kernel_nearly_orthogonal():
    network = make_network()
    gradients = random_gradients(network)
    changes = step(make(optimizer="muon", learning_rate=0.01), network, gradients)
    kernels = [n for n in find(network, "kernel") if "logits" not in network.trainable_variables[n].path]
    assert len(kernels) == 9 + 2
    for number in kernels:
        filters = gradients[number].shape[-1]
        update = -changes[number].reshape(-1, filters)
        # Moonlight's scale (https://arxiv.org/abs/2502.16982): 0.2 times the root of the longer side.
        update = update / (0.01 * 0.2 * math.sqrt(max(update.shape)))
        u, sizes, v = np.linalg.svd(gradients[number].reshape(-1, filters), full_matrices=False)
        # Five steps of Newton-Schulz bring singular values to about 0.7 .. 1.2, along the gradient's directions.
        singular_values = np.linalg.svd(update, compute_uv=False)
        assert singular_values.min() > 0.6 and singular_values.max() < 1.3
        agreement = np.diag(u.T @ update @ v.T)[sizes > 0.2 * sizes[0]]
        assert agreement.min() > 0.6


def test_muon_leaves_logits_biases_and_normalisation_to_adam():
    # Adam's first step has the size of the learning rate, whatever the gradient's.
    network = make_network()
    gradients = random_gradients(network)
    changes = step(make(optimizer="muon", learning_rate=0.01), network, gradients)
    others = (
        find(network, "logits/kernel") + find(network, "bias") + find(network, "gamma") + find(network, "beta")
    )
    assert len(others) == 1 + 1 + 11 + 11
    for number in others:
        np.testing.assert_allclose(changes[number], -0.01 * np.sign(gradients[number]), rtol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_averages_are_moving_averages_of_the_weights(name):
    network = make_network()
    optimizer = make(optimizer=name, ema=0.75)
    step(optimizer, network, random_gradients(network, 1))
    first = values(network.trainable_variables)
    averages = values(averaged_weights(optimizer, network.trainable_variables))
    for average, weight in zip(averages, first, strict=True):
        np.testing.assert_allclose(average, weight, atol=1e-6)  # the average begins with the first step
    step(optimizer, network, random_gradients(network, 2))
    second = values(network.trainable_variables)
    averages = values(averaged_weights(optimizer, network.trainable_variables))
    for average, one, two in zip(averages, first, second, strict=True):
        assert np.abs(one - two).max() > 1e-5
        np.testing.assert_allclose(average, 0.75 * one + 0.25 * two, atol=1e-6)


def test_without_averages_the_weights_themselves():
    network = make_network()
    optimizer = make(ema=0.0)
    optimizer.build(network.trainable_variables)
    averages = averaged_weights(optimizer, network.trainable_variables)
    assert all(one is other for one, other in zip(averages, network.trainable_variables, strict=True))


def test_averages_are_found_inside_a_loss_scaler():
    network = make_network()
    inner = make(ema=0.75)
    scaler = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    scaler.build(network.trainable_variables)
    step(scaler, network, [4 * gradient for gradient in random_gradients(network)])
    averages = values(averaged_weights(scaler, network.trainable_variables))
    for average, weight in zip(averages, values(network.trainable_variables), strict=True):
        np.testing.assert_allclose(average, weight, atol=1e-6)


def head_position(network):
    """Position of the first dense layer's kernel: the head begins there."""
    return next(number for number, v in enumerate(network.trainable_variables) if "dense" in v.path)


@pytest.mark.parametrize("name", NAMES)
def test_the_backbone_learns_at_its_share_of_the_rate(name):
    network, gradients = make_network(), random_gradients(make_network())
    changes = {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1}
    expected = step(make(**changes), network, gradients)
    found = step(make(**changes, backbone_learning_rate=0.25), make_network(), gradients)
    head = head_position(network)
    assert head == 9 * 3  # nine kernels, gammas and betas
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(one, (0.25 if number < head else 1) * other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_backbone_is_frozen_for_the_first_epochs_and_no_decay_touches_it(name):
    network = make_network()
    changes = {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1, "freeze_backbone_epochs": 2}
    optimizer = make(steps_per_epoch=2, **changes)
    head = head_position(network)
    for number in range(5):
        sizes = [np.abs(change).max() for change in step(optimizer, network, random_gradients(network, number))]
        assert min(sizes[head:]) > 0
        assert (max(sizes[:head]) == 0) == (number < 4)
        if number == 4:
            assert min(sizes[:head]) > 0


@pytest.mark.parametrize("name", NAMES)
def test_two_rates_that_are_the_same_are_one(name):
    network, other = make_network(), make_network()
    changes = {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1, "ema": 0.5, "clip_norm": 1.0}
    # Frozen for no step, at the factor 1, as the class alone would have it.
    one, two = make(**changes), make(**changes, backbone_learning_rate=0.5)
    two.backbone_factor = 1.0
    for number in range(3):
        gradients = random_gradients(network, number)
        for found, expected in zip(step(two, other, gradients), step(one, network, gradients), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)
    averages = [values(averaged_weights(o, n.trainable_variables)) for o, n in ((one, network), (two, other))]
    for found, expected in zip(*averages, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
