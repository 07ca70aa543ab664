"""The server as people start it: answers, refusals, the end."""

import base64
import signal
import socket
import struct
import threading
import zlib

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("serve")  # one server for all of them

GOOD = {"box", "landmarks", "detector_score", "expression", "probability", "probabilities", "unsure"}


@pytest.fixture(scope="module")
def party(scenes):
    return scenes.party()


@pytest.fixture(scope="module")
def picture(party, scenes):
    return scenes.encode(party)


def decode_crop(record):
    return np.frombuffer(base64.b64decode(record["crop"]), np.uint8).reshape(48, 48)


def test_the_faces_of_a_picture_are_those_that_load_finds(server, classifier, picture, party):
    status, headers, answer = server.post("/api/faces?crops=true", picture)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    expected = [face.to_record(id=number) for number, face in enumerate(classifier.find_faces(party))]
    assert len(expected) == 5
    crops = np.stack([decode_crop(record) for record in answer["faces"]])
    probabilities = classifier.predict(crops)
    for record, should, row in zip(answer["faces"], expected, probabilities, strict=True):
        assert set(record) == set(should) | {"crop"} and set(record) > GOOD
        assert record["box"] == should["box"] and record["expression"] == should["expression"]
        given = [record["probabilities"][name] for name in classifier.class_names]
        assert given == pytest.approx(row.tolist(), abs=2e-6)  # of six digits, in batches of another size
        assert sum(given) == pytest.approx(1, abs=1e-5)


def test_explanations_are_those_of_load(server, classifier, picture, party):
    _, _, answer = server.post("/api/faces?explanations=true", picture)
    for record, face in zip(answer["faces"], classifier.find_faces(party, explain=True), strict=True):
        given = np.frombuffer(base64.b64decode(record["explanation"]), "<f4").reshape(48, 48)
        np.testing.assert_allclose(given, face.explanation, atol=1e-4)


def test_a_form_brings_several_pictures_each_with_its_name(server, picture, scenes):
    parts = [("a.png", picture), ("../../b.png", scenes.encode(scenes.party(1)))]
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="p"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in parts
    )
    status, _, answer = server.post("/api/faces", body + b"--x--\r\n", "multipart/form-data; boundary=x")
    assert status == 200
    assert [(face["file"], face["face"]) for face in answer["faces"]] == [
        *[("a.png", number) for number in range(5)],
        ("../../b.png", 0),
    ]
    assert "crop" not in answer["faces"][0]


def test_of_several_pictures_a_damaged_one_is_named_and_the_others_are_read(server, picture):
    start = b'--x\r\nContent-Disposition: form-data; name="p"; filename="%s"\r\n\r\n%s\r\n'
    body = start % (b"bad.png", b"nothing") + start % (b"good.png", picture) + b"--x--\r\n"
    status, _, answer = server.post("/api/faces", body, "multipart/form-data; boundary=x")
    assert (status, len(answer["faces"])) == (200, 5)
    assert [one["file"] for one in answer["problems"]] == ["bad.png"]


def test_a_picture_without_a_face_has_none(server, scenes):
    status, _, answer = server.post("/api/faces", scenes.encode(np.full((100, 120, 3), 90, np.uint8)))
    assert (status, answer["faces"], answer["left_out"]) == (200, [], 0)


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png"])
def test_cropped_faces_are_read_as_load_reads_them(server, classifier, scenes, kind):
    face = scenes.drawn("surprise")
    body = np.stack([face, 255 - face]).tobytes() if kind == "application/octet-stream" else scenes.encode(face)
    status, _, answer = server.post("/api/predict", body, kind)
    faces = np.stack([face, 255 - face])[: len(answer["faces"])]
    assert status == 200 and len(faces) == (2 if kind == "application/octet-stream" else 1)
    given = [[record["probabilities"][name] for name in classifier.class_names] for record in answer["faces"]]
    assert np.array(given) == pytest.approx(classifier.predict(faces), abs=1e-6)


def test_the_model_says_what_it_is(server, classifier):
    status, _, answer = server.get("/api/model")
    assert (status, answer["class_names"]) == (200, list(classifier.class_names))
    assert answer["unsure_below"] == classifier.unsure_below and answer["about"] == classifier.about


def test_health_and_the_description_of_the_interface(server):
    assert server.get("/health")[2]["status"] == "ok"
    status, _, described = server.get("/openapi.json")
    assert status == 200
    assert set(described["paths"]) == {"/api/faces", "/api/predict", "/api/model", "/health"}


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/index.html", "/modules/../page.css", "/%2e%2e/server.py", "/x"]
)
def test_nothing_else_is_served(server, path):
    status, _, answer = server.get(path)
    assert (status, set(answer)) == (404, {"error"})


@pytest.mark.parametrize("path", ["/", "/page.css", "/modules/main.js", "/health", "/api/model", "/nothing"])
def test_each_answer_carries_the_safety_headers_and_allows_no_other_origin(server, path):
    _, headers, _ = server.get(path)
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert "Server" not in headers


