"""`fer-ensemble evaluate` and `compare`, as commands, on the drawn sample and networks that a test writes."""

import csv
import json
import shutil

import pytest

from fer_ensemble.data.bundled import SAMPLE_FILE

ADAPTER = """
import numpy as np


class Network:
    class_names = ({classes})
    about = {{"bytes": 1234, "sha256": "{sha256}"}}
    unsure_below = 0.2

    def predict(self, faces):
        # A little surer of what it sees in the upper half of the face, so that answers differ.
        light = faces[:, :24].mean(axis=(1, 2), dtype=np.float64) / 255
        scores = np.stack([np.cos({turn} + number * light * 3) for number in range(7)], axis=1)
        shares = np.exp(scores)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def load_network():
    return Network()
"""
CLASSES = '"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    for name, turn in (("first", 0), ("second", 1)):
        text = ADAPTER.format(classes=CLASSES, turn=turn, sha256=name * 10)
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "few.py").write_text(ADAPTER.format(classes='"happy", "sad"', turn=0, sha256=""), encoding="utf-8")
    (folder / "empty.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return shutil.copy(SAMPLE_FILE, folder)


@pytest.fixture(scope="module")
def evaluated(folder, data, python):
    """The folder of one network's results, and the command's answer."""
    answer = python(
        "-m", "fer_ensemble", "evaluate", folder / "first.py", f"--data={data}", "--robustness", "--images=20",
        f"--output={folder / 'results'}",
    )  # fmt: skip
    return folder / "results" / "first", answer


def test_a_network_from_elsewhere_is_evaluated(evaluated):
    results, answer = evaluated
    assert answer.returncode == 0, answer.stderr
    scores = json.loads((results / "evaluation.json").read_text(encoding="utf-8"))
    assert scores["images"] == 20 and scores["faces"] == "20 of the 168 of PublicTest"
    assert scores["network"]["name"] == "first" and scores["network"]["bytes"] == 1234
    assert f"{100 * scores['accuracy']:.2f} %" in answer.stdout
    assert sum(map(sum, scores["confusion"])) == 20
    assert {one["kind"] for one in scores["faceless"]["kinds"]} >= {"flat grey", "shuffled faces"}


def test_the_robustness_is_a_json_file_a_table_and_a_part_of_the_page(evaluated):
    results, answer = evaluated
    robustness = json.loads((results / "robustness.json").read_text(encoding="utf-8"))
    assert len(robustness["corruptions"]) == 13 and robustness["images"] == 20
    assert robustness["baseline"] is None  # the one that ships was asked about other faces
    with (results / "robustness.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 66
    assert float(rows[0]["error"]) == pytest.approx(robustness["clean"]["error"], abs=1e-6)
    page = (results / "evaluation.html").read_text(encoding="utf-8")
    assert "Worse pictures" in page and page.count("One face at the strengths 0 to 5") == 13
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert "bar over the mouth" in answer.stdout


def test_networks_are_put_side_by_side_and_what_is_known_already_is_not_asked_again(
    evaluated, folder, data, python
):
    results, _ = evaluated
    before = (results / "robustness.json").stat().st_mtime_ns
    answer = python(
        "-m", "fer_ensemble", "compare", folder / "first.py", folder / "second.py", f"--data={data}",
        "--robustness", "--images=20", f"--output={folder / 'results'}",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert (results / "robustness.json").stat().st_mtime_ns == before
    comparison = json.loads((folder / "results" / "comparison.json").read_text(encoding="utf-8"))
    assert list(comparison["networks"]) == list(comparison["latency"]) == ["first", "second"]
    (pair,) = comparison["pairs"]
    accuracies = [one["scores"]["accuracy"] for one in comparison["networks"].values()]
    assert pair["difference"] == pytest.approx(accuracies[0] - accuracies[1]) and pair["images"] == 20
    page = (folder / "results" / "comparison.html").read_text(encoding="utf-8")
    assert "McNemar" in page and "Size and time" in page and "Gaussian noise" in page
    assert "first" in answer.stdout and "second" in answer.stdout


@pytest.mark.parametrize(
    ("models", "flags", "expected"),
    [
        (["first.py"], [], "--data must name labelled faces"),
        ([], ["--data=sample.csv.gz"], "Expected a network"),
        (["few.py"], ["--data=sample.csv.gz", "--images=5"], "few must have the classes of the data"),
        (["empty.py"], ["--data=sample.csv.gz"], "empty.py must define load_network()"),
        (["missing.py"], ["--data=sample.csv.gz"], "There is no file"),
        (["first.py"], ["--data=sample.csv.gz", "--images=-1"], "`images` must be at least 0"),
        (
            ["first.py"],
            ["--data=sample.csv.gz", "--robustness", "--baseline=none.json"],
            "There is no file none.json",
        ),
        (["first.py"], ["--data=sample.csv.gz", "--faceless=nowhere"], "There is no folder nowhere"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(models, flags, expected, folder, data, monkeypatch):
    from fer_ensemble.base.errors import EXPECTED_ERRORS
    from fer_ensemble.commands.evaluation_options import EvaluationOptions
    from fer_ensemble.commands.evaluation_run import evaluate_network, load_faces
    from fer_ensemble.commands.named_networks import load_networks

    monkeypatch.chdir(folder)
    values = dict(flag.removeprefix("--").partition("=")[::2] for flag in flags)
    values = {name: int(value) if name == "images" else value or True for name, value in values.items()}
    with pytest.raises(EXPECTED_ERRORS, match=expected.replace("(", r"\(").replace(")", r"\)")):
        options = EvaluationOptions(**values)
        for named in load_networks(models):
            faces = load_faces(options, ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
            evaluate_network(named, faces, options, folder / "wrong")


def test_an_ensemble_is_evaluated_with_its_members_and_its_report_shows_it(untrained, tiny_data, tmp_path):
    from fer_ensemble.commands.evaluation_options import EvaluationOptions
    from fer_ensemble.commands.evaluation_run import choose_folder, evaluate_network, load_faces
    from fer_ensemble.commands.named_networks import load_networks
    from fer_ensemble.commands.predict import report_ensemble
    from fer_ensemble.commands.predict_options import PredictOptions
    from fer_ensemble.report.evaluation_tables import format_robustness_table

    ensemble = shutil.copytree(untrained, tmp_path / "ensemble")
    weights = tmp_path / "weights.json"
    weights.write_text('{"cnn_0": 1, "resnet_0": 0}', encoding="utf-8")  # half of the networks, half of the time
    chosen = {"ensemble": str(ensemble), "runs": "cnn_0,resnet_0", "data": str(tiny_data)}
    report_ensemble(PredictOptions(weights=str(weights), save=True, **chosen))
    assert "Worse pictures" not in (ensemble / "report.html").read_text(encoding="utf-8")
    options = EvaluationOptions(data=str(tiny_data), robustness=True, images=4)
    (named,) = load_networks([str(ensemble)])
    faces = load_faces(options, named.network.class_names)
    found = evaluate_network(named, faces, options, choose_folder(named, options))["robustness"]
    assert json.loads((ensemble / "robustness.json").read_text(encoding="utf-8")) == found
    assert 0 <= found["clean"]["members_error"] <= 1
    assert "members' mean" in format_robustness_table(found)
    report_ensemble(PredictOptions(**chosen))
    assert "Worse pictures" in (ensemble / "report.html").read_text(encoding="utf-8")
