import concurrent.futures
import os

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.classifier.given_faces import check_faces
from fer_ensemble.classifier.onnx_network import OnnxNetwork


def test_it_is_a_network_that_knows_its_classes_and_its_threshold(write_network):
    network = OnnxNetwork(write_network())
    assert isinstance(network, Network)
    assert network.class_names == ("dark", "light")
    assert network.unsure_below == 0.6
    assert network.about["format_version"] == 1


def test_probabilities_are_those_worked_out_by_hand_and_sum_to_1(write_network):
    faces = np.stack([np.zeros((48, 48), np.uint8), np.full((48, 48), 255, np.uint8)])
    probabilities = OnnxNetwork(write_network()).predict(faces)
    assert probabilities.dtype == np.float32
    # softmax(0, 0) and softmax(0, 1)
    np.testing.assert_allclose(probabilities, [[0.5, 0.5], [0.268941, 0.731059]], atol=1e-6)


def test_more_faces_than_go_at_once_are_all_answered_and_none_is_no_error(write_network):
    network = OnnxNetwork(write_network())
    faces = np.repeat(np.arange(250, dtype=np.uint8), 2)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    probabilities = network.predict(faces)
    light = np.repeat(np.arange(250), 2) / 255
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-light)), atol=1e-6)
    assert network.predict(faces[:0]).shape == (0, 2)
    assert network.predict([]).shape == (0, 2)


def test_several_threads_may_ask_at_once(write_network):
    network = OnnxNetwork(write_network(), threads=1)
    faces = [np.full((5, 48, 48), value, np.uint8) for value in range(0, 250, 5)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(network.predict, faces))
    for face, answer in zip(faces, answers, strict=True):
        np.testing.assert_array_equal(answer, network.predict(face))


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (np.zeros((48, 48), np.uint8), r"shape \(faces, 48, 48\).*faces\[None\]"),
        (np.zeros((2, 64, 64), np.uint8), r"shape \(2, 64, 64\).*find_faces"),
        (np.zeros((1, 48, 48)), r"uint8.*float64.*255"),
    ],
)
def test_faces_of_another_shape_or_type_are_an_error_that_names_the_fix(faces, message):
    with pytest.raises(UserError, match=message):
        check_faces(faces)


def test_a_file_that_is_no_such_network_is_an_error_that_names_it(write_network, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network at all")
    with pytest.raises(UserError, match=r"broken.onnx: expected an ONNX file. Received: 17 bytes"):
        OnnxNetwork(broken)
    with pytest.raises(UserError, match=r"other.onnx.*labels of its classes"):
        OnnxNetwork(write_network("other.onnx", key="author"))
    with pytest.raises(UserError, match=r"later.onnx.*format 1. Received: format 2"):
        OnnxNetwork(write_network("later.onnx", metadata={"format_version": 2}))
    with pytest.raises(UserError, match=r"nameless.onnx.*damaged .it has no class_names"):
        OnnxNetwork(write_network("nameless.onnx", metadata={"class_names": None}))
    with pytest.raises(FileNotFoundError):
        OnnxNetwork(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"class_names": [0, 1]}, "class_names cannot be"),
        ({"class_names": "dl"}, "class_names cannot be 'dl'"),
        ({"class_names": ["dark", "dark"]}, "class_names has a name twice"),
        ({"class_names": ["dark", "light", "grey"]}, "probabilities of its 3 classes"),
        ({"unsure_below": "low"}, "unsure_below cannot be 'low'"),
        ({"unsure_below": 7}, "unsure_below cannot be 7"),
        ({"format_version": [1]}, "labels of its classes"),
        ({"provenance": "home"}, "provenance cannot be 'home'"),
        ({"calibration": {"a": float("nan")}}, "labels of its classes"),
    ],
    ids=str,
)
def test_metadata_of_another_shape_are_told(metadata, message, write_network):
    with pytest.raises(UserError, match=rf"odd\.onnx: expected .*{message}"):
        OnnxNetwork(write_network("odd.onnx", metadata=metadata))


def test_what_might_never_end_or_is_too_large_is_not_read(tmp_path):
    (tmp_path / "large.onnx").touch()
    os.truncate(tmp_path / "large.onnx", 3_000_000_000)  # of holes
    for path, message in (("/dev/zero", "a folder, pipe or device"), (tmp_path / "large.onnx", "3,000,000,000")):
        with pytest.raises(UserError, match=rf"expected an ONNX file.* Received: {message}"):
            OnnxNetwork(path)
