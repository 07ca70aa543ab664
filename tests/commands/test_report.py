"""report.html in a real Chromium, spoken to over a pipe (https://chromedevtools.github.io/devtools-protocol/)."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium():
    """Returns the path of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_page(url, width=1280, dark=False):
    """Opens a page in a headless Chromium, and gives a `Page` that has loaded."""
    with tempfile.TemporaryDirectory() as profile:
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
        ]
        flags += ["--no-first-run", f"--user-data-dir={profile}", "--disable-background-networking"]
        # Chromium listens on file descriptor 3 and answers on 4.
        command = ["bash", "-c", f'exec "$0" "$@" 3<&{in_read} 4>&{out_write}', find_chromium(), *flags]
        process = subprocess.Popen(
            command, pass_fds=(in_read, out_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(in_read)
        os.close(out_write)
        try:
            with os.fdopen(in_write, "wb", buffering=0) as commands, os.fdopen(out_read, "rb") as answers:
                page = Page(commands, answers)
                page.open(url, width, dark)
                yield page
        finally:
            process.kill()
            process.wait()


class Page:
    """A page and what happened on it: `requests`, a list of URLs, and `errors`, a list of texts."""

    def __init__(self, commands, answers):
        self._commands, self._answers = commands, answers
        self._last, self._session, self._loaded = 0, {}, False
        self.requests, self.errors = [], []

    def open(self, url, width, dark):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._receive()

    def call(self, method, **parameters):
        """Calls a method of the protocol, and returns its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters, **self._session}
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, expression):
        """Returns the value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def _receive(self):
        text = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium ended.")
            text += byte
        message = json.loads(text)
        event, details = message.get("method"), message.get("params", {})
        if event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(details["exceptionDetails"]["text"])
        elif event == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.errors.append(details["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning"):
            self.errors.append(str(details["args"]))
        elif event == "Page.loadEventFired":
            self._loaded = True
        return message


@pytest.fixture(scope="module")
def report(trained, run_command, tmp_path_factory):
    """The folder of a report with faces, on real members of the sample."""
    output = tmp_path_factory.mktemp("report")
    data = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
    answer = run_command("predict.py", "--ensemble", trained[0], f"--data={data}", f"--output={output}")
    assert answer.returncode == 0, answer.stderr
    return output


@pytest.mark.skipif(not find_chromium(), reason="no Chromium here: apt-get install chromium, or CHROMIUM=its path")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_loads_in_chromium_without_errors_or_outside_requests(report, width, dark):
    url = (report / "report.html").as_uri()
    with open_page(url, width, dark) as page:
        assert page.errors == []
        assert [request for request in page.requests if not request.startswith("data:")] == [url]
        # Nothing but tables, in frames of their own, is wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].filter(image => image.naturalWidth != 48).length") == 0
        assert page.evaluate("document.images.length") > 24
        assert page.evaluate("document.querySelectorAll('svg path').length") > 50
        grey = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] | 0")
        assert (grey < 50) == dark
        accuracy = json.loads((report / "scores.json").read_text())["splits"]["PrivateTest"]["ensemble"][
            "accuracy"
        ]
        headline = page.evaluate("document.querySelector('.headline').innerText")
        assert headline.startswith(f"{100 * accuracy:.2f} %") and headline.endswith("PrivateUse")


def test_the_page_points_to_nothing_but_itself(report):
    page = (report / "report.html").read_text()
    assert not re.search('<script|<link(?! rel="icon" href="data:,")|@import', page)
    targets = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')>\s]+)""", page)
    assert len(targets) > 24
    assert {target for target in targets if not target.startswith(("#", "data:"))} == set()
    anchors = {target[1:] for target in targets if target.startswith("#")}
    assert anchors <= set(re.findall(r' id="([^"]+)"', page))


def test_names_in_the_data_cannot_break_the_page(trained, run_command, tmp_path):
    weights = tmp_path / "<b>&.json"
    weights.write_text('{"cnn_0": 1, "cnn_1": 1, "resnet_0": 1, "resnet_1": 1}')
    answer = run_command("predict.py", "--ensemble", trained[0], f"--weights={weights}", f"--output={tmp_path}")
    assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;&amp;.json" in page and "<b>&" not in page
