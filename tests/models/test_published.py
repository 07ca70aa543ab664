import itertools
import types

import keras
import numpy as np
import pytest

from fer_ensemble.models import build_model
from fer_ensemble.models.published import APPLICATIONS, TORCHVISION, read_application, read_torchvision
from fer_ensemble.models.transfer import transfer_weights
from fer_ensemble.training.settings import TrainingSettings

WIDTH, CLASSES = 4, 7
# Coarse squares: of fine noise, all images look alike to a network.
FACES = np.random.default_rng(0).integers(0, 256, (3, 6, 6)).astype(np.float32).repeat(8, axis=1).repeat(8, axis=2)
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
VGG = {"16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
       "19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"}  # fmt: skip


# conv2d and so on as the documentation of PyTorch defines them, in NumPy: (images, channels, height, width).
def conv2d(images, weight, bias=None, stride=1, padding=0):
    images = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(images, weight.shape[2:], axis=(2, 3))
    outputs = np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], weight, optimize=True)
    return outputs if bias is None else outputs + bias[:, None, None]


def batch_norm(images, mean, variance, weight, bias):
    mean, variance, weight, bias = (values[:, None, None] for values in (mean, variance, weight, bias))
    return (images - mean) / np.sqrt(variance + 1e-5) * weight + bias


def max_pool2d(images, kernel_size, stride, padding=0):
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    images = np.pad(images, around, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(images, (kernel_size, kernel_size), axis=(2, 3))
    return windows[:, :, ::stride, ::stride].max(axis=(4, 5))


NUMPY = types.SimpleNamespace(
    conv2d=conv2d,
    batch_norm=batch_norm,
    max_pool2d=max_pool2d,
    relu=lambda values: np.maximum(values, 0),
    linear=lambda values, weight, bias: values @ weight.T + bias,
)


class Reference:
    """torchvision's networks, written down anew; makes up the weights under the names that they are asked for by.

    Args:
        functional: `torch.nn.functional`, or `NUMPY`.
        convert: Function from an array to what `functional` takes.
        state: Weights to use; what is missing is made up.
    """

    def __init__(self, functional, convert, state):
        self.functional, self.convert, self.state = functional, convert, state
        self.generator = np.random.default_rng(1)

    def get(self, name, shape, low, high):
        if name not in self.state:
            self.state[name] = self.generator.uniform(low, high, shape).astype(np.float32)
        return self.convert(self.state[name])

    def convolution(self, name, features, filters, size, stride=1, padding=0, bias=False):
        channels = features.shape[1]
        limit = (6 / (channels * size**2)) ** 0.5
        weight = self.get(f"{name}.weight", (filters, channels, size, size), -limit, limit)
        bias = self.get(f"{name}.bias", filters, -0.5, 0.5) if bias else None
        return self.functional.conv2d(features, weight, bias, stride=stride, padding=padding)

    def normalize(self, name, features):
        channels = features.shape[1]
        limits = {"running_mean": (-0.5, 0.5), "running_var": (0.5, 2), "weight": (0.5, 1.5), "bias": (-0.5, 0.5)}
        values = [self.get(f"{name}.{part}", channels, *limit) for part, limit in limits.items()]
        self.state[f"{name}.num_batches_tracked"] = np.array(1000)
        return self.functional.batch_norm(features, *values)

    def resnet(self, features, blocks):
        relu = self.functional.relu
        features = relu(self.normalize("bn1", self.convolution("conv1", features, WIDTH, 7, 2, 3)))
        features = self.functional.max_pool2d(features, 3, stride=2, padding=1)
        for group, number in enumerate(blocks, 1):
            for block in range(number):
                name, stride = f"layer{group}.{block}", 2 if group > 1 and block == 0 else 1
                filters, before = WIDTH * 2 ** (group - 1), features
                if stride == 2:
                    before = self.convolution(f"{name}.downsample.0", before, filters, 1, stride)
                    before = self.normalize(f"{name}.downsample.1", before)
                features = self.convolution(f"{name}.conv1", features, filters, 3, stride, 1)
                features = relu(self.normalize(f"{name}.bn1", features))
                features = self.convolution(f"{name}.conv2", features, filters, 3, 1, 1)
                features = relu(self.normalize(f"{name}.bn2", features) + before)
        features = features.mean((2, 3))
        weight = self.get("fc.weight", (CLASSES, features.shape[1]), -0.5, 0.5)
        return self.functional.linear(features, weight, self.get("fc.bias", CLASSES, -0.5, 0.5))

    def vgg(self, features, plan, normalized):
        position = 0
        for what in plan.split():
            if what == "M":
                features = self.functional.max_pool2d(features, 2, stride=2)
                position += 1
                continue
            features = self.convolution(
                f"features.{position}", features, int(what) * WIDTH // 64, 3, 1, 1, bias=True
            )
            position += 1
            if normalized:
                features = self.normalize(f"features.{position}", features)
                position += 1
            features = self.functional.relu(features)
            position += 1
        return features

    def __call__(self, name, faces):
        mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)[:, :, None, None]
        colours = self.convert((faces[:, None].repeat(3, axis=1) / 255 - mean) / deviation)
        if name.startswith("resnet"):
            return np.asarray(self.resnet(colours, BLOCKS[name]))
        return np.asarray(self.vgg(colours, VGG[name[3:5]], name.endswith("_bn")))


