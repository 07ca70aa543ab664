import concurrent.futures
import os
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

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
        ({"class_names": ["dark", "\x1b[31mlight"]}, r"class_names cannot have '.x1b.31mlight'"),
        ({"class_names": ["dark", "light" * 100]}, "class_names cannot have 'lightlight"),
        ({"class_names": [str(number) for number in range(101)]}, "101 names, more than 100"),
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


def node(operation, inputs, *outputs, **attributes):
    return helper.make_node(operation, inputs.split(), outputs, **attributes)


def loop(operation):
    number, condition = (helper.make_tensor_value_info(*one, []) for one in (("i", 7), ("c", TensorProto.BOOL)))
    value, same = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("v", "w"))
    body = [node("Identity", "c", "d"), node("Identity", "v", "w")]
    ends = [helper.make_tensor_value_info("d", TensorProto.BOOL, []), same]
    graph = helper.make_graph(body, "body", [number, condition, value], ends)
    return [node(operation, "times always one", "more", body=graph)]


def call_twice(depth):
    """Functions that call each other twice: 2**depth nodes."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    inner = {"op_type": "Neg"}
    functions = []
    for level in range(depth):
        inner = {"op_type": f"f{level - 1}", "domain": "own"} if level else inner
        nodes = [helper.make_node(inputs=[a], outputs=[b], **inner) for a, b in ("xy", "yz")]
        functions.append(helper.make_function("own", f"f{level}", ["x"], ["z"], nodes, opsets))
    return [node(f"f{depth - 1}", "one", "more", domain="own")], functions


def sizes(*numbers):
    return np.array(numbers, np.int64)


MEAN = node("ReduceMean", "large", "more", keepdims=0)
ONE = np.ones((1, 1), np.float32)
MANY = [node("Expand", "one size", f"large{i}") for i in range(15)]  # computed when it is loaded
# Of a file of 1 KB: nodes, constants, functions.
GREEDY = {
    "ConstantOfShape": ([node("ConstantOfShape", "size", "large"), MEAN], {"size": sizes(3_000_000_000)}, ()),
    "Expand": ([node("Expand", "sums size", "large"), MEAN], {"size": sizes(1_500_000_000, 1, 1)}, ()),
    "Pad": ([node("Pad", "sums size", "large"), MEAN], {"size": sizes(0, 0, 0, 3_000_000_000)}, ()),
    "constants": (
        [*MANY, node("Sum", " ".join(one.output[0] for one in MANY), "large"), MEAN],
        {"one": ONE, "size": sizes(1, 200_000_000)},
        (),
    ),
    "NonZero": (
        [
            node("Expand", "faces size", "many"),
            node("NonZero", "many", "places"),
            node("Cast", "places", "large", to=1),
            MEAN,
        ],
        {"size": sizes(400_000, 1, 48, 48)},
        (),
    ),
    "Loop": (loop("Loop"), {"one": ONE, "times": np.array(2**62), "always": np.array(True)}, ()),
    "functions": (call_twice(30)[0], {"one": ONE}, call_twice(30)[1]),
}
MEASURE = """
import resource, sys
import numpy as np
from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.onnx_network import OnnxNetwork
try:
    OnnxNetwork(sys.argv[1]).predict(np.ones((200, 48, 48), np.uint8))
except UserError as error:
    print("error:", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000, "MB")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what loading takes")
@pytest.mark.parametrize("case", GREEDY)
def test_a_small_file_that_asks_for_much_memory_or_time_is_told(case, write_network, python):
    nodes, constants, functions = GREEDY[case]
    path = write_network("greedy.onnx", nodes=nodes, constants=constants, functions=functions)
    error, peak = python("-c", MEASURE, path).stdout.splitlines()
    assert error.startswith(f"error: {path}: expected ") and "xport it again" in error
    assert int(peak.split()[0]) < 1500


def test_a_network_that_enlarges_the_faces_takes_fewer_at_once(write_network, python):
    # 19 MB a face: 128 of them would be 2.4 GB.
    nodes = [
        node("Reshape", "pixels face", "grey4"),
        node("Resize", "grey4 nothing scales", "large"),
        node("ReduceMean", "large", "means", axes=[1, 2, 3], keepdims=0),
        node("Reshape", "means column", "more"),
    ]
    scales = np.array([1, 1, 45, 45], np.float32)
    constants = {"face": sizes(-1, 1, 48, 48), "nothing": np.zeros(0, np.float32), "scales": scales}
    path = write_network(nodes=nodes, constants={**constants, "column": sizes(-1, 1)})
    (peak,) = python("-c", MEASURE, path).stdout.splitlines()
    assert int(peak.split()[0]) < 1500


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([node("Log", "nought", "more")], {"nought": np.zeros((1, 2), np.float32) - 1}, "not finite"),
        ([node("ReduceMax", "sums", "least", axes=[0]), node("Expand", "least two", "more")], {}, "Received"),
    ],
    ids=["no numbers", "more rows than faces"],
)
def test_answers_that_are_no_probabilities_are_told(nodes, constants, message, write_network):
    path = write_network(nodes=nodes, constants={"two": sizes(2, 2), **constants})
    with pytest.raises(
        UserError, match=rf"tiny\.onnx: expected probabilities of shape \(1, 2\), finite.*{message}"
    ):
        OnnxNetwork(path).predict(np.ones((1, 48, 48), np.uint8))


def test_rows_that_do_not_sum_to_1_are_told(write_network):
    path = write_network(name="percent.onnx", last=[node("Mul", "chances hundred", "probabilities")])
    with pytest.raises(
        UserError, match=r"percent\.onnx: expected probabilities, each row of them with the sum 1\."
    ):
        OnnxNetwork(path).predict(np.ones((1, 48, 48), np.uint8))


def test_probabilities_of_another_type_are_told(write_network):
    path = write_network(
        last=[node("Cast", "chances", "probabilities", to=TensorProto.DOUBLE)], kind=TensorProto.DOUBLE
    )
    with pytest.raises(UserError, match=r"to probabilities of its 2 classes.*tensor\(double\)"):
        OnnxNetwork(path)
