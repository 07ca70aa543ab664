"""Limits: what is too much is refused at once, and all comes back to normal."""

import socket
import threading
import time

import numpy as np
import pytest

from fer_ensemble.classifier.classifier import Classifier

FACE = bytes(48 * 48)
RAW = "application/octet-stream"


class Held:
    """A network that answers only when it is let go."""

    class_names = ("happy", "sad")
    unsure_below = 0.4

    def __init__(self):
        self.about = {}
        self.go = threading.Event()

    def predict(self, faces):
        self.go.wait(60)
        return np.tile(np.array([[0.75, 0.25]], np.float32), (len(faces), 1))


@pytest.fixture
def held():
    network = Held()
    yield network
    network.go.set()


def ask_in_threads(client, count):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.post("/api/predict", FACE, RAW)))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, answers


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def busy(client):
    return client.get("/health")[2]["requests"]


def test_a_full_server_says_when_to_come_back_and_then_answers(start_thread, held):
    client = start_thread(Classifier(held), waiting=3)
    threads, answers = ask_in_threads(client, 3)
    wait_until(lambda: busy(client) == 3)
    status, headers, answer = client.post("/api/predict", FACE, RAW)
    assert (status, headers["Retry-After"], set(answer)) == (503, "1", {"error"})
    held.go.set()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [200] * 3
    assert client.post("/api/predict", FACE, RAW)[0] == 200
    assert busy(client) == 0


def test_bytes_are_counted_over_all_requests(start_thread, held):
    client = start_thread(Classifier(held), waiting_megabytes=0.01)
    threads, _ = ask_in_threads(client, 4)
    wait_until(lambda: busy(client) == 4)
    assert client.post("/api/predict", FACE, RAW)[0] == 503  # the fifth would make 11,520 bytes
    held.go.set()
    for thread in threads:
        thread.join()
    assert client.post("/api/predict", FACE, RAW)[0] == 200


def test_an_answer_that_takes_too_long_is_given_up(start_thread, held):
    client = start_thread(Classifier(held), answer_seconds=0.1)
    status, headers, _ = client.post("/api/predict", FACE, RAW)
    assert (status, headers["Retry-After"]) == (503, "1")
    held.go.set()
    wait_until(lambda: client.post("/api/predict", FACE, RAW)[0] == 200)


def test_time_and_faces_are_those_of_all_pictures_of_a_request(start_thread, held, scenes):
    picture = scenes.encode(scenes.compose([scenes.drawn("happy")] * 2, [(10, 10), (220, 10)], (430, 220)), "JPEG")
    part = b'--frontier\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n' + picture
    form, kind = part + b"\r\n" + part + b"\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier"
    client = start_thread(Classifier(held), faces=3, answer_seconds=60)
    held.go.set()
    status, _, answer = client.post("/api/faces", form, kind)
    assert (status, len(answer["faces"]), answer["left_out"]) == (200, 3, 1)

    class Slow(Held):
        def predict(self, faces):
            time.sleep(0.6)
            return super().predict(faces)

    slow = Slow()
    slow.go.set()
    client = start_thread(Classifier(slow), answer_seconds=1)
    assert client.post("/api/faces", form, kind)[0] == 503


def test_too_many_faces_too_many_bytes_too_many_pixels(start_thread, held, scenes):
    held.go.set()
    client = start_thread(Classifier(held), faces=2, megabytes=0.5, megapixels=0.3)
    assert client.post("/api/predict", 2 * FACE, RAW)[0] == 200
    status, _, answer = client.post("/api/predict", 3 * FACE, RAW)
    assert status == 413 and "at most 2 faces" in answer["error"]
    status, _, answer = client.post("/api/predict", bytes(500_001), RAW)
    assert status == 413 and "500,000 bytes" in answer["error"]
    status, _, answer = client.post("/api/faces", scenes.encode(scenes.party(), "JPEG"))
    assert status == 413 and "at most 0.3 megapixels. Received: 800 x 500" in answer["error"]
    small = scenes.compose([scenes.drawn("happy")] * 3, [(10, 10), (220, 10), (430, 10)], (640, 220))
    status, _, answer = client.post("/api/faces", scenes.encode(small, "JPEG"))
    assert (status, len(answer["faces"]), answer["left_out"]) == (200, 2, 1)


def test_a_body_of_unknown_length_stops_at_the_limit(start_thread, held):
    held.go.set()
    client = start_thread(Classifier(held), megabytes=0.1)

    def pieces():
        for _ in range(200):
            yield bytes(1000)

    try:
        status = client.post("/api/predict", pieces(), RAW)[0]
    except (BrokenPipeError, ConnectionResetError):
        status = 413
    assert status == 413


def connect(client, sent):
    connection = socket.create_connection((client.host, client.port), timeout=60)
    connection.sendall(sent)
    return connection


def read_all(connection):
    try:
        return b"".join(iter(lambda: connection.recv(65_536), b""))
    except ConnectionResetError:
        return b""


HEAD = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"


def test_a_slow_body_is_told_so(start_thread, held):
    client = start_thread(Classifier(held), body_seconds=0.2)
    with connect(client, HEAD + b"Content-Length: 2304\r\n\r\nabc") as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def test_slow_headers_and_silence_end_the_connection(start_thread, held):
    client = start_thread(Classifier(held), header_seconds=0.2)
    for sent in (b"", HEAD[:20]):
        with connect(client, sent) as connection:
            assert read_all(connection) == b""
    assert client.get("/health")[0] == 200


def test_a_body_that_goes_on_after_the_answer_ends_the_connection(start_thread, held):
    client = start_thread(Classifier(held), megabytes=0.01, header_seconds=0.3)
    with connect(client, HEAD + b"Content-Length: 999999\r\n\r\nabc") as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 413")


def test_one_connection_too_many_is_told_to_come_back(start_thread, held):
    client = start_thread(Classifier(held), connections=2)
    with connect(client, b""), connect(client, b""):
        wait_until(lambda: len(client.server.server_state.connections) == 2)
        with connect(client, b"") as third:
            answer = read_all(third)
    assert answer.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in answer
    wait_until(lambda: not client.server.server_state.connections)
    assert client.get("/health")[0] == 200


def test_the_end_does_not_wait_for_a_body_that_does_not_come(start_thread, held):
    client = start_thread(Classifier(held), body_seconds=3000)
    with connect(client, HEAD + b"Content-Length: 2304\r\n\r\nabc") as connection:
        wait_until(lambda: busy(client) == 1)
        client.server.should_exit = True
        assert read_all(connection).startswith(b"HTTP/1.1 408")


def test_a_client_that_leaves_leaves_nothing_behind(start_thread, held):
    client = start_thread(Classifier(held))
    connection = connect(client, HEAD + b"Content-Length: 2304\r\n\r\nabc")
    wait_until(lambda: busy(client) == 1)
    connection.close()
    wait_until(lambda: busy(client) == 0)


def test_a_fault_of_ours_is_a_500_without_details(start_thread, caplog):
    class Broken(Held):
        def predict(self, faces):
            raise ZeroDivisionError("secret")

    client = start_thread(Classifier(Broken()))
    status, _, answer = client.post("/api/predict", FACE, RAW)
    assert status == 500 and "secret" not in answer["error"]
    wait_until(lambda: "ZeroDivisionError" in caplog.text)  # it is told after the answer
    assert client.get("/health")[0] == 200
