"""Who may ask: the checks that each request passes before anything else looks at it.

A page elsewhere on the web can make its reader's browser send requests here. It may neither read an answer nor set
anything to work: its requests carry its own `Origin`, and under a name that it points at this machine (DNS
rebinding) its own name as `Host`.
"""

import hmac
import ipaddress
import json
import urllib.parse
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from fer_ensemble.serve.refusals import Refused
from fer_ensemble.serve.serve_settings import ServeSettings

# Nothing from elsewhere, nothing inline, no frames, no forms; pictures are drawn on canvases: not even data: URLs.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_KEPT_OPEN = "/api/"  # what lies below takes the token


class Guard:
    """ASGI middleware: checks `Host`, `Origin` and the token, and puts the safety headers on each answer.

    Args:
        app: What answers those who pass.
        settings: `ServeSettings`.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings):
        self._app, self._settings = app, settings
        self._token = f"Bearer {settings.token}".encode() if settings.token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_safely(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
                if not any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        try:
            self.check(scope["path"], scope["headers"])
        except Refused as refusal:
            return await send_refusal(refusal, send_safely)
        await self._app(scope, receive, send_safely)

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises `Refused` unless the request may go on.

        Args:
            path: The path that is asked for.
            headers: Pairs of bytes, the names in small letters, as in an ASGI scope.
        """
        host = self._check_host(_values(headers, b"host"))
        for origin in _values(headers, b"origin"):
            if urllib.parse.urlsplit(origin).netloc.lower() != host:
                raise Refused(403, "Expected a request from this server's own page, or from a program. "
                                   "Received: one from a page elsewhere.")  # fmt: skip
        if not path.startswith(_KEPT_OPEN):
            return
        for site in _values(headers, b"sec-fetch-site"):
            if site not in ("same-origin", "none"):
                raise Refused(403, "Expected a request from this server's own page, or from a program. "
                                   "Received: one from a page elsewhere.")  # fmt: skip
        if self._token is not None:
            given = [value for name, value in headers if name == b"authorization"]
            if len(given) != 1 or not hmac.compare_digest(given[0], self._token):
                raise Refused(401, "Expected the header `Authorization: Bearer TOKEN`, with the token that the "
                                   "server was started with.")  # fmt: skip

    def _check_host(self, hosts):
        if len(hosts) == 1 and self._is_own(_name(hosts[0])):
            return hosts[0].lower()
        raise Refused(421, "Expected this server's own address in the header `Host`. A name of your own is "
                           "allowed with `--names`.")  # fmt: skip

    def _is_own(self, name):
        if name in self._settings.allowed_names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # Rebinding takes a name: an address can be pointed nowhere else.
        return address.is_loopback or not self._settings.is_local


async def send_refusal(refusal: Refused, send: Send) -> None:
    """Sends a refusal as JSON, over ASGI."""
    body = json.dumps({"error": refusal.message}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _values(headers, wanted):
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted]


def _name(host):
    """Returns the name or address in a `Host` header, without the port; "" where it makes no sense."""
    try:
        parts = urllib.parse.urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.netloc == host and "@" not in host else ""
