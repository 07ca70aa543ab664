"""The body of a request, taken apart."""

import pytest

from fer_ensemble.serve.refusals import Refused
from fer_ensemble.serve.uploads import MOST_PARTS, parse_uploads
from fer_ensemble.serve.work import is_raw

FORM = "multipart/form-data; boundary=frontier"


def form(*parts):
    pieces = [
        f'--frontier\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, kind, content in parts
    ]
    return b"".join(pieces) + b"--frontier--\r\n"


def test_a_body_that_is_no_form_is_one_file():
    (upload,) = parse_uploads(b"\x89PNG", "image/png; charset=x")
    assert (upload.content, upload.name, upload.content_type) == (b"\x89PNG", "", "image/png")


def test_each_part_of_a_form_is_a_file_with_its_name():
    uploads = parse_uploads(form(("a.png", "image/png", b"one\r\n--front"), ("ü b.jpg", "image/jpeg", b"")), FORM)
    assert [(one.name, one.content, one.content_type) for one in uploads] == [
        ("a.png", b"one\r\n--front", "image/png"),
        ("ü b.jpg", b"", "image/jpeg"),
    ]


def test_only_a_body_is_taken_for_grey_values():
    raw = "application/octet-stream"
    assert is_raw(parse_uploads(bytes(2304), raw))
    # As `curl -F face=@face.webp` sends it, whatever its length.
    assert not is_raw(parse_uploads(form(("face.webp", raw, bytes(2304))), FORM))


def test_what_curl_calls_a_form_is_a_file_too():
    (upload,) = parse_uploads(b"\x89PNG", "application/x-www-form-urlencoded")
    assert upload.content == b"\x89PNG"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"{}", "application/json", 415),
        (b"<p>", "text/html", 415),
        (b"", FORM, 400),
        (b"nonsense", FORM, 400),
        (form(("a.png", "image/png", b"one"))[:-20], FORM, 400),
        (form(("a.png", "image/png", b"one")), "multipart/form-data", 400),
        (form(("a.png", "image/png", b"one")), "multipart/form-data; boundary=" + 500 * "x", 400),
        (b"--frontier\r\n" + b"x" * 100_000, FORM, 400),
        (form(*[("a", "b", b"")] * (MOST_PARTS + 1)), FORM, 413),
        (b"--frontier--\r\n", FORM, 400),
    ],
)
def test_what_is_no_file_is_refused(body, kind, status):
    with pytest.raises(Refused) as error:
        parse_uploads(body, kind)
    assert error.value.status == status
