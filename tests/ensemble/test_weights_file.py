"""Weights that people write into a file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble.weights_file import MOST_BYTES, read_weights

RUNS = ["cnn_0", "resnet_0"]


def test_weights_come_in_the_order_of_the_runs_and_sum_to_1(tmp_path):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"resnet_0": 3, "cnn_0": 1.0}))
    np.testing.assert_array_equal(read_weights(path, RUNS), [0.25, 0.75])


def test_a_file_that_is_not_there_is_an_error_with_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file of weights .*missing\.json.*one weight per run"):
        read_weights(tmp_path / "missing.json", RUNS)


def test_weights_whose_sum_overflows_are_weights(tmp_path):
    path = tmp_path / "weights.json"
    path.write_text('{"cnn_0": 1e308, "resnet_0": 1.5e308}')
    np.testing.assert_allclose(read_weights(path, RUNS), [0.4, 0.6], atol=1e-12)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cnn_0: 1", "must be a JSON file of weights, but is damaged .Expecting value"),
        ("", "Expecting value"),
        ("\udcff", "no UTF-8 text"),
        ("[1, 2]", "must hold one object.*Received: list"),
        ("[" * 100_000, "nested too deeply"),
        ('{"cnn_0": ' * 50_000, "nested too deeply"),
        ('{"cnn_0": 1}', "Missing: resnet_0. Unknown: none"),
        ('{"cnn_0": 1, "resnet_0": 1, "vgg_0": 1}', "Missing: none. Unknown: vgg_0"),
        ('{"cnn_0": 1, "resnet_0": 1, "cnn_0": 2}', "'cnn_0' stands twice"),
        ('{"cnn_0": 1, "resnet_0": -1}', "weight of resnet_0 .*0 or more. Received: -1"),
        ('{"cnn_0": 1, "resnet_0": NaN}', "NaN is no number"),
        ('{"cnn_0": 1, "resnet_0": 1e999}', "1e999 is too large"),
        ('{"cnn_0": 1, "resnet_0": 1' + 400 * "0" + "}", "weight of resnet_0 .*Received: 1000"),
        ('{"cnn_0": 1, "resnet_0": 1' + 9_999 * "0" + "}", "weights.json must be a JSON file of weights|1000"),
        ('{"cnn_0": "1", "resnet_0": 1}', "weight of cnn_0 .*Received: 1"),
        ('{"cnn_0": true, "resnet_0": 1}', "weight of cnn_0 .*Received: True"),
        ('{"cnn_0": null, "resnet_0": 1}', "weight of cnn_0 .*Received: None"),
        ('{"cnn_0": 0, "resnet_0": 0}', "at least one run a weight above 0"),
        (" " * (MOST_BYTES + 1), "at most 1,048,576 bytes. Received: 1,048,577"),
    ],
    ids=lambda value: value[:30],
)
def test_a_file_that_does_not_give_each_run_its_weight_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "weights.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=message) as told:
        read_weights(path, RUNS)
    assert "weights.json" in str(told.value) and "\n" not in str(told.value) and len(str(told.value)) < 600


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


FILES = st.dictionaries(st.sampled_from([*RUNS, "vgg_0"]), VALUES, max_size=3).map(json.dumps).map(str.encode)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | FILES)
def test_whatever_a_file_holds_it_is_weights_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("weights") / "weights.json"
    path.write_bytes(content)
    try:
        weights = read_weights(path, RUNS)
    except UserError as told:
        assert str(path) in str(told)
    else:
        assert weights.shape == (2,) and (weights >= 0).all() and abs(weights.sum() - 1) < 1e-9
