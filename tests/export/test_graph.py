import numpy as np
import pytest

from fer_ensemble.export.graph import build_graph
from fer_ensemble.members.predictions import predict_probabilities
from fer_ensemble.members.views import VIEWS, average_views
from fer_ensemble.models.device import keras
from fer_ensemble.scoring.calibration import Calibration

pytestmark = pytest.mark.slow
CALIBRATION = Calibration(smoothing=0.1, temperature=1.3)


def predict(model, faces):
    return keras.ops.convert_to_numpy(model(faces[..., None].astype(np.float32)))


def run(graph, faces):
    return {name: keras.ops.convert_to_numpy(values) for name, values in graph(faces).items()}


def logits_of(model, faces):
    return predict(keras.Model(model.input, model.layers[-1].input), faces).astype(np.float64)


def test_the_graph_gives_the_calibrated_probabilities_of_its_network(make_network, faces):
    network = make_network(model="resnet9")
    found = run(build_graph([network], [1.0], CALIBRATION), faces)["probabilities"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, CALIBRATION.apply(predict(network, faces)), atol=1e-5)


def test_several_networks_are_averaged_by_their_weights_before_the_calibration(make_network, faces):
    networks = [make_network(0, model="cnn"), make_network(1, model="resnet"), make_network(2, model="cnn")]
    found = run(build_graph(networks, [3.0, 1.0, 0.0], CALIBRATION), faces)
    mean = 0.75 * predict(networks[0], faces) + 0.25 * predict(networks[1], faces)
    assert list(found) == ["probabilities"]
    np.testing.assert_allclose(found["probabilities"], CALIBRATION.apply(mean), atol=1e-5)


def test_mirror_images_are_averaged_where_the_source_does(make_network, faces):
    network = make_network(model="resnet9")
    found = run(build_graph([network], [1.0], CALIBRATION, views="flip"), faces)["probabilities"]
    mean = (predict(network, faces) + predict(network, faces[:, :, ::-1])) / 2
    np.testing.assert_allclose(found, CALIBRATION.apply(mean), atol=1e-5)


@pytest.mark.parametrize("views", ["shifts", "tencrop"])
def test_more_views_are_averaged_as_in_predictions(views, make_network, faces):
    network = make_network(model="resnet9")
    found = run(build_graph([network], [1.0], CALIBRATION, views=views), faces)
    mean = predict_probabilities(average_views(network, views), faces, VIEWS[views])
    np.testing.assert_allclose(found["probabilities"], CALIBRATION.apply(mean), atol=1e-5)
    assert found["class_maps"].shape[:2] == (20, 7)


@pytest.mark.parametrize("model", ["resnet9", "resnet"])  # a maximum, an average
def test_class_maps_sum_to_the_logits(model, make_network, faces):
    network = make_network(model=model)
    logits = network.get_layer("logits")
    logits.set_weights([logits.get_weights()[0], np.arange(7, dtype=np.float32)])  # a bias counts, too
    maps = run(build_graph([network], [1.0], CALIBRATION), faces)["class_maps"]
    assert maps.shape[:2] == (20, 7)
    np.testing.assert_allclose(maps.sum((2, 3)), logits_of(network, faces), atol=1e-3)


def test_class_maps_of_two_views_are_laid_upon_each_other(make_network, faces):
    network = make_network(model="resnet9")
    maps = run(build_graph([network], [1.0], CALIBRATION, views="flip"), faces)["class_maps"]
    of_one_view = build_graph([network], [1.0], CALIBRATION)
    as_it_is, mirrored = (run(of_one_view, each)["class_maps"] for each in (faces, faces[:, :, ::-1]))
    np.testing.assert_allclose(maps, (as_it_is + mirrored[..., ::-1]) / 2, atol=1e-4)


def test_a_maximum_is_credited_to_its_cell(make_network, faces):
    network = make_network(model="resnet9")
    kernel, _ = network.get_layer("logits").get_weights()
    pooling = next(one for one in network.layers if isinstance(one, keras.layers.GlobalMaxPooling2D))
    values = predict(keras.Model(network.input, pooling.input), faces[:1])[0]
    by_hand = np.zeros((7, *values.shape[:2]))
    for channel in range(values.shape[2]):
        there = values[..., channel] == values[..., channel].max()
        by_hand += kernel[channel][:, None, None] * values[..., channel].max() * there / there.sum()
    maps = run(build_graph([network], [1.0], CALIBRATION), faces[:1])["class_maps"][0]
    np.testing.assert_allclose(maps, by_hand, atol=1e-4)


def test_networks_with_more_than_one_dense_layer_have_no_class_maps(make_network):
    assert list(build_graph([make_network(model="cnn")], [1.0], CALIBRATION).output) == ["probabilities"]


def test_a_network_that_does_not_end_in_a_softmax_is_refused(make_network):
    network = make_network(model="resnet9")
    with pytest.raises(ValueError, match="softmax must be its last layer"):
        build_graph([keras.Model(network.input, network.layers[-1].input)], [1.0], CALIBRATION)
