import pytest

from fer_ensemble.data.classes import find_class, parse_classes
from fer_ensemble.data.dataset import CLASS_NAMES


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("anger", "angry"), ("Disgusted", "disgust"), ("fearful", "fear"), ("happiness", "happy"),
        ("SADNESS", "sad"), ("surprised", "surprise"), ("neutral", "neutral"), ("contempt", None), ("", None),
    ],
)  # fmt: skip
def test_usual_variants_stand_for_a_class(given, known):
    assert find_class(given) == known


def test_classes_come_in_the_given_order():
    assert parse_classes("neutral, anger,happy") == ("neutral", "angry", "happy")
    assert parse_classes(["sad", "fear"]) == ("sad", "fear")


def test_nothing_keeps_all_classes():
    assert parse_classes("") == parse_classes(()) == CLASS_NAMES


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("angry,joyful", r"`classes` must be among angry, .*neutral\. Received: 'joyful'\."),
        ("angry,anger", r"at least two different names\. Received: angry, anger\."),
        (" ,", r"`classes` must be names with commas between them\. Received: ' ,'"),
        ("angry", r"at least two different names\. Received: angry\."),
    ],
)
def test_an_unknown_a_double_or_a_lone_class_is_an_error(classes, message):
    with pytest.raises(ValueError, match=message):
        parse_classes(classes)


def test_a_known_class_that_the_set_lacks_is_an_error():
    with pytest.raises(ValueError, match=r"must be among sad, fear\. Received: 'angry'"):
        parse_classes("angry,sad", ("sad", "fear"))
