import numpy as np
import pytest

from fer_ensemble.data.dataset import CLASS_NAMES, VOTE_NAMES
from fer_ensemble.evaluation.voters import agreement_scores, majority_labels


def votes(**counts):
    return [counts.get(name, 0) for name in VOTE_NAMES]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"happiness": 6, "neutral": 4}, "happy"),
        ({"happiness": 5, "neutral": 5}, None),
        ({"anger": 4, "sadness": 3, "neutral": 3}, None),
        # Single votes are dropped first: 5 of the remaining 9.
        ({"anger": 5, "sadness": 4, "fear": 1}, "angry"),
        ({"contempt": 9, "anger": 1}, None),
        ({"NF": 10}, None),
        ({"unknown": 6, "anger": 4}, None),
        ({}, None),
    ],
)
def test_the_majority_is_more_than_half(counts, expected):
    labels = majority_labels(np.array([votes(**counts)], np.uint8), CLASS_NAMES)
    assert labels.tolist() == [CLASS_NAMES.index(expected) if expected else -1]


def test_a_subset_of_the_classes_has_its_own_numbers():
    table = np.array([votes(sadness=10), votes(surprise=10), votes(happiness=8, sadness=2)], np.uint8)
    assert majority_labels(table, ("happy", "sad")).tolist() == [1, -1, 0]


def test_agreement_is_counted_by_the_votes_for_the_majority():
    table = np.array([votes(happiness=10), votes(happiness=10), votes(sadness=6, fear=4), votes(NF=10)], np.uint8)
    happy, sad = CLASS_NAMES.index("happy"), CLASS_NAMES.index("sad")
    assert agreement_scores([happy, sad, sad, sad], table, CLASS_NAMES) == [
        {"votes": 6, "images": 1, "accuracy": 1.0},
        {"votes": 10, "images": 2, "accuracy": 0.5},
    ]
