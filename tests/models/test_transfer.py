import keras
import numpy as np
import pytest

from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.layers import IMAGENET_STATISTICS, set_pixel_statistics
from fer_ensemble.models.transfer import Source, input_scale, read_model, transfer_weights
from fer_ensemble.training.settings import TrainingSettings

FACES = (
    np.random.default_rng(0).uniform(0, 255, (3, 6, 6, 1)).astype(np.float32).repeat(8, axis=1).repeat(8, axis=2)
)


def build(model="cnn4", channels=1, statistics="unit", seed=0, classes=7, **changes):
    keras.utils.set_random_seed(seed)
    settings = {"width": 4, "input_channels": channels, "pixel_statistics": statistics, **changes}
    network = build_model(TrainingSettings(model=model, **settings), classes)
    if statistics == "dataset":
        set_pixel_statistics(network, 120.0 + seed, 60.0 + seed)
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return network


def stem_outputs(model):
    """What the first convolution with its bias or normalisation says: (faces, height, width, channels)."""
    position = next(n for n, layer in enumerate(model.layers) if isinstance(layer, keras.layers.Conv2D))
    layer = model.layers[position] if model.layers[position].use_bias else model.layers[position + 1]
    return keras.ops.convert_to_numpy(keras.Model(model.input, layer.output)(FACES, training=False))


def logits(model):
    return keras.ops.convert_to_numpy(model(FACES, training=False))


def copy(source, target):
    transfer_weights(read_model(source, target), target)
    return target


@pytest.mark.parametrize("statistics", ["unit", "dataset", "image", "imagenet"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_network_takes_the_weights_over_bit_for_bit(channels, statistics):
    source, target = build(channels=channels, statistics=statistics), build("cnn4", channels, statistics)
    target.set_weights([weight + 0.5 if weight.ndim == 4 else weight for weight in target.get_weights()])
    copy(source, target)
    assert all(np.array_equal(a, b) for a, b in zip(source.get_weights(), target.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("statistics", "before", "after", "model"),
    [("dataset", 3, 1, "cnn4"), ("unit", 1, 3, "cnn4"), ("unit", 3, 1, "vgg16"), ("dataset", 3, 1, "resnet18")],
)
def test_grey_in_one_channel_or_three_gives_the_same_logits(statistics, before, after, model):
    source = build(model, before, statistics)
    target = copy(source, build(model, after, statistics, seed=0))
    expected = logits(source)
    assert np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(logits(target), expected, atol=1e-4 * np.abs(expected).max())


def test_one_kernel_is_the_sum_of_three():
    source, target = build(channels=3), build(channels=1, seed=1)
    copy(source, target)
    np.testing.assert_allclose(
        target.get_weights()[0], source.get_weights()[0].sum(axis=2, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize("model", ["cnn4", "vgg16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("statistics", ["unit", "dataset", "imagenet"])
def test_other_statistics_change_only_what_the_first_convolution_sees_beyond_the_image(
    statistics, channels, model
):
    source = build(model, 3, "imagenet" if statistics != "imagenet" else "unit")
    target = copy(source, build(model, channels, statistics, seed=1))
    found, expected = stem_outputs(target), stem_outputs(source)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-4)
    assert np.abs(found - expected).max() > 1e-2  # at the margin they pad with another grey


def test_padding_with_the_same_grey_is_exact_whatever_the_scale():
    # (g - 127.5) / 127.5 and (g - 127.5) / 30: 0 is the same grey.
    source, target = build(statistics="unit"), build(statistics="dataset", seed=1)
    set_pixel_statistics(target, 127.5, 30.0)
    expected = logits(source)
    np.testing.assert_allclose(logits(copy(source, target)), expected, atol=1e-4 * np.abs(expected).max())


def test_the_scale_of_the_first_convolution_s_input():
    mean, deviation = IMAGENET_STATISTICS
    expected = {
        ("unit", 1): ([1 / 127.5], [-1.0]),
        ("unit", 3): (3 * [1 / 127.5], 3 * [-1.0]),
        ("dataset", 3): (3 * [1 / 60], 3 * [-120 / 60]),
        ("image", 1): ([1 / 54], [-129.5 / 54]),
        ("imagenet", 3): (1 / (255 * deviation), -mean / deviation),
        ("imagenet", 1): ([1 / (255 * 0.226)], [-0.449 / 0.226]),
    }
    for (statistics, channels), (scale, offset) in expected.items():
        for size in (48, 40):
            found = input_scale(build(channels=channels, statistics=statistics, input_size=size))
            np.testing.assert_allclose(found[0], scale, rtol=1e-4)
            np.testing.assert_allclose(found[1], offset, rtol=1e-4)


def test_layers_that_the_source_has_nothing_for_keep_their_weights():
    source, target = build(classes=7), build(classes=3, seed=1)
    found = read_model(source, target)
    before = target.get_layer("logits").get_weights()
    del found.weights["logits"]
    transfer_weights(found, target)
    assert all(np.array_equal(a, b) for a, b in zip(before, target.get_layer("logits").get_weights(), strict=True))
    np.testing.assert_array_equal(target.get_weights()[0], source.get_weights()[0])


def test_a_saved_model_with_its_probabilities_is_a_source_too(tmp_path):
    source, target = add_softmax(build(statistics="dataset")), build(statistics="dataset")
    target.set_weights([weight + 0.5 if weight.ndim == 4 else weight for weight in target.get_weights()])
    source.save(tmp_path / "model.keras")
    copy(keras.saving.load_model(tmp_path / "model.keras"), target)
    layer = keras.layers.Softmax()
    np.testing.assert_allclose(layer(logits(target)), source.predict(FACES, verbose=0), atol=1e-5)


def test_another_architecture_or_width_is_refused_and_changes_nothing():
    target = build()
    weights = target.get_weights()
    with pytest.raises(ValueError, match=r"it is a resnet18 of 41 layers with weights; 11 are needed"):
        copy(build("resnet18"), target)
    with pytest.raises(ValueError, match=r"has weights of shape \(3, 3, 8\), where \(3, 3, 4\) is needed"):
        copy(build(width=8), target)
    with pytest.raises(ValueError, match=r"has weights of shape \(32, 32\), where \(288, 32\) is needed"):
        copy(build(input_size=24), target)
    assert all(np.array_equal(a, b) for a, b in zip(weights, target.get_weights(), strict=True))


def test_adapting_a_kernel_by_hand():
    # A 1x1 kernel 2, 3 on channels g and 2 g + 10 says 8 g + 30; of g / 2 - 1 that is 16 (g / 2 - 1) + 46.
    inputs = keras.Input((48, 48, 1))
    seen = keras.layers.Rescaling(0.5, offset=-1)(inputs)
    features = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(1, 1, name="stem")(seen))
    target = keras.Model(inputs, keras.layers.Dense(1, name="logits")(features))
    weights = {"stem": [np.array([[[[2.0], [3.0]]]]), np.array([4.0])]}
    transfer_weights(Source(weights, np.array([1.0, 2.0]), np.array([0.0, 10.0])), target)
    kernel, bias = target.get_layer("stem").get_weights()
    assert (kernel.item(), bias.item()) == pytest.approx((16, 46 + 4))
