"""What a server is told."""

import urllib.parse

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.serve.guard import Guard
from fer_ensemble.serve.serve_settings import ServeSettings, is_loopback
from fer_ensemble.serve.server import address_of, listen


def test_only_this_machine_is_let_in_unless_told():
    assert ServeSettings().is_local


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "myhost", ""])
def test_another_host_takes_a_token(host):
    with pytest.raises(UserError, match=r"lets other machines in: that takes a token"):
        ServeSettings(host=host)
    assert not ServeSettings(host=host, token="a" * 16).is_local


@pytest.mark.parametrize("token", ["short", "a" * 15, "with space in it!", "ümläut" * 4])
def test_a_token_that_can_be_guessed_or_sent_wrongly_is_an_error(token):
    with pytest.raises(UserError, match="`token` must have at least 16 characters"):
        ServeSettings(token=token)


@pytest.mark.parametrize("values", [{"port": 70000}, {"megabytes": 0}, {"faces": 0}, {"waiting": -1}])
def test_a_value_out_of_its_range_is_an_error(values):
    with pytest.raises(UserError, match=f"`{next(iter(values))}` must be"):
        ServeSettings(**values)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True), ("LOCALHOST", True),
     ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_addresses_are_known(host, expected):
    assert is_loopback(host) == expected


def test_the_address_that_an_open_server_prints_is_one_that_it_answers_to():
    settings = ServeSettings(host="0.0.0.0", port=0, token="a" * 16)
    with listen(settings) as listening:
        address = urllib.parse.urlsplit(address_of(listening, settings))
    Guard(None, settings).check("/", [(b"host", address.netloc.encode())])
    assert address.fragment == "token=" + "a" * 16


def test_further_names_are_allowed():
    names = ServeSettings(host="0.0.0.0", token="a" * 16, names="Faces.local, lab").allowed_names
    assert {"faces.local", "lab", "localhost"} <= names
