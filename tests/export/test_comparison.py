import dataclasses

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.export.comparison import Comparison, check, compare, describe

SAME = Comparison(faces=500, difference=0.0, changed=0, labelled=500, source_accuracy=0.7, accuracy=0.7)


def test_faces_without_label_count_for_the_decisions_but_not_for_the_accuracy():
    found = compare([[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.4, 0.6]], [0, -1])
    assert found == Comparison(faces=2, difference=0.2, changed=1, labelled=1, source_accuracy=1.0, accuracy=1.0)


def test_without_labels_there_is_no_accuracy():
    found = compare([[0.9, 0.1]], [[0.9, 0.1]], [-1])
    assert found.accuracy is None
    assert "accuracy" not in describe(found)


@pytest.mark.parametrize(
    ("quantize", "change", "message"),
    [
        ("none", {"difference": 1.1e-4}, "to 0.0001. Received a difference of 0.00011"),
        ("float16", {"changed": 1}, "at most 0.1% of the decisions. Received 1 of 500"),
        ("int8", {"accuracy": 0.694}, "at most 0.5 points .* loss of 0.60 points on 500 faces"),
        ("int8_weights", {"accuracy": 0.694}, "at most 0.5 points"),
        ("none", {"difference": np.nan}, "no numbers"),
    ],
)
def test_what_differs_too_much_is_an_error(quantize, change, message):
    with pytest.raises(UserError, match=message):
        check(dataclasses.replace(SAME, **change), quantize, most_loss=0.5)


@pytest.mark.parametrize(
    ("quantize", "change"),
    [
        ("none", {"difference": 0.9e-4}),
        ("float16", {"difference": 0.01, "changed": 3, "faces": 3589}),
        ("int8", {"difference": 0.2, "changed": 20, "accuracy": 0.696}),
        ("int8", {"accuracy": 0.72}),
    ],
)
def test_what_differs_little_enough_is_none(quantize, change):
    check(dataclasses.replace(SAME, **change), quantize, most_loss=0.5)
