"""Who may ask."""

import pytest

from fer_ensemble.serve.guard import CONTENT_SECURITY_POLICY, Guard
from fer_ensemble.serve.refusals import Refused
from fer_ensemble.serve.serve_settings import ServeSettings

TOKEN = "0123456789abcdef"
LOCAL = ServeSettings()
OPEN = ServeSettings(host="0.0.0.0", token=TOKEN, names="lab.example.org")


def check(settings, path="/api/model", **headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    Guard(None, settings).check(path, pairs)


def refused(settings, status, path="/api/model", **headers):
    with pytest.raises(Refused) as error:
        check(settings, path, **headers)
    return error.value.status == status


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8048", "localhost:1", "LocalHost", "[::1]:8048"])
def test_a_local_server_answers_to_its_own_names(host):
    check(LOCAL, host=host)


@pytest.mark.parametrize(
    "host",
    ["evil.example.org", "evil.example.org:8048", "localhost.evil.example.org", "192.168.0.7", "", "127.0.0.1:x",
     "user@127.0.0.1", "127.0.0.1/", "[::1", "127.0.0.1:99999"],
)  # fmt: skip
def test_a_name_pointed_at_this_machine_is_refused(host):
    assert refused(LOCAL, 421, "/", host=host)


def test_a_request_without_or_with_two_hosts_is_refused():
    assert refused(LOCAL, 421)
    with pytest.raises(Refused):
        Guard(None, LOCAL).check("/", [(b"host", b"localhost"), (b"host", b"localhost")])


def test_an_open_server_answers_to_addresses_and_to_the_names_it_was_given():
    token = f"Bearer {TOKEN}"
    for host in ("192.168.0.7:8048", "lab.example.org", "127.0.0.1"):
        check(OPEN, host=host, authorization=token)
    assert refused(OPEN, 421, host="evil.example.org", authorization=token)


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "http://localhost:3000", "null", "http://127.0.0.1"]
)
def test_a_page_elsewhere_is_refused(origin):
    assert refused(LOCAL, 403, host="localhost:8048", origin=origin)


def test_the_own_page_is_not():
    check(LOCAL, host="localhost:8048", origin="http://localhost:8048", sec_fetch_site="same-origin")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_a_page_elsewhere_sent_without_origin_is_refused(site):
    assert refused(LOCAL, 403, host="localhost:8048", sec_fetch_site=site)
    check(LOCAL, "/", host="localhost:8048", sec_fetch_site=site)  # a link to the page is one, too


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}])
def test_without_the_token_nothing_below_api_answers(given):
    assert refused(OPEN, 401, host="127.0.0.1", **given)
    check(OPEN, "/health", host="127.0.0.1", **given)


def test_the_page_may_load_and_send_nothing_elsewhere():
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'self';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY and "http" not in CONTENT_SECURITY_POLICY
