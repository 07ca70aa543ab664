"""report.html in a real Chromium."""

import json
import pathlib
import re

import pytest

from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions
from tests.chromium import needs_chromium, open_page

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def report(trained, tmp_path_factory):
    """The folder of a report with faces, on real members of the sample."""
    output = tmp_path_factory.mktemp("report")
    data = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
    report_ensemble(PredictOptions(ensemble=str(trained[0]), data=str(data), output=str(output)))
    return output


@needs_chromium
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


def test_names_in_the_data_cannot_break_the_page(trained, tmp_path):
    weights = tmp_path / "<b>&.json"
    weights.write_text('{"cnn_0": 1, "cnn_1": 1, "resnet_0": 1, "resnet_1": 1}')
    report_ensemble(PredictOptions(ensemble=str(trained[0]), weights=str(weights), output=str(tmp_path)))
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;&amp;.json" in page and "<b>&" not in page
