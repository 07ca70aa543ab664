import itertools
import pathlib
import re

import numpy as np
import pytest

from fer_ensemble.ensemble.choice import choose
from fer_ensemble.ensemble.parts import combine_part, join_parts
from fer_ensemble.evaluation.ensemble_scores import describe_ensemble
from fer_ensemble.members.collection import Member
from fer_ensemble.members.predictions import Predictions
from fer_ensemble.report.galleries import Gallery
from fer_ensemble.report.result_page import format_html
from fer_ensemble.report.score_tables import format_report

NAMES = ("sad <b>", "happy", "neutral")


def predict(labels, first_row, seed):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(3), len(labels)) + np.eye(3)[labels]
    rows = first_row + np.arange(len(labels))
    return Predictions(rows, labels.astype(np.int8), np.zeros(len(labels), bool), (probabilities / 2).astype("f4"))


def make_member(run, fold, **settings):
    model, replica = run.split("_")
    record = {
        "class_names": list(NAMES),
        "settings": {"model": model, "replica": int(replica), "fold": fold, **settings},
        "data": {"name": "tiny.h5", "images": 200, "fingerprint": "0" * 64},
        "folds": {"folds": 4, "seed": 0, "fingerprint": "1" * 64},
        "files": {"model.keras": "2" * 64},
        "training_seconds": 60.0,
        "versions": {"keras": "3.15.1"},
        "device": "a CPU",
        "precision": "float32",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T04:04:05+00:00",
    }
    return Member(run, fold, pathlib.Path(f"exp_{fold}/{run}"), record)


@pytest.fixture(scope="module")
def results():
    """The report of 8 members of which one was trained for longer, and what else the page takes."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    pairs = list(itertools.product(("cnn_0", "resnet_0"), range(4)))
    members = [make_member(run, fold, epochs=60 if (run, fold) == ("cnn_0", 2) else 40) for run, fold in pairs]
    parts = {
        "oof": [predict(labels[50 * fold : 50 * fold + 50], 50 * fold, n) for n, (_, fold) in enumerate(pairs)],
        "PublicTest": [predict(labels[:40], 1_000, 100 + number) for number in range(8)],
    }
    parts = {name: join_parts(name, members, found) for name, found in parts.items()}
    choice = choose("oof", parts["oof"], parts["PublicTest"])
    parts = {name: combine_part(part, choice.weights) for name, part in parts.items()}
    facts = (members, ["exp_9/cnn_9"], parts, list(parts), choice, None, members[0].record["data"], "none")
    epochs = {
        "epoch": [1, 2],
        "loss": [2.0, 1.0],
        "accuracy": [0.3, 0.4],
        "val_loss": [2.0, 1.5],
        "val_accuracy": [0.3, 0.4],
    }
    histories = {member.name: epochs for member in members}
    return describe_ensemble(*facts), [member.record for member in members], histories


def test_the_page_has_every_member_and_score_and_names_cannot_break_it(results):
    report, records, histories = results
    face = {"picture": "data:,", "name": "row 7", "lines": ["says <i>"]}
    page = format_html(report, [Gallery("A title", "A note", [face])], records, histories)
    assert page.count("<svg") == 2 + 2  # reliability of each part, accuracy and loss
    assert "sad &lt;b&gt;" in page and "<b>" not in page.partition("</style>")[2].replace("</b>", "")
    assert "says &lt;i&gt;" in page
    for part in report["splits"].values():
        assert f"{100 * part['ensemble']['accuracy']:.2f}" in page
        assert all(f"{100 * part['scores'][name]['accuracy']:.2f}" in page for name in report["members"])
    assert re.search("Missing, and not in these results: exp_9/cnn_9", page)


def test_members_of_a_run_that_were_not_trained_alike_are_told_in_both_reports(results):
    report, records, histories = results
    told = "of cnn_0 differ in epochs (40 in folds 0, 1, 3; 60 in fold 2)"
    assert told in format_html(report, [], records, histories)
    assert f"NOT TRAINED ALIKE: members {told}" in format_report(report)
    alike = report | {"differing_settings": {}}
    assert "alike" not in format_html(alike, [], records, histories)
    assert "ALIKE" not in format_report(alike)