def test_the_page_is_not_loaded_again_while_it_is_the_same(server):
    _, headers, content = server.get("/page.css")
    status, _, nothing = server.ask("GET", "/page.css", headers={"If-None-Match": headers["ETag"]})
    assert (status, nothing) == (304, b"") and b"--accent" in content


def test_requests_from_elsewhere_are_refused(server, picture):
    assert server.get("/", Host="evil.example.org")[0] == 421
    assert server.post("/api/faces", picture, Origin="https://evil.example.org")[0] == 403
    assert server.ask("OPTIONS", "/api/faces", headers={"Origin": server.address})[0] == 405


def bomb(picture, side):
    """Returns a PNG whose head promises a square of so many pixels a side."""
    head = b"IHDR" + struct.pack(">II", side, side) + picture[24:29]
    return picture[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture[33:]


def hostile(picture):
    """Yields what no server should stumble over: name, body, content type, statuses that are right."""
    yield "truncated", picture[: len(picture) // 2], "image/png", {415}
    yield "empty", b"", "image/png", {400}
    yield "bomb", bomb(picture, 30_000), "image/png", {413}
    yield "large", bomb(picture, 8_000), "image/png", {413}
    yield "text", b"hello" * 100, "image/jpeg", {415}
    yield "json", b"{}", "application/json", {415}
    yield "postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "application/postscript", {415}
    yield "svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", {415}
    yield "too large", b"\x89PNG" + bytes(21_000_000), "image/png", {413}
    yield "broken form", b"--x\r\nnonsense", "multipart/form-data; boundary=x", {400}
    yield "noise", np.random.default_rng(0).bytes(5000), "image/webp", {415}
    yield "damaged", picture[:3000] + bytes(500) + picture[3500:], "image/png", {415}


@pytest.mark.parametrize("path", ["/api/faces", "/api/predict"])
def test_hostile_uploads_are_refused_in_a_sentence_and_the_next_good_one_is_answered(server, picture, path):
    for name, body, kind, expected in hostile(picture):
        status, _, answer = server.post(path, body, kind)
        assert status in expected and set(answer) == {"error"}, name
    assert server.post("/api/faces", picture)[0] == 200


def test_wrong_parameters_are_named(server, picture):
    for query, name in (("detection_size=9", "detection_size"), ("crop=true", "crop")):
        status, _, answer = server.post(f"/api/faces?{query}", picture)
        assert status == 422 and f"`{name}`" in answer["error"]


def talk(server, sent):
    """Sends bytes over a connection; returns all that comes back until the server closes it."""
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_headers_too_large_or_no_http_at_all_end_the_connection(server):
    assert talk(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000).startswith(b"HTTP/1.1 400")
    assert talk(server, b"\x16\x03\x01 this is no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_nothing_is_written_and_nothing_is_logged(start_process, picture, tmp_path):
    with start_process(TMPDIR=str(tmp_path), HOME=str(tmp_path)) as server:
        body = b'--x\r\nContent-Disposition: form-data; name="p"; filename="secret.png"\r\n\r\n' + picture
        for _ in range(3):
            assert server.post("/api/faces", body + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")[0] == 200
            assert server.post("/api/faces", picture[:2000])[0] == 415
            assert server.post("/api/faces", b"nonsense", "multipart/form-data; boundary=x")[0] == 400
        code, said = server.end(signal.SIGINT)
    assert (code, said) == (0, "Ctrl-C ends it.\n")
    assert not list(tmp_path.rglob("*"))


def test_a_token_is_asked_for_and_taken_from_the_environment(start_process):
    token = "0123456789abcdef"
    with start_process(FER_ENSEMBLE_TOKEN=token) as server:
        assert server.get("/")[0] == 200  # the page, which is no secret
        status, headers, _ = server.get("/api/model")
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert server.get("/api/model", Authorization=f"Bearer {token}")[0] == 200


def test_another_host_without_a_token_is_an_error_in_one_line(python):
    ended = python("-m", "fer_ensemble", "serve", "--host=0.0.0.0", "--port=0")
    assert ended.returncode == 1 and "takes a token" in ended.stderr and ended.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_an_error_in_one_line(python, server):
    ended = python("-m", "fer_ensemble", "serve", f"--port={server.port}")
    assert ended.returncode == 1 and "--port=0" in ended.stderr and ended.stderr.count("\n") == 1


def test_a_signal_lets_what_is_in_flight_finish(start_process, picture):
    with start_process() as server:
        statuses = []
        ask = [
            threading.Thread(target=lambda: statuses.append(server.post("/api/faces", picture)[0]))
            for _ in range(6)
        ]
        idle = socket.create_connection((server.host, server.port))
        for thread in ask:
            thread.start()
        while server.get("/health")[2]["requests"] < 2 and not statuses:
            pass
        code, _ = server.end(signal.SIGTERM)
        for thread in ask:
            thread.join()
        idle.close()
    assert code == 0
    assert set(statuses) <= {200} and statuses
