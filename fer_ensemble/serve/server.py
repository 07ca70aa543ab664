"""Runs the application under uvicorn: where it listens, and how it ends."""

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable

import numpy as np
import uvicorn

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.stop_signals import STOP_SIGNALS
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.serve.application import build_application
from fer_ensemble.serve.connections import MOST_HEADER_BYTES, make_protocol
from fer_ensemble.serve.serve_settings import ServeSettings

ENDING_SECONDS = 10  # what is in flight may take at most, after a signal
_BACKLOG = 1024


def listen(settings: ServeSettings) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        UserError: If the address is not this machine's, or the port is taken.
    """
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UserError(
            f"Expected an address of this machine with a free port. Received: {host}, port {settings.port} "
            f"({error.strerror or error}). Give another --port, or --port=0 for any free one."
        ) from error


def address_of(listening: socket.socket, settings: ServeSettings) -> str:
    """Returns the address to open in a browser, with the token where there is one."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    host = f"[{host}]" if ":" in host else host
    # What stands after # stays in the browser: it is in no request and no log.
    return f"http://{host}:{port}/" + (f"#token={settings.token}" if settings.token else "")


def warm_up(classifier: Classifier) -> None:
    """Asks a classifier once, so that what is missing is told before anybody asks, and no request waits for it.

    Args:
        classifier: A `Classifier`.
    """
    classifier.find(np.zeros((64, 64, 3), np.uint8))
    classifier.predict(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.uint8))


def make_server(
    classifier: Classifier, settings: ServeSettings, card: str = "", ready: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """Makes a server. Its `run(sockets=[listening])` answers until a signal comes (Ctrl-C, SIGTERM), or
    `should_exit` is set, then finishes what is in flight.

    Args:
        classifier: A `Classifier`.
        settings: `ServeSettings`.
        card: What the page about the model says of it, in Markdown.
        ready: Called once requests are answered.

    Returns:
        A `uvicorn.Server`.
    """
    application, stop_reading = build_application(classifier, settings, card)
    config = uvicorn.Config(
        application,
        http=make_protocol(settings),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        timeout_graceful_shutdown=ENDING_SECONDS,
    )
    return _Server(config, stop_reading, ready)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends well on a signal in place of raising it again."""

    def __init__(self, config, stop_reading, ready):
        super().__init__(config)
        self._stop_reading, self._ready = stop_reading, ready

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets=None):
        self._stop_reading()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self):
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
