import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.evaluation.answers import ask, check_classes

FACES = np.zeros((2, 48, 48), np.uint8)


class Network:
    class_names = ("sad", "happy")

    def predict(self, faces):
        return np.array([[0.9, 0.1], [0.3, 0.7]], np.float32)


class Pair(Network):
    def predict_members(self, faces):
        return np.array([[[0.6, 0.4], [0.2, 0.8]], [[0.4, 0.6], [0.3, 0.7]]], np.float32)

    def combine(self, members):
        return members.mean(axis=0)


def test_answers_come_in_the_order_that_is_wanted():
    np.testing.assert_allclose(ask(Network(), FACES, ("happy", "sad")).probabilities, [[0.1, 0.9], [0.7, 0.3]])
    assert ask(Network(), FACES, ("happy", "sad")).members is None


def test_the_members_of_an_ensemble_answer_each_by_itself():
    answers = ask(Pair(), FACES, ("happy", "sad"))
    np.testing.assert_allclose(answers.probabilities, [[0.5, 0.5], [0.75, 0.25]])
    np.testing.assert_array_equal(answers.members, [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\)"),
        (np.zeros(2), r"shape \(2,\)"),
        (np.full((2, 2), np.nan), "no numbers"),
        (np.array([[1.5, -0.5], [0, 1]]), "negative ones"),
        (np.array([[3.0, 1], [0, 1]]), "do not sum to 1"),
    ],
    ids=["classes", "flat", "NaN", "negative", "logits"],
)
def test_answers_that_are_no_probabilities_are_told(answers, message):
    network = Network()
    network.predict = lambda faces: answers
    with pytest.raises(UserError, match=rf"probabilities of shape \(2, 2\)\. Received: .*{message}"):
        ask(network, FACES, ("happy", "sad"))


def test_other_classes_than_those_of_the_data_are_told():
    check_classes(Network(), ("happy", "sad"), "mine.onnx")
    with pytest.raises(UserError, match=r"mine\.onnx must have the classes of the data \(happy, angry\)"):
        check_classes(Network(), ("happy", "angry"), "mine.onnx")
