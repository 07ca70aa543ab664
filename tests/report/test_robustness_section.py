import io
import re

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.evaluation.answers import Answers
from fer_ensemble.evaluation.corruptions import CORRUPTIONS, corrupt
from fer_ensemble.evaluation.robustness import (
    CONDITIONS,
    accuracies_of,
    compare_with_baseline,
    describe_robustness,
)
from fer_ensemble.report.corruption_pictures import draw_sheet, draw_strips
from fer_ensemble.report.robustness_plots import draw_corruption_curves, draw_reliabilities, draw_risk_curves
from fer_ensemble.report.robustness_section import format_robustness


def robustness(members=False, baseline=None):
    """Of four faces, as many are wrong as the strength is, at most three; a member by itself errs once more."""
    labels = np.array([0, 1, 0, 1])
    answers = {}
    for name, strength in CONDITIONS:
        predicted = np.where(np.arange(4) < min(strength, 3), 1 - labels, labels)
        own = np.where(np.arange(4) < min(strength + 1, 3), 1 - labels, labels)
        answers[name, strength] = Answers(
            np.where(np.eye(2)[predicted] == 1, 0.7, 0.3), own[None].astype(np.int8) if members else None
        )
    found = {
        "network": {"name": "mine", "sha256": None},
        "faces": "PublicTest",
        "images": 4,
        "unsure_below": 0.5,
        **describe_robustness(answers, labels, 0.5),
    }
    return compare_with_baseline(found, baseline)


def test_the_section_has_a_row_for_each_corruption_and_the_numbers_of_the_file():
    section = format_robustness(robustness())
    assert [section.count(f"<tr><th>{one.title}</th>") for one in CORRUPTIONS.values()] == [1] * 13
    row = re.search(r"<tr><th>JPEG</th>(.*)</tr>", section)[1]
    assert re.findall(r">([\d.]+)<", row) == ["100.0", "75.0", "50.0", "25.0", "25.0", "25.0", "40.0"]
    assert "60.0 % of the accuracy is lost" in section
    assert "members" not in section and "baseline" not in section and "What that looks like" not in section


def test_an_ensemble_is_shown_beside_its_members_and_the_baseline():
    section = format_robustness(robustness(members=True, baseline=robustness()))
    row = re.search(r"<tr><th>JPEG</th>(.*)</tr>", section)[1]
    # Six accuracies, their mean without the clean one, that of the members, and the error against the baseline's.
    assert re.findall(r">([\d.]+)<", row)[6:] == ["40.0", "30.0", "100"]
    assert "The mean corruption error is 100.0 % of that of mine." in section
    assert "its members' mean" in section.replace("&#39;", "'") and ">baseline: mine<" in section


def test_faces_are_shown_at_every_strength():
    face = draw_sample(168, 0)[0][0]
    section = format_robustness(robustness(), draw_strips(face))
    assert section.count('src="data:image/png;base64,') == 13


def test_a_sheet_shows_each_corruption_in_a_row():
    face = draw_sample(168, 0)[0][0]
    sheet = np.asarray(Image.open(io.BytesIO(draw_sheet(face))))
    row = list(CORRUPTIONS).index("eyes_covered")
    top, left = 30 + row * 100, sheet.shape[1] - 6 * 100 + 4
    shown = sheet[top : top + 96 : 2, left + 300 : left + 396 : 2]
    np.testing.assert_array_equal(shown, corrupt(face[None], "eyes_covered", 3)[0])


@pytest.mark.parametrize(
    "svg",
    [
        lambda: draw_corruption_curves({"a": accuracies_of(robustness())}, {"jpeg": "JPEG"}, "one"),
        lambda: draw_risk_curves({"a": [[0.5, 0.1], [1, 0.3]], "b": [[0.5, 0.2], [1, 0.2]]}, "two"),
        lambda: draw_reliabilities({"a": [{"images": 20, "confidence": 0.8, "accuracy": 0.7}]}, "three"),
    ],
)
def test_plots_are_the_same_text_each_time(svg):
    assert svg() == svg() and svg().startswith("<svg")
