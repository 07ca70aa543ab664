import json

import pytest

from fer_ensemble.ensemble.prediction_tables import SCORES, read_scores
from fer_ensemble.evaluation.report_numbers import make_report

DATA = {"name": "fer2013", "images": 4, "fingerprint": "a" * 64}


def test_what_was_not_found_out_is_empty_and_can_be_read_again(tmp_path):
    report = make_report(("happy", "sad"), DATA, [], unsure_below=0.5, tta="flip")
    assert (report["data"], report["members"], report["weights"], report["tta"]) == (DATA, [], {}, "flip")
    (tmp_path / SCORES).write_text(json.dumps(report))
    assert read_scores(tmp_path) == report


def test_a_key_that_no_report_has_is_an_error():
    with pytest.raises(TypeError, match="a report has no wieghts"):
        make_report(("happy", "sad"), DATA, [], wieghts={})
