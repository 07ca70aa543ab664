"""A server as people start it, in a process of its own; and one in a thread, around any network."""

import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import urllib.parse

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install 'fer-ensemble[serve]'")

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; only what hangs takes as long


class Client:
    """Talks to a server at an address."""

    def __init__(self, address):
        parts = urllib.parse.urlsplit(address)
        self.host, self.port = parts.hostname, parts.port
        self.address = f"http://{parts.netloc}"

    def ask(self, method, path, body=None, headers=None):
        """Returns `(status, headers, content)`; the content is read as JSON where it is."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, answer.headers, json.loads(content) if is_json else content
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def post(self, path, body, kind="image/png", **headers):
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})


class Process(Client):
    """A server in a process of its own."""

    def __init__(self, *flags, **environment):
        command = [sys.executable, "-m", "fer_ensemble", "serve", "--port=0", *flags]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("Listening on "):
            raise AssertionError(f"{line}{self.process.stderr.read()}")
        super().__init__(line.removeprefix("Listening on ").strip())

    def end(self, number=signal.SIGTERM):
        """Sends a signal; returns the exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@pytest.fixture(scope="session")
def start_process():
    """Function that starts a server with flags, as a context."""

    @contextlib.contextmanager
    def start(*flags, **environment):
        server = Process(*flags, **environment)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.process.kill()
            server.process.communicate()

    return start


@pytest.fixture(scope="session")
def server(start_process):
    """One server with the network that ships, for all that does it no harm."""
    with start_process() as started:
        yield started


@pytest.fixture
def start_thread():
    """Function that serves a classifier in a thread of this process; all end with the test."""
    from fer_ensemble.serve.serve_settings import ServeSettings
    from fer_ensemble.serve.server import listen, make_server

    running = []

    def start(classifier, card="", **settings):
        settings = ServeSettings(port=0, **settings)
        listening, ready = listen(settings), threading.Event()
        server = make_server(classifier, settings, card, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.start()
        running.append((server, thread))
        assert ready.wait(PATIENCE)
        client.server = server
        return client

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture(scope="session")
def scenes():
    """The module that composes pictures of drawn faces."""
    spec = importlib.util.spec_from_file_location("scenes", pathlib.Path(__file__).with_name("scenes.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def classifier():
    """The network that ships."""
    from fer_ensemble.classifier.classifier import load

    return load()
