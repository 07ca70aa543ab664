"""Faces of several requests go through the network together."""

import threading

import numpy as np
import pytest

from fer_ensemble.serve.batching_network import BatchingNetwork


class Counting:
    """A network whose answer is each face's first pixel, and which remembers the sizes of its batches."""

    class_names = ("a", "b")

    def __init__(self):
        self.batches = []

    def predict(self, faces):
        self.batches.append(len(faces))
        share = faces[:, 0, 0].astype(np.float32) / 255
        return np.stack([share, 1 - share], axis=1)


def faces_of(*values):
    return np.stack([np.full((48, 48), value, np.uint8) for value in values])


def test_requests_of_the_same_moment_are_one_batch_and_each_gets_its_own_answer():
    inner = Counting()
    network = BatchingNetwork(inner, milliseconds=60_000, expected=lambda: 3)
    answers = [network.submit(faces_of(*values)) for values in ([0], [51, 102], [255])]
    assert [answer.result()[:, 0].tolist() for answer in answers] == [
        [0],
        [pytest.approx(0.2), pytest.approx(0.4)],
        [1],
    ]
    assert inner.batches == [4]
    network.close()


def test_one_that_nobody_can_join_does_not_wait():
    network = BatchingNetwork(Counting(), milliseconds=3_600_000, expected=lambda: 1)
    assert network.predict(faces_of(255)).tolist() == [[1, 0]]
    network.close()


def test_a_batch_goes_without_those_who_are_late():
    inner = Counting()
    network = BatchingNetwork(inner, milliseconds=1, expected=lambda: 2)
    assert network.predict(faces_of(255)).tolist() == [[1, 0]]
    assert inner.batches == [1]
    network.close()


def test_it_is_what_it_wraps_in_all_else():
    network = BatchingNetwork(Counting())
    assert network.class_names == ("a", "b")
    network.close()


def test_a_failure_reaches_each_of_the_batch_and_the_next_is_answered():
    class Failing(Counting):
        def predict(self, faces):
            if faces[0, 0, 0] == 7:
                raise ValueError("seven")
            return super().predict(faces)

    network = BatchingNetwork(Failing(), milliseconds=60_000, expected=lambda: 2)
    answers = [network.submit(faces_of(7)), network.submit(faces_of(8))]
    for answer in answers:
        with pytest.raises(ValueError, match="seven"):
            answer.result()
    network.submit(faces_of(255))
    assert network.predict(faces_of(255)).tolist() == [[1, 0]]
    network.close()


def test_what_was_given_up_never_goes_through_the_network():
    inner = Counting()
    network = BatchingNetwork(inner, milliseconds=60_000, expected=lambda: 3)
    kept, given_up = network.submit(faces_of(255)), network.submit(faces_of(0, 0))
    assert given_up.cancel()
    network.submit(faces_of(255))
    assert kept.result().tolist() == [[1, 0]]
    assert inner.batches == [2]
    network.close()


def test_closing_answers_what_was_asked_and_then_no_more():
    network = BatchingNetwork(Counting(), milliseconds=0)
    answers = [network.submit(faces_of(255)) for _ in range(50)]
    network.close()
    assert all(answer.result().tolist() == [[1, 0]] for answer in answers)
    with pytest.raises(RuntimeError, match="closed"):
        network.predict(faces_of(0))


def test_many_threads_get_their_own_answers():
    network = BatchingNetwork(Counting(), milliseconds=1)
    wrong = []

    def ask(value):
        for _ in range(20):
            if network.predict(faces_of(value))[0, 0] != np.float32(value) / 255:
                wrong.append(value)

    threads = [threading.Thread(target=ask, args=(value,)) for value in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    network.close()