def build(name, **changes):
    settings = {"model": name, "width": WIDTH, "input_channels": 3, "pixel_statistics": "imagenet", **changes}
    return build_model(TrainingSettings(**settings), CLASSES)


def load(name, state, **changes):
    model = build(name, **changes)
    transfer_weights(read_torchvision(state, model), model)
    return model


def compute(model, faces=FACES):
    """Logits of a ResNet, the last feature map of a VGG: what torchvision's has, too."""
    if "vgg" in model.name:
        last = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)][-1]
        model = keras.Model(model.input, last.output)
    values = keras.ops.convert_to_numpy(model(faces[..., None], training=False))
    return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values


@pytest.fixture(scope="module")
def references():
    """Returns a function of a network's name: made-up weights, and what torchvision's network says with them."""
    found = {}

    def compute_once(name):
        if name not in found:
            state = {}
            found[name] = state, Reference(NUMPY, np.asarray, state)(name, FACES)
            if name.startswith("vgg"):  # a token of its dense layers, none of which we have
                state["classifier.0.weight"] = np.zeros((1, 1), np.float32)
        return dict(found[name][0]), found[name][1]

    return compute_once


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_s_weights_give_torchvision_s_outputs(name, references):
    state, expected = references(name)
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(compute(load(name, state)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", TORCHVISION)
def test_pytorch_itself_gives_the_same_outputs(name, references):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    state, expected = references(name)
    with torch.no_grad():
        network = Reference(torch.nn.functional, lambda values: torch.tensor(values, dtype=torch.float32), state)
        np.testing.assert_allclose(network(name, FACES), expected, atol=1e-4, rtol=1e-4)


def test_the_layouts_by_hand():
    # (out, in, height, width) and (out, in) become (height, width, in, out) and (in, out).
    kernel = np.arange(WIDTH * 3 * 49, dtype=np.float32).reshape(WIDTH, 3, 7, 7)
    dense = np.arange(CLASSES * 8 * WIDTH, dtype=np.float32).reshape(CLASSES, 8 * WIDTH)
    state = {}
    Reference(NUMPY, np.asarray, state)("resnet18", FACES[:1])
    weights = read_torchvision({**state, "conv1.weight": kernel, "fc.weight": dense}, build("resnet18")).weights
    assert weights["conv1"][0].shape == (7, 7, 3, WIDTH)
    assert weights["conv1"][0][2, 5, 1, 3] == kernel[3, 1, 2, 5]
    assert weights["logits"][0].shape == (8 * WIDTH, CLASSES)
    assert weights["logits"][0][6, 4] == dense[4, 6]
    assert (
        weights["layer1.0.bn1"][2] is not None and len(weights) == 20 + 20 + 1
    )  # convolutions, their norms, logits


def test_a_bias_before_a_normalisation_is_taken_off_its_mean(references):
    state, _ = references("vgg16_bn")
    gamma, beta, mean, variance = read_torchvision(state, build("vgg16_bn")).weights["features.1"]
    np.testing.assert_array_equal(mean, state["features.1.running_mean"] - state["features.0.bias"])
    np.testing.assert_array_equal(variance, state["features.1.running_var"])
    assert (gamma == state["features.1.weight"]).all() and (beta == state["features.1.bias"]).all()


def test_fully_connected_layers_of_other_classes_are_left_out(references):
    state, _ = references("resnet18")
    model = build("resnet18")
    weights = read_torchvision({name: value for name, value in state.items() if "fc" not in name}, model).weights
    assert "logits" not in weights and "conv1" in weights
    assert not any(name.startswith(("dense", "batch", "logits")) for name in load_names("vgg16_bn", references))


def load_names(name, references):
    return read_torchvision(references(name)[0], build(name)).weights


@pytest.mark.parametrize(
    ("weights", "model", "message"),
    [
        ("resnet34", "resnet18", r"it has a layer1\.2\..*, which is of another network"),
        ("resnet18", "resnet34", r"it has no layer1\.2\.conv1\.weight"),
        ("vgg16_bn", "vgg16", r"it has no features\.2\.weight"),
        ("vgg16", "vgg16_bn", r"it has no features\.1\.running_mean"),
        ("vgg19", "vgg16", r"it has no features\.17\.weight"),
        ("vgg16", "resnet18", r"it has no conv1\.weight"),
    ],
)
def test_another_network_s_weights_are_refused(weights, model, message, references):
    with pytest.raises(ValueError, match=message):
        read_torchvision(references(weights)[0], build(model))


def test_another_width_is_refused(references):
    with pytest.raises(ValueError, match=r"conv1 has weights of shape \(7, 7, 4\), where \(7, 7, 8\) is needed"):
        load("resnet18", references("resnet18")[0], width=8)


# As torchvision's documentation has them: 11,689,512 and 21,797,672 with the 513,000 of 1,000 classes; 138,365,992
# with the 123,642,856 of three dense layers. Names and shapes of all are tested above.
@pytest.mark.parametrize(
    ("name", "weights"), [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("vgg16_bn", 14_723_136)]
)
def test_as_many_weights_as_published(name, weights):
    model = build(name, width=64)
    backbone = list(itertools.takewhile(lambda variable: len(variable.shape) != 2, model.trainable_variables))
    found = sum(int(np.prod(variable.shape)) for variable in backbone)
    # Theirs has a bias before each normalisation.
    missing = sum(layer.filters for layer in model.layers if hasattr(layer, "filters") and not layer.use_bias)
    assert found + (missing if name == "vgg16_bn" else 0) == weights


def test_keras_s_weights_give_keras_s_outputs():
    from keras.applications.vgg16 import preprocess_input

    theirs = APPLICATIONS["vgg16"](weights=None, include_top=False, input_shape=(48, 48, 3))
    model = build("vgg16", width=64, pixel_statistics="dataset")
    for layer in theirs.layers:
        if layer.weights:
            layer.bias.assign(np.random.default_rng(0).uniform(-0.5, 0.5, layer.bias.shape))
    # Caffe's means, of blue first: what pads the image, 0, then is the same grey here and there.
    means = np.array([103.939, 116.779, 123.68]) / 127.5 - 1
    model.get_layer("pixel_statistics").set_weights([means, np.ones(3)])
    transfer_weights(read_application(theirs, model), model)
    expected = theirs(preprocess_input(FACES[..., None].repeat(3, axis=3)), training=False)
    expected = keras.ops.convert_to_numpy(expected).transpose(0, 3, 1, 2)
    inner = compute(model)
    assert expected.std() > 0 and inner.shape == expected.shape
    np.testing.assert_allclose(inner, expected, atol=1e-4 * np.abs(expected).max())
