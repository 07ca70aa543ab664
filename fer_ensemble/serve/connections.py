"""Connections that send nothing, or drop by drop, are closed; and there are not more of them than allowed."""

import socket
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

from fer_ensemble.serve.refusals import BUSY_SECONDS
from fer_ensemble.serve.serve_settings import ServeSettings

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: %d\r\n\r\n"
    % BUSY_SECONDS
)
MOST_HEADER_BYTES = 16_384


def make_protocol(settings: ServeSettings) -> type[H11Protocol]:
    """Returns a protocol class for uvicorn that keeps to the limits of `ServeSettings`."""
    request_seconds = settings.header_seconds + settings.body_seconds + settings.answer_seconds + 10

    class Connection(H11Protocol):
        """One connection. uvicorn's own would wait for headers for ever."""

        def connection_made(self, transport):
            super().connection_made(transport)
            # Else the body of each answer would wait for the client to acknowledge its head: 40 ms on Linux.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._since = time.monotonic()  # the last request ended, or the connection began
            self._timer = None
            if len(self.connections) > settings.connections:
                transport.write(_FULL)
                transport.close()
                return
            self._watch()

        def data_received(self, data):
            if not self.transport.is_closing():
                super().data_received(data)

        def connection_lost(self, error):
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(error)

        def on_response_complete(self):
            self._since = time.monotonic()
            super().on_response_complete()

        def _watch(self):
            idle = self.cycle is None or self.cycle.response_complete
            left = self._since + (settings.header_seconds if idle else request_seconds) - time.monotonic()
            if left <= 0:
                self.transport.abort()
            else:
                wait = min(left, settings.header_seconds) + 0.01
                self._timer = self.loop.call_later(wait, self._watch)

    return Connection
