import numpy as np
import pytest

from fer_ensemble.data.dataset import CLASS_NAMES, VOTE_NAMES
from fer_ensemble.evaluation.voters import (
    agreement_scores,
    describe_agreement,
    majority_labels,
    plurality_labels,
)

HAPPY, SAD, ANGRY = (CLASS_NAMES.index(name) for name in ("happy", "sad", "angry"))


def votes(*tables):
    return np.array([[table.get(name, 0) for name in VOTE_NAMES] for table in tables], np.uint8)


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
    labels = majority_labels(votes(counts), CLASS_NAMES)
    assert labels.tolist() == [CLASS_NAMES.index(expected) if expected else -1]


def test_a_subset_of_the_classes_has_its_own_numbers():
    table = votes({"sadness": 10}, {"surprise": 10}, {"happiness": 8, "sadness": 2})
    assert majority_labels(table, ("happy", "sad")).tolist() == [1, -1, 0]


def test_agreement_is_counted_by_the_votes_for_the_majority():
    table = votes({"happiness": 10}, {"happiness": 10}, {"sadness": 6, "fear": 4}, {"NF": 10})
    assert agreement_scores([HAPPY, SAD, SAD, SAD], table, CLASS_NAMES) == [
        {"votes": 6, "images": 1, "accuracy": 1.0},
        {"votes": 10, "images": 2, "accuracy": 0.5},
    ]


def test_the_plurality_has_more_votes_than_any_other_answer_and_need_not_be_half():
    labels, leads = plurality_labels(
        votes(
            {"happiness": 4, "neutral": 3, "sadness": 3},
            {"happiness": 5, "neutral": 5},
            {"contempt": 6, "anger": 4},
            {"NF": 10},
            {},
        ),
        CLASS_NAMES,
    )
    assert labels.tolist() == [HAPPY, -1, -1, -1, -1]
    assert leads.tolist() == [True, False, True, True, False]


def test_an_answer_that_is_none_of_the_classes_leads_and_agrees_with_no_label():
    table = votes({"happiness": 10}, {"happiness": 6, "sadness": 4}, {"contempt": 10}, {"anger": 5, "sadness": 5})
    found = describe_agreement([HAPPY, SAD, ANGRY, ANGRY], table, CLASS_NAMES)
    assert (found["images"], found["tied"]) == (3, 1)
    assert found["agree"] == pytest.approx(1 / 3)
    assert found["by_votes"] == [
        {"votes": 6, "images": 1, "agree": 0.0},
        {"votes": 10, "images": 2, "agree": 0.5},
    ]
    assert {one["name"]: one["agree"] for one in found["by_class"]} == {"happy": 1, "sad": 0, "angry": 0}


def test_images_without_a_label_do_not_count():
    assert describe_agreement([HAPPY, -1], votes({"happiness": 10}, {"sadness": 9}), CLASS_NAMES)["images"] == 1


def test_without_votes_there_is_nothing_to_tell():
    assert describe_agreement([HAPPY], None, CLASS_NAMES) is None
    assert describe_agreement([HAPPY], votes({}), CLASS_NAMES) is None
